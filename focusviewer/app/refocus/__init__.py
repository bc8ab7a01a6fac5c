"""The focus knob: what is on screen as it would look at another focus."""
