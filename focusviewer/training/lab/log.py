"""The log of a run: a CSV file and a drawn curve, both made anew from the rows that the checkpoint keeps."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from focusviewer.core.files import atomic_write


def write_csv(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """All rows so far; the first one names the columns.

    It holds no clock times, so the log of a run that was interrupted equals that of one that was not.
    """
    columns = list(rows[0]) if rows else ["step"]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([f"{row[name]:.6g}" if name in row else "" for name in columns] for row in rows)


def row_text(row: dict[str, float]) -> str:
    """One row as a line for people."""
    return "  ".join(f"{name} {value:.4g}" for name, value in row.items())
