"""The textbook filter as an engine: nothing learned but how far the view is out of focus."""
