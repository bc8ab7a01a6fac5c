"""Virtual refocusing: the view on screen as it would look at another focus."""
