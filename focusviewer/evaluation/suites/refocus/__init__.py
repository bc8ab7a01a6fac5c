"""Refocusing engines against truth, against doing nothing, and against other methods."""
