"""Evaluation of models: test sets they never saw, the figures on them, and the tables those are shown in."""
