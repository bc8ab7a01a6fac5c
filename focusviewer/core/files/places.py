"""Where the program keeps things."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import resources
from pathlib import Path

import platformdirs

_weights_folder: ContextVar[Path | None] = ContextVar("weights_folder", default=None)


def cache_dir() -> Path:
    """Folder for things that can be made again (demo slide, focus maps); made on first use.

    ``FOCUSVIEWER_CACHE`` overrides the user's cache folder. Where it cannot be made, writing into it says so.
    """
    path = Path(os.environ.get("FOCUSVIEWER_CACHE") or platformdirs.user_cache_dir("focusviewer", appauthor=False))
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path


def config_dir() -> Path:
    """Folder for what the user has told us (settings, slide scales); ``FOCUSVIEWER_CONFIG`` overrides it.

    Where it cannot be made, writing into it says so.
    """
    path = Path(os.environ.get("FOCUSVIEWER_CONFIG") or platformdirs.user_config_dir("focusviewer", appauthor=False))
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path


def resource_path(*parts: str) -> Path:
    """Path of a file shipped with the program (``resources/`` in the source tree and in the wheel).

    Raises
    ------
    FileNotFoundError
        If the installation lacks it.
    """
    folder = _weights_folder.get()
    if folder is not None and parts[0] == "weights" and folder.joinpath(*parts[1:]).exists():
        return folder.joinpath(*parts[1:])
    packaged = Path(str(resources.files("focusviewer"))) / "resources"
    source = packaged.parent.parent / "resources"
    for root in (packaged, source):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"resource {'/'.join(parts)} is missing from this installation")


@contextmanager
def weights_from(folder: Path) -> Iterator[None]:
    """Inside the block, models built by name take their weights from ``folder`` where it has them."""
    token = _weights_folder.set(folder)
    try:
        yield
    finally:
        _weights_folder.reset(token)
