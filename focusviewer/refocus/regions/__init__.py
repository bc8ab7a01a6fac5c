"""Regions of any size: cut into tiles, planned, rendered, and written to files."""
