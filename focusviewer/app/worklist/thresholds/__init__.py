"""A preview of other thresholds: which verdicts of the worklist they would change."""
