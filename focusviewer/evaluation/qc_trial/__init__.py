"""A batch of simulated slides, and how well verdicts agree with the truth about it."""
