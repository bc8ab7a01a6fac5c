"""Tasks that train focus models."""
