"""Reading through the slides that a batch has judged, and giving verdicts."""
