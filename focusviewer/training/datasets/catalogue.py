"""The data sets we can read, where to get them, and which of them lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from focusviewer.training.datasets import stacks
from focusviewer.training.datasets.base import About, Dataset
from focusviewer.training.datasets.readers import bbbc006, deepfocus, focuspath, kimia, path_dt_msu, tcga_focus
from focusviewer.training.datasets.records import DatasetError

ROOT_VARIABLE = "FOCUSVIEWER_DATASETS"
_LOOK_DEPTH = 3
_LOOK_ENTRIES = 300


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue: how to read it, and how to tell it by its folder's name or by what is inside.

    ``names`` are compared in lower case without anything but letters and digits.
    """

    about: About
    load: Callable[[Path], Dataset]
    names: tuple[str, ...]
    looks_like: Callable[[Path], bool]


def _has(path: Path, wanted: Callable[[Path], bool]) -> bool:
    return any(wanted(entry) for entry in _glance(path))


def _glance(folder: Path, depth: int = _LOOK_DEPTH) -> Iterator[Path]:
    """Some of what lies below a folder: enough to recognise a layout, never all of a large one."""
    try:
        entries = list(islice(folder.iterdir(), _LOOK_ENTRIES))
    except OSError:
        return
    yield from entries
    if depth > 1:
        for entry in islice((entry for entry in sorted(entries) if entry.is_dir()), 8):
            yield from _glance(entry, depth - 1)


def _deepfocus(path: Path) -> bool:
    if path.suffix.lower() in deepfocus.HDF5:
        return True
    offsets = {entry.name for entry in _glance(path, 2) if entry.is_dir() and deepfocus.OFFSET.fullmatch(entry.name)}
    return len(offsets) >= 3


def _masked(path: Path) -> bool:
    folders = {entry.name.lower() for entry in _glance(path, 1) if entry.is_dir()}
    return "images" in folders and bool(folders & path_dt_msu.MASKS)


CATALOGUE = (
    Entry(
        focuspath.ABOUT,
        focuspath.load,
        ("focuspath",),
        lambda path: _has(path, lambda entry: focuspath.NAME.fullmatch(entry.name) is not None),
    ),
    Entry(
        tcga_focus.ABOUT,
        tcga_focus.load,
        ("tcgafocus",),
        lambda path: _has(path, lambda entry: entry.is_dir() and tcga_focus.FOLDERS.fullmatch(entry.name) is not None),
    ),
    Entry(deepfocus.ABOUT, deepfocus.load, ("deepfocus",), _deepfocus),
    Entry(
        bbbc006.ABOUT,
        bbbc006.load,
        ("bbbc006", "bbbc006v1"),
        lambda path: _has(path, lambda entry: bbbc006.FOLDER.fullmatch(entry.name) is not None),
    ),
    Entry(
        path_dt_msu.ABOUT, path_dt_msu.load, ("pathdtmsu", "pathdtmsuwss1", "pathdtmsuwss2", "wss1", "wss2"), _masked
    ),
    Entry(
        kimia.ABOUT,
        kimia.load,
        ("kimiapath24", "kimiapath24c", "path24", "path24c"),
        lambda path: _has(
            path, lambda entry: entry.is_dir() and entry.name.lower() in ("test-patches", "test_patches")
        ),
    ),
)
"""The published data sets; anything else is read as stacks."""


def datasets_root(path: Path | None = None) -> Path | None:
    """The folder of data sets: the one given, else ``FOCUSVIEWER_DATASETS``, else None.

    Raises
    ------
    DatasetError
        If it does not exist.
    """
    chosen = path if path is not None else Path(value) if (value := os.environ.get(ROOT_VARIABLE)) else None
    if chosen is not None and not chosen.exists():
        where = "" if path is not None else f" ({ROOT_VARIABLE})"
        raise DatasetError(f"Cannot read {chosen}{where}", "there is no such folder", "Check the path.")
    return chosen


def recognise(path: Path) -> Entry | None:
    """Which published data set lies in a folder (or file): by its name, else by its layout."""
    return _by_name(path) or next((entry for entry in CATALOGUE if entry.looks_like(path)), None)


def _by_name(path: Path) -> Entry | None:
    plain = "".join(letter for letter in path.stem.lower() if letter.isalnum())
    return next((entry for entry in CATALOGUE if plain in entry.names and path.is_dir()), None)


def open_dataset(path: Path, name: str | None = None, *, strict: bool = True) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    path : Path
        Its folder (DeepFocus: or its file).
    name : str, optional
        Which one it is (``focuspath``, ``tcga-focus``, ``deepfocus``, ``bbbc006``, ``path-dt-msu``,
        ``kimia-path24``, ``stacks``); recognised by itself when not given, as stacks when nothing else fits.
    strict : bool
        Refuse a data set with errors; else they are only among its findings.

    Raises
    ------
    DatasetError
        If there is nothing to read, or, when strict, something is wrong; names the file.
    """
    if not path.exists():
        raise DatasetError(f"Cannot read {path}", "there is no such file or folder", "Check the path.")
    entry = _entry(name) if name is not None else recognise(path)
    dataset = entry.load(path) if entry is not None else stacks.load(path)
    if strict and dataset.errors:
        first, more = dataset.errors[0], len(dataset.errors) - 1
        tail = f" (and {more} more)" if more else ""
        raise DatasetError(
            f"{dataset.about.title}: {first.path}", f"{first.text}{tail}", "See: focusviewer datasets PATH --check"
        )
    if not dataset.records and not dataset.errors:
        raise DatasetError(
            f"{path} holds nothing of {dataset.about.title}", "no file fits its published layout", "Check the path."
        )
    return dataset


def find_datasets(root: Path) -> list[tuple[Path, Entry | None]]:
    """Data sets in a folder: each of its sub-folders (and HDF5 files), or the folder itself as one.

    Returns
    -------
    list of (path, entry)
        ``entry`` is None for folders that are no published data set; they may hold stacks.
    """
    children = [(child, recognise(child)) for child in _children(root)]
    kinds = {entry.about.name for _, entry in children if entry is not None}
    # The parts of one data set look like that data set, so that only names and variety tell a folder of several.
    several = len(kinds) > 1 or any(_by_name(child) is not None for child, _ in children)
    own = _by_name(root) or (None if several else recognise(root))
    if own is not None or not kinds:
        return [(root, own)]
    return children


def _children(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(
        path
        for path in root.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix.lower() in deepfocus.HDF5)
    )


def _entry(name: str) -> Entry | None:
    if name == stacks.ABOUT.name:
        return None
    for entry in CATALOGUE:
        if entry.about.name == name:
            return entry
    names = ", ".join([*(entry.about.name for entry in CATALOGUE), stacks.ABOUT.name])
    raise DatasetError(f"There is no data set {name!r}", "", f"Choose one of: {names}.")
