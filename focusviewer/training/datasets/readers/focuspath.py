"""FocusPath (full): 540 stacks of 16 planes of 1024 x 1024 pixels, 0.25 um apart, from nine slides.

Files ``Slide01_Strip00_Slice01_Position02.png``. Index lines ``name, slide, strip, slice, position, score, signed
level``, where the name ends with ``.tif`` although the files are PNG. An index may list only part of the images (the
authors publish the training part of a split): the level of one plane tells that of its whole stack, because
level = slice - sharpest slice.

The split of the refocusing experiments is by strip: strip 0 trains, strip 1 tests, which keeps places apart but not
slides; splits by slide are the default.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from focusviewer.training.datasets.base import About, Dataset, by_group, missing_planes
from focusviewer.training.datasets.records import LEVEL_UM, Finding, ImageRecord
from focusviewer.training.datasets.walk import INDEXES, files_below, text_lines, unknown_files

ABOUT = About(
    name="focuspath",
    title="FocusPath",
    url="https://zenodo.org/record/3926181",
    content="8,640 images of 1024 x 1024 px: 540 places on nine slides, 16 focal planes 0.25 um apart, 0.25 um/px",
    truth="level",
    images=8640,
    size_px=(1024, 1024),
    step_um=LEVEL_UM,
    planes=tuple(range(1, 17)),
    note="Split 'strips' (strip 0 trains, strip 1 tests) is the published one; it keeps places apart, not slides.",
)

NAME = re.compile(r"Slide(\d+)_Strip(\d+)_Slice(\d+)_Position(\d+)\.(png|tif|tiff)", re.IGNORECASE)
_FIELDS = 7


@dataclass(frozen=True)
class _Line:
    """One line of an index."""

    where: str
    index: Path
    name: str
    score: float
    level: float


def by_strip(record: ImageRecord, sides: Mapping[str, str]) -> str | None:
    """Strip 0 trains, strip 1 tests."""
    return {0: "train", 1: "test"}.get(-1 if record.strip is None else record.strip)


def load(root: Path) -> Dataset:
    """Read FocusPath.

    Parameters
    ----------
    root : Path
        Folder with the images at any depth, and index files (``.txt`` or ``.csv``) if there are any.

    Returns
    -------
    Dataset
        Its findings name missing planes, index lines that point to nothing or contradict each other, doubled and
        unknown files.
    """
    files = files_below(root)
    images = [path for path in files if NAME.fullmatch(path.name)]
    indexes, lines, findings = _read_indexes(files)
    records, doubled = _records(images)
    findings += doubled
    records, problems = _with_index(records, lines)
    findings += problems
    stacks: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        stacks[str(record.stack)].append(record)
    for name, planes in stacks.items():
        findings += missing_planes(ABOUT, name, planes)
    findings += unknown_files(files, [*images, *indexes])
    return Dataset(ABOUT, root, records, findings, {"slides": by_group, "strips": by_strip})


def _records(images: Iterable[Path]) -> tuple[list[ImageRecord], list[Finding]]:
    records: dict[tuple[int, ...], ImageRecord] = {}
    findings = []
    for path in images:
        match = NAME.fullmatch(path.name)
        assert match is not None
        key = slide, strip, plane, position = tuple(int(match[i]) for i in range(1, 5))
        if key in records:
            findings.append(Finding("error", path, f"is the same plane as {records[key].path.name}"))
            continue
        records[key] = ImageRecord(
            path,
            slide=f"Slide{slide:02d}",
            stack=f"Slide{slide:02d}_Strip{strip:02d}_Position{position:02d}",
            strip=strip,
            plane=plane,
            position=position,
            mpp=0.25,
        )
    return list(records.values()), findings


def _read_indexes(files: Iterable[Path]) -> tuple[list[Path], list[_Line], list[Finding]]:
    """Index files below the root, their lines, and what is wrong with them."""
    indexes, lines, findings = [], [], []
    for path in files:
        if path.suffix.lower() not in INDEXES:
            continue
        rows = [(number, row) for number, row in enumerate(text_lines(path), start=1) if row.strip()]
        if not any(NAME.match(row.split(",")[0].strip()) for _, row in rows):
            continue  # some other text; the caller reports it as unknown
        indexes.append(path)
        for number, row in rows:
            try:
                lines.append(_line(path, number, row))
            except ValueError as error:
                if number > 1:  # the first line may be a heading
                    findings.append(Finding("error", path, f"line {number}: {error}"))
    return indexes, lines, findings


def _line(path: Path, number: int, row: str) -> _Line:
    fields = [field.strip() for field in row.split(",")]
    if len(fields) != _FIELDS:
        raise ValueError(f"{len(fields)} fields where {_FIELDS} are expected")
    match = NAME.fullmatch(fields[0])
    if match is None:
        raise ValueError(f"{fields[0]!r} is not the name of a FocusPath image")
    if [int(field) for field in fields[1:5]] != [int(match[i]) for i in range(1, 5)]:
        raise ValueError(f"the numbers {', '.join(fields[1:5])} contradict the name {fields[0]}")
    return _Line(f"line {number}", path, Path(fields[0]).stem, float(fields[5]), float(fields[6]))


def _with_index(records: list[ImageRecord], lines: list[_Line]) -> tuple[list[ImageRecord], list[Finding]]:
    """Records with the scores and levels of the index; a stack takes its sharpest slice from any plane listed."""
    by_name = {record.path.stem: record for record in records}
    findings, sharpest = [], defaultdict(list)
    stated: dict[str, _Line] = {}
    for line in lines:
        record = by_name.get(line.name)
        if record is None:
            findings.append(Finding("error", line.index, f"{line.where} names {line.name}, and there is no such image"))
            continue
        before = stated.setdefault(line.name, line)
        if before.level != line.level:
            text = f"{line.where} gives {line.name} the level {line.level:g}, {before.where} {before.level:g}"
            findings.append(Finding("error", line.index, text))
        sharpest[str(record.stack)].append(int(record.plane or 0) - line.level)
    best: dict[str, float] = {}
    for stack, votes in sharpest.items():
        counted = Counter(votes).most_common()
        best[stack] = counted[0][0]
        if len(counted) > 1:
            text = f"the levels of stack {stack} disagree about its sharpest slice: {sorted(set(votes))}"
            findings.append(Finding("warning", lines[0].index, text))
    return [
        _completed(record, stated.get(record.path.stem), best.get(str(record.stack))) for record in records
    ], findings


def _completed(record: ImageRecord, line: _Line | None, sharpest: float | None) -> ImageRecord:
    """The record with the level of its own line, else with the one its stack implies."""
    if line is not None:
        return replace(record, z_um=line.level * LEVEL_UM, score=line.score)
    if sharpest is None or record.plane is None:
        return record
    return replace(record, z_um=(record.plane - sharpest) * LEVEL_UM)
