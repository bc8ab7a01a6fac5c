"""A network that starts from Wiener filters of the view and draws it in focus."""
