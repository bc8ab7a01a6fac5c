"""What is open, where we look, what was measured; no Qt widgets."""
