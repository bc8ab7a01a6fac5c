"""The tests of each kind of model, and their figures."""
