"""A focus map painted with a brush."""
