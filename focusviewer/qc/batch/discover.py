"""Which files of a folder are slides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.slides.suffixes import SLIDE_SUFFIXES

_OF_MIRAX = "slidedat.ini"  # the file that tells a MIRAX slide's own folder


@dataclass
class Found:
    """What lies under some paths.

    Attributes
    ----------
    slides : list of Path
        Absolute, sorted, each once.
    failures : dict of Path to str
        What could not be looked at, and why.
    left_out : list of Path
        Files in folders that are not of a slide's kind.
    """

    slides: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)


def find_slides(paths: Iterable[Path], leave_out: Sequence[Path] = ()) -> Found:
    """Slides among files and in folders, however deep.

    A file named here is taken whatever its kind; in folders the name decides: pictures (PNG, JPEG ...) beside slides
    are thumbnails and labels. Hidden files, the parts of MIRAX slides and the folders in ``leave_out`` are passed over.

    Raises
    ------
    UserError
        If a path does not exist.
    """
    found = Found()
    skipped = {folder.absolute() for folder in leave_out}
    for named in paths:
        path = Path(os.path.normpath(Path(named).absolute()))
        if not os.path.lexists(path):
            raise UserError(f"Cannot find {named}", "there is no such file or folder", "Check the path.")
        if path.is_dir():
            _walk(path, skipped, found)
        else:
            found.slides.append(path)
    found.slides = sorted(set(found.slides) - _unnameable(found))
    found.left_out = sorted(set(found.left_out) - set(found.slides))
    return found


def _walk(root: Path, skipped: set[Path], found: Found) -> None:
    def closed(error: OSError) -> None:
        found.failures[Path(error.filename)] = f"Cannot look into {error.filename}: {error.strerror or error}."

    for folder, folders, names in os.walk(root, onerror=closed):
        here = Path(folder)
        if any(name.lower() == _OF_MIRAX for name in names) or here in skipped:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            is_slide = Path(name).suffix.lower() in SLIDE_SUFFIXES
            (found.slides if is_slide else found.left_out).append(here / name)


def _unnameable(found: Found) -> set[Path]:
    """Slides whose names are not text, which no list, table or report could hold; they become failures."""
    wrong = set()
    for path in found.slides:
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            wrong.add(path)
            shown = str(path).encode("utf-8", "backslashreplace").decode()
            found.failures[Path(shown)] = "Cannot keep the file's name: it is not valid UTF-8. Rename the file."
    return wrong
