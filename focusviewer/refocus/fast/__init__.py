"""The fast engine: physical operators of the optics, mixed per place by a small network."""
