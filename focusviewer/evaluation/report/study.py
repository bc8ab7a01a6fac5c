"""Writes a study to a folder: the page, the tables as JSON, Markdown and CSV, the published figures beside them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from focusviewer import __version__
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.evaluation.report.page import page
from focusviewer.evaluation.study import Outcome
from focusviewer.evaluation.suites.bench import Bench
from focusviewer.evaluation.tables.table import Table, write_tables
from focusviewer.training.common import hardware

TITLE = "FocusViewer study"


def write_report(folder: Path, tables: Sequence[Table], outcomes: Sequence[Outcome], bench: Bench) -> list[Path]:
    """Write ``report.html`` and ``tables.json``, ``tables.md`` and one CSV a table.

    Returns
    -------
    The files, the page first.
    """
    shown = [table for table in tables if table.rows]
    path = output_folder(folder) / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page(TITLE, facts(outcomes, bench), shown), encoding="utf-8")
    return [path, *write_tables(shown, folder)]


def facts(outcomes: Sequence[Outcome], bench: Bench) -> list[tuple[str, str]]:
    """What was measured, when, where and on what."""
    evaluated = {outcome.model for outcome in outcomes if outcome.rows}
    missing = dict.fromkeys((outcome.model, outcome.why) for outcome in outcomes if outcome.why)
    sets = [dataset.about.title for dataset in bench.datasets.usable]
    refused = [f"{title} (not usable: {why})" for title, why in bench.datasets.refused]
    lines = [
        ("Program", f"FocusViewer {__version__}"),
        ("Written", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("Machine", hardware()),
        ("Extent", "quick: fewer fields, no whole slides" if bench.quick else "full"),
        ("Simulated test stacks", f"{len(bench.fields)} fields, {bench.fields.levels.size} images"),
        ("Real test stacks", ", ".join(stack.name for stack in bench.stacks) or "none"),
        ("Published data sets", ", ".join([*sets, *refused]) or "none here (FOCUSVIEWER_DATASETS)"),
        ("Models evaluated", str(len(evaluated))),
    ]
    if missing:
        text = "; ".join(f"{model}: {why}" for model, why in missing)
        lines.append(("Models or parts without figures", text))
    return lines
