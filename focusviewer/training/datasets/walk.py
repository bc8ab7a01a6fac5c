"""Files of a data set's folder: listed once, every one of them accounted for."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from focusviewer.training.datasets.records import DatasetError, Finding

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
INDEXES = frozenset({".txt", ".csv"})
_PLAIN = frozenset({"readme", "license", "licence", "citation", "changelog", "manifest"})
_JUNK = frozenset({"thumbs.db", "desktop.ini"})
_PACKED = frozenset({".zip", ".gz", ".tgz", ".rar", ".7z", ".pdf", ".md"})


def files_below(root: Path) -> list[Path]:
    """All files below a folder in order of their paths; hidden ones are left out.

    Raises
    ------
    DatasetError
        If the folder does not exist or cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DatasetError(f"Cannot read {error.filename}", error.strerror or str(error), "Check its permissions.")

    if not root.exists():
        raise DatasetError(f"Cannot read {root}", "there is no such folder", "Check the path.")
    found = []
    for folder, names, files in os.walk(root, onerror=refuse):
        names[:] = sorted(name for name in names if not name.startswith((".", "__MACOSX")))
        found += [Path(folder) / name for name in files if not name.startswith(".")]
    return sorted(found)


def text_lines(path: Path) -> list[str]:
    """Lines of an index file.

    Raises
    ------
    DatasetError
        If it is not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read {path}", f"it is not a text file ({error})", "Download it again.") from error


def unknown_files(
    files: Iterable[Path], claimed: Iterable[Path], what: str = "not part of the published layout"
) -> Iterator[Finding]:
    """A warning for every folder with files that the published layout does not know."""
    known = set(claimed)
    strange: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        plain = path.stem.lower().split("_")[0] in _PLAIN or path.name.lower() in _JUNK
        if path not in known and not plain and path.suffix.lower() not in _PACKED:
            strange[path.parent].append(path)
    for paths in strange.values():
        more = f" and {len(paths) - 1} more in its folder" if len(paths) > 1 else ""
        yield Finding("warning", paths[0], f"is {what}{more}; not used")
