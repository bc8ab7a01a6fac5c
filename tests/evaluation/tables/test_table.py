from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from focusviewer.core.errors import UserError
from focusviewer.evaluation.tables.table import Column, Table, write_tables

TABLE = Table(
    "demo",
    "A demo | table",
    (Column("model", "model"), Column("srcc", "SRCC", 3, "high"), Column("best", "best"), Column("never", "never", 2)),
    (
        {"model": "a|b", "srcc": 0.87654, "srcc_low": 0.8, "srcc_high": 0.9, "best": [9, 20]},
        {"model": "c", "srcc": float("nan"), "best": None},
        {"model": "d", "why": "its weights are missing"},
    ),
    "How it was measured.",
)


def test_markdown_shows_intervals_dashes_and_reasons() -> None:
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "## A demo | table"
    assert lines[2] == "How it was measured."
    assert lines[4:6] == ["| model | SRCC | best | why not |", "| --- | ---: | --- | --- |"]
    assert lines[6] == "| a\\|b | 0.877 [0.800, 0.900] | 9–20 | – |"
    assert lines[7] == "| c | – | – | – |"
    assert lines[8] == "| d | – | – | its weights are missing |"


def test_csv_keeps_full_precision_and_both_ends() -> None:
    rows = list(csv.DictReader(TABLE.csv().splitlines()))
    assert list(rows[0]) == ["model", "srcc", "srcc_low", "srcc_high", "best", "why"]
    assert rows[0] == {
        "model": "a|b",
        "srcc": "0.87654",
        "srcc_low": "0.8",
        "srcc_high": "0.9",
        "best": "9 20",
        "why": "",
    }
    assert rows[1]["srcc"] == ""


def test_all_three_forms_are_written_and_json_has_no_nan(tmp_path: Path) -> None:
    files = write_tables([TABLE], tmp_path / "new")
    assert [path.name for path in files] == ["tables.md", "tables.json", "demo.csv"]
    (document,) = json.loads(files[1].read_text("utf-8"))
    assert document["rows"][1]["srcc"] is None
    assert document["columns"][1] == {"key": "srcc", "title": "SRCC", "better": "high"}
    with pytest.raises(UserError, match="Cannot write"):
        write_tables([TABLE], files[0])
