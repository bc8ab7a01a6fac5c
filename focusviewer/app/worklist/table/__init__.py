"""The table of the worklist: its model, how its cells are painted, and the view."""
