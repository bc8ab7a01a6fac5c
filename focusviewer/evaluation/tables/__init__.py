"""Tables of figures: one type, their columns and titles, and the figures others have published."""
