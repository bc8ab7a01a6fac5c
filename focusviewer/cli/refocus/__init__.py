"""``refocus``: a region as the microscope would show it at another focus."""
