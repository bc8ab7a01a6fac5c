"""Focus models against known truth."""
