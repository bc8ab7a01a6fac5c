"""Verdicts of persons: given, noted, taken back and shown."""
