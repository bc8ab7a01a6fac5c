"""Two pictures at one place: by wipe, side by side, or in turn."""
