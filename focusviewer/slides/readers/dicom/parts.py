"""Which DICOM files of a folder are one slide; archives deliver levels, label and reports as a file each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from focusviewer.core.errors import SlideError
from focusviewer.core.files import natural_order
from focusviewer.slides.base import DamagedError
from focusviewer.slides.files.limits import MAX_FILES_LOOKED_AT
from focusviewer.slides.files.suffixes import PICTURE_SUFFIXES, SLIDE_SUFFIXES
from focusviewer.slides.readers.dicom.header import DIRECTORY_CLASS, DicomHeader, read_header

_OTHER_KINDS = frozenset(
    {
        ".txt", ".csv", ".json", ".xml", ".html", ".pdf", ".zip", ".gz", ".ini", ".dat", ".sqlite", ".md", ".py",
        *(SLIDE_SUFFIXES | PICTURE_SUFFIXES) - {".dcm"},
    }
)  # fmt: skip
_MODALITIES = {"SR": "a report", "SEG": "a segmentation", "ANN": "annotations", "PR": "a presentation state",
               "DOC": "a document", "KO": "a list of images"}  # fmt: skip


def may_be_dicom(path: Path) -> bool:
    """Whether a file's name leaves it open that it is DICOM; names need no suffix, and UIDs look as if they had one."""
    return path.suffix.lower() not in _OTHER_KINDS


def slides_of(paths: Iterable[Path]) -> list[list[Path]]:
    """The slides among some files of one folder: the files of each, its first level first.

    Files that are no part of a slide (reports, other files) are left out.
    """
    found: dict[str, list[tuple[Path, DicomHeader]]] = {}
    for number, path in enumerate(sorted(paths, key=natural_order)):
        if number >= MAX_FILES_LOOKED_AT:
            break
        header = read_header(path) if may_be_dicom(path) else None
        if header is not None and header.is_slide:
            found.setdefault(header.series_uid or f"file {path}", []).append((path, header))
    slides = []
    for parts in found.values():
        parts.sort(key=lambda part: part[1].flavor != "VOLUME")  # stable: by name within
        slides.append([path for path, _ in parts])
    return slides


def parts_of(path: Path) -> list[Path]:
    """The files of the slide that a DICOM file belongs to, a level first; the file alone when nothing else does."""
    header = read_header(path)
    if header is None or not header.is_slide or not header.series_uid:
        return [path]
    try:
        there = [other for other in path.parent.iterdir() if other.is_file()]
    except OSError:
        return [path]
    return next((slide for slide in slides_of(there) if path in slide), [path])


def by_uid(parts: Iterable[Path]) -> list[Path]:
    """Files in the order of their instance UIDs, which no renaming changes."""
    headers = {path: read_header(path) for path in parts}
    return sorted(headers, key=lambda path: header.instance_uid if (header := headers[path]) is not None else "")


def has_several_planes(parts: Iterable[Path]) -> bool:
    """Whether a slide may have several focal planes: in one file, or in a file each."""
    sizes = set()
    for header in (read_header(path) for path in parts):
        if header is None or header.flavor != "VOLUME":
            continue
        key = header.columns, header.rows
        if header.focal_planes > 1 or (key in sizes and not header.concatenation_uid):
            return True
        sizes.add(key)
    return False


def refuse_others(path: Path) -> None:
    """Say what a DICOM file is when it is no part of a slide.

    Raises
    ------
    SlideError
    """
    header = read_header(path)
    if header is None or header.is_slide:
        return
    if header.sop_class == DIRECTORY_CLASS:
        raise DamagedError(
            f"Cannot open {path.name}", "it is a list of DICOM files (DICOMDIR)", "Open the folder it lies in."
        )
    other = f"a DICOM file of another kind (modality {header.modality or 'not stated'})"
    kind = _MODALITIES.get(header.modality, other)
    others = slides_of(path.parent.iterdir()) if path.parent.is_dir() else []
    advice = f"Open {others[0][0].name} beside it." if others else "Slides are DICOM files of modality SM."
    raise DamagedError(f"Cannot open {path.name}", f"it is {kind}, not a slide", advice)


def no_extra(path: Path) -> SlideError:
    """The error for a slide that needs the library of the extra."""
    return DamagedError(
        f"Cannot open {path.name}",
        "it is a DICOM slide with several focal planes, and the wsidicom library that reads those is not installed",
        "Install it: pip install 'focusviewer[dicom]'.",
    )
