"""What commands print: one JSON document or lines for people, and progress that never mixes with either."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import typer

from focusviewer.core.json_text import to_json_text


def print_json(document: Any) -> None:
    """Print one JSON document to stdout, in letters that its encoding has."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    typer.echo(to_json_text(document, ascii_only=encoding != "utf8"))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as aligned columns; numbers to the right."""
    cells = [[_cell(item) for item in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    right = [all(row[i] is None or isinstance(row[i], (int, float)) for row in rows) for i in range(len(head))]
    lines = [list(head), ["-" * width for width in widths], *cells]
    return "\n".join(_aligned(line, widths, right) for line in lines)


def _aligned(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (text.rjust(w) if r else text.ljust(w) for text, w, r in zip(line, widths, right, strict=True))
    return "  ".join(cells).rstrip()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def note(text: str, quiet: bool = False) -> None:
    """One line for people on stderr; nothing when the command was asked for JSON."""
    if not quiet:
        typer.echo(text, err=True)


class Progress:
    """A progress line on stderr, only on a terminal; call it with a fraction and an optional text."""

    def __init__(self, label: str, quiet: bool = False) -> None:
        self._label = label
        self._live = not quiet and sys.stderr.isatty()
        self._last = 0.0
        self._drawn = False

    def __call__(self, fraction: float, text: object = "") -> None:
        """Draw the line, at most ten times a second."""
        now = time.monotonic()
        if not self._live or (now - self._last < 0.1 and fraction < 1):
            return
        self._last, self._drawn = now, True
        detail = text if isinstance(text, str) else ""
        sys.stderr.write(f"\r{self._label} {fraction:4.0%} {detail}\x1b[K")
        sys.stderr.flush()

    def close(self) -> None:
        """Wipe the line."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
