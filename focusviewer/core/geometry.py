"""Names of the plain shapes that the rooms exchange; units are said where they are used."""

from __future__ import annotations

Point = tuple[float, float]
"""x and y."""

Box = tuple[int, int, int, int]
"""x and y of the upper left corner, width and height."""
