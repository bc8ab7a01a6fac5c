"""Other thresholds tried on the worklist, and what they would change."""
