"""``simulate``: images, stacks and slides whose focus is known."""
