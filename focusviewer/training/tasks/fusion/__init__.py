"""Fusion of focus scores, learned without labels."""
