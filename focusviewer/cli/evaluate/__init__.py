"""``evaluate``: models on what they never saw, simulated and real."""
