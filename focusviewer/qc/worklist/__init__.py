"""The worklist: slides, verdicts and their history in one SQLite file."""
