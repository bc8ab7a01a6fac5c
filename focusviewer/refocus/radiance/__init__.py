"""The virtual refocusing network: a stack of planes to a representation of the tissue, and from there to any focus."""
