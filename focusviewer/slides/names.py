"""The order of file names for people: numbers by their value, letters without regard to their size."""

from __future__ import annotations

import re
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")


def natural_order(path: Path | str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A key to sort by: ``img_2`` before ``IMG_10``."""
    text = str(path)
    parts = _DIGITS.split(text.casefold())
    return tuple((int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)), text
