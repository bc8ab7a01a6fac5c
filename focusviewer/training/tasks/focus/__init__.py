"""Tasks that learn to judge focus."""
