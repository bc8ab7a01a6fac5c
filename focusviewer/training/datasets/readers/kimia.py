"""Kimia Path24 (Path24C, the version in colour): patches of 24 scans, one folder per scan, which is also its class.

``Training-patches/<class>/*.jpg`` and ``Test-patches/<class>/*.jpg``, or the class folders alone. All scans are in
focus, so there is no focus truth: the set feeds networks that need sharp tissue and its classes. The published split
has every scan on both sides, because a class is a scan; the default split is by scan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from focusviewer.training.datasets.base import About, Dataset, Scheme, as_published, by_group
from focusviewer.training.datasets.records import Finding, ImageRecord
from focusviewer.training.datasets.walk import IMAGES, files_below, unknown_files

ABOUT = About(
    name="kimia-path24",
    title="Kimia Path24",
    url="https://arxiv.org/abs/2102.07611",
    content="24 scans in focus at 20x; 22,591 training and 1,325 validation patches of 1000 x 1000 px",
    truth="none",
    images=22591 + 1325,
    size_px=(1000, 1000),
    note="A class is a scan, so the published split has every scan on both sides; 'slides' keeps scans apart.",
)

SIDE = re.compile(r"(train|test|val)[a-z]*(?:[-_ ]?patch(?:es)?)?", re.IGNORECASE)
_SIDES = {"train": "train", "test": "test", "val": "validation"}


def load(root: Path) -> Dataset:
    """Read Kimia Path24.

    Returns
    -------
    Dataset
        ``kind`` of a record is its class. Its findings name classes that only one side has, and unknown files.
    """
    files = files_below(root)
    records = [record for path in files if (record := _record(root, path)) is not None]
    findings = [*_lopsided(records, root), *unknown_files(files, [record.path for record in records])]
    schemes: dict[str, Scheme] = {"slides": by_group}
    if any(record.published for record in records):
        schemes["published"] = as_published
    return Dataset(ABOUT, root, records, findings, schemes)


def _record(root: Path, path: Path) -> ImageRecord | None:
    folders = path.relative_to(root).parts[:-1]
    if path.suffix.lower() not in IMAGES or not folders or SIDE.fullmatch(folders[-1]):
        return None
    side = next((match for part in folders[:-1] if (match := SIDE.fullmatch(part))), None)
    scan = folders[-1].lower()
    published = _SIDES[side[1].lower()] if side else None
    return ImageRecord(path, slide=scan, kind=scan, published=published, mpp=0.5)


def _lopsided(records: Sequence[ImageRecord], root: Path) -> list[Finding]:
    sides: dict[str, set[str]] = {}
    for record in records:
        if record.published:
            sides.setdefault(record.published, set()).add(str(record.kind))
    every = set().union(*sides.values()) if sides else set()
    return [
        Finding("error", root, f"class {name} is missing from the {side} patches")
        for side, names in sorted(sides.items())
        for name in sorted(every - names)
    ]
