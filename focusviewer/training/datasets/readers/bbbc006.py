"""BBBC006: human cells at 32 focal positions, best focus at z = 16; 384 wells, two fields and two stains each.

Folders ``BBBC006_v1_images_z_00`` ... ``z_33`` hold 16-bit gray TIFF files
``mcf-z-stacks-03212011_<well>_s<field>_w<stain><uuid>.tif``; the uuid differs from plane to plane. Only some of the
folders may be there (the planes are separate downloads), but each of them has to hold every field.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from focusviewer.training.datasets.base import About, Dataset, by_group
from focusviewer.training.datasets.records import Finding, ImageRecord
from focusviewer.training.datasets.walk import files_below, unknown_files

BEST_PLANE = 16
STEP_UM = 2.0
"""Distance of the planes in um, from the description of the image set at the Broad Institute."""

TRAIN_PLANES = (1, 5, 10)
HELD_OUT_PLANE = 32

ABOUT = About(
    name="bbbc006",
    title="BBBC006",
    url="https://data.broadinstitute.org/bbbc/BBBC006/",
    content="768 fields (384 wells x 2) of human cells, two stains, 32 focal planes, 16-bit, best focus z = 16",
    truth="level",
    size_px=(696, 520),
    bits=16,
    step_um=STEP_UM,
    note="Split 'refocus': z = 1, 5, 10 train and validate, z = 32 tests, in wells of their own; z = 16 is the target.",
)

FOLDER = re.compile(r"BBBC006_v1_images_z_(\d\d)", re.IGNORECASE)
NAME = re.compile(r"mcf-z-stacks-\d+_([a-p]\d\d)_s(\d)_w([12])([0-9a-f-]*)\.tif", re.IGNORECASE)
LABEL = re.compile(r"mcf-z-stacks-\d+_([a-p]\d\d)_s(\d)\.png", re.IGNORECASE)


def refocus_side(record: ImageRecord, sides: Mapping[str, str]) -> str | None:
    """The split of the deblurring experiment: planes above focus train, one below focus tests; never the same well."""
    side = sides[record.group]
    wanted = (HELD_OUT_PLANE,) if side == "test" else TRAIN_PLANES
    return side if record.plane in wanted else None


def load(root: Path) -> Dataset:
    """Read BBBC006.

    Returns
    -------
    Dataset
        One stack per well, field and stain. Its findings name fields that a plane's folder lacks, a missing plane of
        best focus, doubled and unknown files.
    """
    files = files_below(root)
    masks = {(match[1].lower(), int(match[2])): path for path in files if (match := LABEL.fullmatch(path.name))}
    records: dict[tuple[str, int], ImageRecord] = {}
    findings: list[Finding] = []
    for path in files:
        record = _record(path, masks)
        if record is None:
            continue
        key = (str(record.stack), int(record.plane or 0))
        if key in records:
            findings.append(Finding("error", path, f"is the same plane as {records[key].path.name}"))
        else:
            records[key] = record
    findings += _missing(root, list(records.values()))
    claimed = [*(record.path for record in records.values()), *masks.values()]
    findings += unknown_files((path for path in files if "counts" not in path.name.lower()), claimed)
    schemes = {"wells": by_group, "refocus": refocus_side}
    return Dataset(ABOUT, root, list(records.values()), findings, schemes)


def _record(path: Path, masks: Mapping[tuple[str, int], Path]) -> ImageRecord | None:
    match, folder = NAME.fullmatch(path.name), FOLDER.fullmatch(path.parent.name)
    if match is None or folder is None:
        return None
    well, field, stain, plane = match[1].lower(), int(match[2]), int(match[3]), int(folder[1])
    return ImageRecord(
        path,
        slide=well,
        stack=f"{well}_s{field}_w{stain}",
        plane=plane,
        position=field,
        z_um=(plane - BEST_PLANE) * STEP_UM,
        kind={1: "Hoechst", 2: "phalloidin"}[stain],
        mask=masks.get((well, field)),
    )


def _missing(root: Path, records: Sequence[ImageRecord]) -> list[Finding]:
    """Fields that some of the planes' folders lack; planes that nobody has downloaded are told once."""
    stacks: dict[str, set[int]] = defaultdict(set)
    folders: dict[int, Path] = {}
    for record in records:
        stacks[str(record.stack)].add(int(record.plane or 0))
        folders[int(record.plane or 0)] = record.path.parent
    findings = []
    for name, planes in sorted(stacks.items()):
        for plane in sorted(set(folders) - planes):
            findings.append(Finding("error", folders[plane], f"stack {name} lacks plane {plane}"))
    if folders and BEST_PLANE not in folders:
        findings.append(Finding("error", root, f"the plane of best focus, z = {BEST_PLANE}, is not there"))
    elif absent := sorted(set(range(1, 33)) - set(folders)):
        text = f"planes z = {', '.join(map(str, absent))} are not there"
        findings.append(Finding("warning", root, text))
    return findings
