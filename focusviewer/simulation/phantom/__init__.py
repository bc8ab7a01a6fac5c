"""Phantoms: procedural tissue sections, from the plan of the section to the dye in each slab."""
