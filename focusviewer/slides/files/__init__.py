"""Files before they are read: what they are called, what they may ask for, whether they are still the same."""
