"""The focus map over the slide: where is it out of focus, and how far."""
