"""One table type for every figure we publish: the same rows as Markdown, CSV, JSON and text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focusviewer.core.files import atomic_write, output_folder
from focusviewer.core.json_text import plain, to_json_text

Row = Mapping[str, Any]

WHY = "why"
"""Key of a row's reason for missing figures; shown as a column of its own as soon as one row has it."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    key : str
        Where rows keep the value; its confidence interval lies at ``key_low`` and ``key_high``.
    title : str
        Heading for people, with the unit.
    digits : int or None
        Digits after the point; None for text and counts.
    better : "high", "low" or None
        Which end is better, where that can be said.
    """

    key: str
    title: str
    digits: int | None = None
    better: str | None = None

    def cell(self, row: Row) -> str:
        """The value for people, with its interval where there is one; a dash where there is no value."""
        value = row.get(self.key)
        text = self.number(value)
        low, high = row.get(f"{self.key}_low"), row.get(f"{self.key}_high")
        if is_number(value) and is_number(low) and is_number(high):
            return f"{text} [{self.number(low)}, {self.number(high)}]"
        return text

    def number(self, value: Any) -> str:
        """One value for people."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return "–"
        if isinstance(value, (list, tuple)):
            return "–".join(str(item) for item in dict.fromkeys(value))  # a range of one is one
        if is_number(value) and self.digits is not None:
            return f"{value:.{self.digits}f}"
        return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; counts are, yes and no are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Table:
    """Named columns and rows of plain values.

    Attributes
    ----------
    name : str
        File name without suffix.
    title, note : str
        What is shown above the table: what it is, and how it was measured.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that any row fills, in order, and the reasons for missing figures if there are any."""
        extra = (Column(WHY, "why not"),) if all(column.key != WHY for column in self.columns) else ()
        filled = [c for c in (*self.columns, *extra) if any(row.get(c.key) not in (None, "") for row in self.rows)]
        return tuple(filled)

    def markdown(self) -> str:
        """A Markdown section: heading, note and table."""
        head = [column.title for column in self.shown]
        rule = ["---:" if column.digits is not None else "---" for column in self.shown]
        lines = [head, rule, *([column.cell(row) for column in self.shown] for row in self.rows)]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return f"## {self.title}\n\n" + (f"{self.note}\n\n" if self.note else "") + (table if self.rows else "Nothing.")

    def csv(self) -> str:
        """Comma-separated values at full precision; intervals in columns ``key_low`` and ``key_high``."""
        keys: list[str] = []
        for column in self.shown:
            keys.append(column.key)
            keys += [f"{column.key}_{end}" for end in ("low", "high") if self._has(f"{column.key}_{end}")]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(keys)
        for row in self.rows:
            writer.writerow([_csv_cell(row.get(key)) for key in keys])
        return text.getvalue()

    def document(self) -> dict[str, Any]:
        """Everything, for JSON; figures that are no numbers are null."""
        columns = [{"key": c.key, "title": c.title, "better": c.better} for c in self.columns]
        rows = [{key: plain(value) for key, value in row.items()} for row in self.rows]
        return {"name": self.name, "title": self.title, "note": self.note, "columns": columns, "rows": rows}

    def _has(self, key: str) -> bool:
        return any(key in row for row in self.rows)


def _csv_cell(value: Any) -> Any:
    value = plain(value)
    if value is None:
        return ""
    return " ".join(str(item) for item in value) if isinstance(value, (list, tuple)) else value


def write_tables(tables: Sequence[Table], folder: Path, stem: str = "tables") -> list[Path]:
    """Write all tables as one Markdown and one JSON file, and each as CSV.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    output_folder(folder)
    texts = {
        f"{stem}.md": "\n\n".join(table.markdown() for table in tables) + "\n",
        f"{stem}.json": to_json_text([table.document() for table in tables], indent=1) + "\n",
        **{f"{table.name}.csv": table.csv() for table in tables},
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
