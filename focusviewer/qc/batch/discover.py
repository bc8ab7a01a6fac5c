"""Which files of a folder are slides."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.slides.readers.contents import sort_out

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
    parts : dict of Path to list of Path
        All files of the slides that have several, by the one in ``slides``.
    """

    slides: list[Path] = field(default_factory=list)
    failures: dict[Path, str] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)
    parts: dict[Path, list[Path]] = field(default_factory=dict)


def find_slides(paths: Iterable[Path], leave_out: Sequence[Path] = ()) -> Found:
    """Slides among files and in folders, however deep.

    A file named here is taken whatever its kind; in folders the name decides: pictures (PNG, JPEG ...) beside slides
    are thumbnails and labels. The files of one slide (DICOM instances, OME stacks in several files) count as one.
    Hidden files, the parts of MIRAX slides and the folders in ``leave_out`` are passed over; linked folders are
    followed, and each is looked into once.

    Raises
    ------
    UserError
        If a path does not exist.
    """
    found, named_files = Found(), []
    skipped = {folder.absolute() for folder in leave_out}
    seen: set[_Place] = set()
    for named in paths:
        path = Path(os.path.normpath(Path(named).absolute()))
        if not os.path.lexists(path):
            raise UserError(f"Cannot find {named}", "there is no such file or folder", "Check the path.")
        if path.is_dir():
            _walk(path, skipped, seen, found)
        else:
            named_files.append(path)
    several = sort_out(named_files)
    found.parts |= several.parts
    of_others = {part for parts in several.parts.values() for part in parts[1:]}
    found.slides += [path for path in named_files if path not in of_others]
    found.slides = sorted(set(found.slides) - _unnameable(found))
    found.left_out = sorted(set(found.left_out) - set(found.slides))
    return found


_Place = tuple[int, int]  # of a folder on its disk, whatever it is called


def _walk(root: Path, skipped: set[Path], seen: set[_Place], found: Found) -> None:
    """Look into a folder and those below it; linked ones come last, and no folder is looked into twice."""

    def closed(error: OSError) -> None:
        found.failures[Path(error.filename)] = f"Cannot look into {error.filename}: {error.strerror or error}."

    waiting = [root]
    while waiting:
        for folder, folders, names in os.walk(waiting.pop(0), onerror=closed):
            here = Path(folder)
            if any(name.lower() == _OF_MIRAX for name in names) or here in skipped or not _is_new(here, seen):
                folders.clear()
                continue
            inside = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in inside if (here / name).is_symlink()]
            waiting += [here / name for name in links]
            folders[:] = [name for name in inside if name not in links]
            contents = sort_out(here / name for name in names if not name.startswith("."))
            found.slides += contents.slides
            found.parts |= contents.parts
            found.left_out += contents.others


def _is_new(folder: Path, seen: set[_Place]) -> bool:
    """Whether a folder was not looked into before, by this name or another."""
    try:
        status = folder.stat()
    except OSError:  # looking into it says why
        return True
    place = status.st_dev, status.st_ino
    known = place in seen
    seen.add(place)
    return not known


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
