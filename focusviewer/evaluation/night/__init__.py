"""A made-up night of slides, and how well verdicts agree with the truth about it."""
