"""The picture of a slide: where one looks, what is painted, what the mouse does."""
