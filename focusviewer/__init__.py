"""FocusViewer: a whole-slide viewer with focus tools."""

__version__ = "0.1.0"
