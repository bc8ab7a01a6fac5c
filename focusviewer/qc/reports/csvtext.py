"""CSV that keeps hostile names as they are and is safe from formula injection in spreadsheets."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write

# Spreadsheets run cells that begin like this, full-width forms included. A mark of our own counts too, so that it
# can be taken off again. Where a spreadsheet splits at semicolons, lines or tabs, what follows begins a cell as well.
_DANGER = re.compile(r"(^|[;\t\r\n])(?=['=+\-@\t\r\n＝＋－＠])")
_GUARD = re.compile(r"(^|[;\t\r\n])'")


def guard(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what could begin one."""
    return _DANGER.sub(r"\1'", text)


def unguard(text: str) -> str:
    """Undo :func:`guard`."""
    return _GUARD.sub(r"\1", text)


def cell(value: object) -> str:
    """A value as a cell: nothing for None, numbers as short as they are exact, texts guarded."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if isinstance(value, int) else guard(str(value))


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV (UTF-8, RFC 4180), whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with (
        atomic_write(path) as temporary,
        # Names of files may hold bytes that are no letters.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([cell(row.get(column)) for column in columns] for row in rows)


def read_table(path: Path) -> list[dict[str, str]]:
    """Read what :func:`write_table` wrote; the guards are taken off.

    Raises
    ------
    UserError
        If the file cannot be read.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return [{key: unguard(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read {path}", str(error), "Is it a CSV file of FocusViewer?") from error
