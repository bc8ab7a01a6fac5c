"""What engines do for the window, away from the Qt thread: studies, renderings, searches."""
