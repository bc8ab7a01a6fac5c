"""The open slides and what is known of them."""
