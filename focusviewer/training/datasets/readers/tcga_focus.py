"""TCGA@Focus: 14,371 patches of 1024 x 1024 pixels from 1,000 slides, labelled in focus or out of focus by experts.

Files ``In Focus/<organ>/<case>/patch_i_<row>_j_<col>.png`` and ``Out Focus/...`` (the index of the authors writes ``Out
of Focus`` and ``Out of Focus (Marker)``; all are read). Index lines ``path, organ, marker flag, label``. The index
labels blurred patches 1, the paper calls sharp ones 1: which of them a file means is found from its own lines, and the
folder decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from focusviewer.training.datasets.base import About, Dataset, by_group
from focusviewer.training.datasets.records import Finding, ImageRecord
from focusviewer.training.datasets.walk import INDEXES, files_below, text_lines, unknown_files

ABOUT = About(
    name="tcga-focus",
    title="TCGA@Focus",
    url="https://zenodo.org/record/3910757",
    content="14,371 patches of 1024 x 1024 px at 40x, 52 organs: 11,328 in focus, 3,043 out of focus",
    truth="label",
    images=14371,
    size_px=(1024, 1024),
    note="Published as a test set: split 'published' puts everything on the test side; 'cases' splits by patient.",
)

FOLDERS = re.compile(r"(In|Out)(?: of)? Focus(?: \((Marker)\))?", re.IGNORECASE)
PATCH = re.compile(r"patch_i_(\d+)_j_(\d+)\.png", re.IGNORECASE)
_FIELDS = 4
_DEPTH = 4  # folder / organ / case / patch


@dataclass(frozen=True)
class _Line:
    """One line of an index: its label as written, not yet understood."""

    index: Path
    number: int
    path: str
    marker: bool
    label: int


def load(root: Path) -> Dataset:
    """Read TCGA@Focus.

    Parameters
    ----------
    root : Path
        Folder that holds ``In Focus`` and ``Out Focus`` at any depth, and the index if there is one.

    Returns
    -------
    Dataset
        Its findings name index lines that point to nothing or contradict the folders, patches no index knows, and
        unknown files.
    """
    files = files_below(root)
    records = {_key(path): record for path in files if (record := _record(root, path)) is not None}
    indexes, lines, findings = _read_indexes(files)
    records, problems = _with_index(records, lines)
    findings += problems
    findings += unknown_files(files, [*(record.path for record in records.values()), *indexes])

    schemes = {"cases": by_group, "published": lambda record, sides: "test"}
    return Dataset(ABOUT, root, list(records.values()), findings, schemes)


def case_of(slide: str) -> str:
    """Patient of a TCGA barcode: its first three fields (``TCGA-OR-A5JB``)."""
    return "-".join(slide.split("-")[:3])


def _key(path: Path | str) -> str:
    """Last four parts of a patch's path: what an index line and a file have in common."""
    parts = str(path).replace("\\", "/").split("/")[-_DEPTH:]
    parts[0] = re.sub(" of ", " ", parts[0], flags=re.IGNORECASE)
    return "/".join(parts).lower()


def _record(root: Path, path: Path) -> ImageRecord | None:
    parts = path.relative_to(root).parts
    if len(parts) < _DEPTH or not PATCH.fullmatch(parts[-1]):
        return None
    folder = FOLDERS.fullmatch(parts[-_DEPTH])
    if folder is None:
        return None
    slide = parts[-2]
    return ImageRecord(
        path,
        slide=slide,
        case=case_of(slide),
        blurred=folder[1].lower() == "out",
        kind=parts[-3],
        marker=folder[2] is not None,
        published="test",
        mpp=0.25,
    )


def _read_indexes(files: Iterable[Path]) -> tuple[list[Path], list[_Line], list[Finding]]:
    indexes, lines, findings = [], [], []
    for path in files:
        if path.suffix.lower() not in INDEXES:
            continue
        rows = [(number, row) for number, row in enumerate(text_lines(path), start=1) if row.strip()]
        if not any(PATCH.fullmatch(row.split(",")[0].strip().split("/")[-1]) for _, row in rows):
            continue
        indexes.append(path)
        for number, row in rows:
            fields = [field.strip() for field in row.split(",")]
            if len(fields) == _FIELDS and fields[2] in "01" and fields[3] in "01" and all(fields):
                lines.append(_Line(path, number, fields[0], fields[2] == "1", int(fields[3])))
            elif number > 1 or len(fields) != _FIELDS:
                findings.append(Finding("error", path, f"line {number} is not 'path, organ, marker flag, label'"))
    return indexes, lines, findings


def _with_index(records: dict[str, ImageRecord], lines: list[_Line]) -> tuple[dict[str, ImageRecord], list[Finding]]:
    findings, known = [], []
    for line in lines:
        if _key(line.path) in records:
            known.append(line)
        else:
            text = f"line {line.number} names {line.path}, and there is no such image"
            findings.append(Finding("error", line.index, text))
    agree = sum(bool(line.label) == records[_key(line.path)].blurred for line in known)
    blurred_is_one = agree * 2 >= len(known)
    result = dict(records)
    for line in known:
        record = records[_key(line.path)]
        if (bool(line.label) == blurred_is_one) != record.blurred:
            text = f"line {line.number} contradicts the folder of {line.path}"
            findings.append(Finding("error", line.index, text))
        result[_key(line.path)] = replace(record, marker=record.marker or line.marker)
    listed = {_key(line.path) for line in known}
    extra = [record.path for key, record in records.items() if lines and key not in listed]
    if extra:
        findings.append(
            Finding("warning", extra[0], f"is in no index line ({len(extra)} such images); used all the same")
        )
    return result, findings
