"""Test sets that no model has learned from: simulated fields, real stacks, stacks with known truth."""
