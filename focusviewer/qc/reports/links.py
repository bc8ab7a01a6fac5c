"""Links and commands that open a slide at a place in FocusViewer."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, quote

from focusviewer.core.errors import UserError
from focusviewer.core.geometry import Point as Point  # a level-0 pixel; also for those who write links

SCHEME = "focusviewer"


def open_link(path: Path, at: Point | None = None) -> str:
    """``focusviewer://open?path=...&x=...&y=...``: what programs that know the scheme open."""
    place = "" if at is None else f"&x={at[0]:.0f}&y={at[1]:.0f}"
    return f"{SCHEME}://open?path={quote(os.fsencode(path), safe='/')}{place}"


def open_command(path: Path, at: Point | None = None) -> str:
    """The command line that does the same."""
    words = [SCHEME, "view", str(path), *([] if at is None else ["--at", f"{at[0]:.0f},{at[1]:.0f}"])]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def parse_link(text: str) -> tuple[Path, Point | None] | None:
    """Path and place of a link; None for text that is no link of ours.

    Slashes may have been joined on the way, as they are when the text was taken for a path.

    Raises
    ------
    UserError
        If it is one, but names no file or no place.
    """
    scheme, colon, rest = text.partition(":")
    if scheme.lower() != SCHEME or not colon or not rest.startswith(("/", "\\")):
        return None
    action, _, query = rest.strip("/\\").partition("?")
    values = parse_qs(query, errors="surrogateescape")
    paths, places = values.get("path", []), [values.get(axis, []) for axis in "xy"]
    if action.rstrip("/\\") != "open" or len(paths) != 1:
        raise UserError(
            f"The link {text!r} names no slide", "", f"It should be like {SCHEME}://open?path=FILE&x=X&y=Y."
        )
    if not any(places):
        return Path(paths[0]), None
    try:
        x, y = (float(place[0]) for place in places)
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError("not finite")
    except (ValueError, IndexError) as error:
        raise UserError(f"The link {text!r} names no place", "", "x and y are level-0 pixels.") from error
    return Path(paths[0]), (x, y)
