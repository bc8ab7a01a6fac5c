"""The worklist for other programs: CSV and JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from focusviewer import __version__
from focusviewer.core import json_text
from focusviewer.qc.reports.csvtext import read_table, write_table
from focusviewer.qc.reports.focusplan import rescan_list, write_rescan_csv, write_rescan_json
from focusviewer.qc.worklist.listing import Entry, counts, entries
from focusviewer.qc.worklist.store import Worklist, now

__all__ = ["read_csv", "rescan_list", "write_csv", "write_json", "write_rescan_csv", "write_rescan_json"]

FORMAT = "focusviewer worklist 1"

COLUMNS = (
    "path", "verdict", "score", "blurred_fraction", "largest_region_mm2", "reasons",
    "name", "slide_id", "scanner", "stain", "program_verdict", "person_verdict", "who", "note", "given_at",
    "median_um", "worst_decile_um", "tissue_mm2", "cannot_tell_fraction", "unreadable_fraction", "mpp", "regions",
    "rules", "model", "model_version", "failure", "same_as", "fingerprint", "folder",
)  # fmt: skip
"""Of ``worklist.csv``. The first six keep their names and places; more may follow."""


def write_csv(worklist: Worklist, path: Path) -> None:
    """Write a line for every file: slides, the worst first; files that failed; copies.

    ``verdict`` is what counts (the person's, else the program's), FAILED or WAITING. Texts that a spreadsheet would
    take for a formula begin with an apostrophe; :func:`read_csv` takes it off.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    write_table(path, COLUMNS, [_line(entry) for entry in entries(worklist)])


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a ``worklist.csv``, texts as they were.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    return read_table(path)


def _line(entry: Entry) -> dict[str, Any]:
    row = entry.row
    line: dict[str, Any] = {
        "path": entry.path,
        "verdict": entry.status,
        "reasons": "; ".join(entry.reasons),
        "name": entry.path.name,
        "failure": entry.failure.reason if entry.failure is not None else "",
        "same_as": entry.same_as or "",
    }
    if row is None:
        return line
    facts, result, person = row.facts, row.result, row.person
    line |= {name: getattr(facts, name) for name in ("slide_id", "scanner", "stain", "fingerprint")}
    if person is not None:
        line |= {"person_verdict": person.verdict.value, "who": person.who, "note": person.note}
        line["given_at"] = person.given_at
    if result is not None:
        line |= asdict(result.features)
        line |= {"program_verdict": result.judgement.verdict.value, "score": result.judgement.score}
        line |= {"rules": result.judgement.rules, "regions": len(result.regions)}
        line |= {name: getattr(result, name) for name in ("model", "model_version", "folder")}
    return line


def write_json(worklist: Worklist, path: Path) -> None:
    """Write the whole worklist as one JSON document: everything of the CSV, the regions and the verdicts' history.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    json_text.write_json(path, document(worklist), indent=1)


def document(worklist: Worklist) -> dict[str, Any]:
    """What :func:`write_json` writes."""
    listed = entries(worklist)
    return {
        "format": FORMAT,
        "program": f"FocusViewer {__version__}",
        "written_at": now(),
        "counts": {status.lower(): count for status, count in counts(listed).items()},
        "slides": [_record(worklist, entry) for entry in listed],
    }


def _record(worklist: Worklist, entry: Entry) -> dict[str, Any]:
    line = {name: value for name, value in _line(entry).items() if value not in ("", None)}
    line |= {"path": str(entry.path), "reasons": list(entry.reasons)}
    if entry.same_as is not None:
        return line | {"same_as": str(entry.same_as)}
    if entry.row is not None:
        line["history"] = [
            {**asdict(verdict), "verdict": verdict.verdict.value}
            for verdict in worklist.history(entry.row.facts.fingerprint)
        ]
        if entry.row.result is not None:
            line["regions"] = [asdict(region) for region in entry.row.result.regions]
    return line
