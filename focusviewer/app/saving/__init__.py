"""Files of what is on screen, of what was computed, and of what was painted."""
