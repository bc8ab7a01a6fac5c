"""What can be trained, by family."""
