"""What models are put to, by kind, and the figures that come of it."""
