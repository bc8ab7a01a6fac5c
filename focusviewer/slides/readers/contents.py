"""Which files of a folder are slides, and which are parts of one: DICOM instances, the files of an OME stack."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.core.files import natural_order
from focusviewer.slides.files.limits import MAX_FILES_LOOKED_AT
from focusviewer.slides.files.suffixes import COMPANION_SUFFIXES, SLIDE_SUFFIXES, VIEWED_SUFFIXES
from focusviewer.slides.readers.dicom.header import read_header
from focusviewer.slides.readers.dicom.parts import may_be_dicom, parts_of, slides_of
from focusviewer.slides.readers.tiff.ome_files import spread_files

_DEEPEST = 6
"""How far below a folder its DICOM files are looked for: discs keep them by patient, study and series."""


@dataclass
class Contents:
    """What lies in a folder.

    Attributes
    ----------
    slides : list of Path
        One file of each slide, to open it by, in natural order.
    parts : dict of Path to list of Path
        All files of the slides that have several, by the file in ``slides``.
    others : list of Path
        Files that are no slides nor parts of one.
    """

    slides: list[Path] = field(default_factory=list)
    parts: dict[Path, list[Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)


def sort_out(files: Iterable[Path], suffixes: frozenset[str] = SLIDE_SUFFIXES) -> Contents:
    """Sort files by what they are: by content where they may be parts of a slide, else by name.

    Parameters
    ----------
    files : iterable of Path
        Of one folder or several; parts of a slide lie in one folder.
    suffixes : frozenset of str
        Names of slides, in small letters.
    """
    found, waiting = Contents(), sorted(files, key=natural_order)
    claimed: set[Path] = set()
    for folder in {path.parent for path in waiting}:
        for parts in slides_of(path for path in waiting if path.parent == folder):
            _claim(found, claimed, parts)
    there = {Path(os.path.normpath(each)): each for each in waiting}
    for path in waiting:
        if path in claimed or not _is_ome(path):
            continue
        files = spread_files(path)
        parts = [there[part] for part in files if part in there]
        if parts and not claimed & set(parts):
            _claim(found, claimed, sorted(parts, key=natural_order))
            claimed.add(path)
        elif files and _is_companion(path):  # its files were claimed by another companion of the same
            claimed.add(path)
    for path in waiting:
        if path in claimed:
            continue
        header = read_header(path) if may_be_dicom(path) else None
        is_slide = path.suffix.lower() in suffixes and (header is None or header.is_slide)
        (found.slides if is_slide else found.others).append(path)
    found.slides.sort(key=natural_order)
    return found


def _claim(found: Contents, claimed: set[Path], parts: list[Path]) -> None:
    found.slides.append(parts[0])
    if len(parts) > 1:
        found.parts[parts[0]] = parts
    claimed.update(parts)


def _is_ome(path: Path) -> bool:
    return ".ome." in path.name.lower() or _is_companion(path)


def _is_companion(path: Path) -> bool:
    return path.name.lower().endswith(COMPANION_SUFFIXES)


def parts_of_slide(path: Path) -> Sequence[Path]:
    """The files of the slide that a file is, or is a part of."""
    if may_be_dicom(path) and read_header(path) is not None:
        return parts_of(path)
    return (spread_files(path) if _is_ome(path) else ()) or [path]


def folder_contents(folder: Path, suffixes: frozenset[str] = VIEWED_SUFFIXES) -> Contents:
    """What lies in a folder; where it holds only folders, the DICOM slides below it, as discs keep them.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    files = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    found = sort_out(files, suffixes)
    if not found.slides:
        for below in _folders_below(folder):
            deep = Contents()
            for parts in slides_of(path for path in below.iterdir() if path.is_file()):
                _claim(deep, set(), parts)
            found.slides += deep.slides
            found.parts |= deep.parts
    return found


def _folders_below(folder: Path, depth: int = 0, looked: list[int] | None = None) -> Iterator[Path]:
    looked = [0] if looked is None else looked
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return
    for path in folders:
        looked[0] += 1
        if looked[0] > MAX_FILES_LOOKED_AT or path.name.startswith("."):
            continue
        yield path
        if depth < _DEEPEST:
            yield from _folders_below(path, depth + 1, looked)
