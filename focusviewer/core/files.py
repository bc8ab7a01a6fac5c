"""Where the program keeps things, and how it writes files without losing any."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from pathlib import Path
from uuid import uuid4

import platformdirs

from focusviewer.core.errors import UserError

_weights_folder: ContextVar[Path | None] = ContextVar("weights_folder", default=None)


def cache_dir() -> Path:
    """Folder for things that can be made again (demo slide, focus maps); made on first use.

    ``FOCUSVIEWER_CACHE`` overrides the user's cache folder.
    """
    path = Path(os.environ.get("FOCUSVIEWER_CACHE") or platformdirs.user_cache_dir("focusviewer", appauthor=False))
    path.mkdir(parents=True, exist_ok=True)
    return path


def config_dir() -> Path:
    """Folder for what the user has told us (settings, slide scales); ``FOCUSVIEWER_CONFIG`` overrides it."""
    path = Path(os.environ.get("FOCUSVIEWER_CONFIG") or platformdirs.user_config_dir("focusviewer", appauthor=False))
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


def output_folder(path: Path) -> Path:
    """Make a folder for results, or say clearly why that cannot be done.

    Raises
    ------
    UserError
        If the folder cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = "it is a file, not a folder" if path.is_file() else error.strerror or str(error)
        raise _no_output_folder(path, reason) from error
    return path


def check_output_folder(path: Path) -> Path:
    """Say clearly why a folder for results cannot be made or written to, without making it.

    For what is checked before the input is: a wrong input must leave nothing behind.

    Raises
    ------
    UserError
        As :func:`output_folder`.
    """
    there = path
    try:
        there = next((folder for folder in (path, *path.absolute().parents) if _exists(folder)), path)
        if there.is_dir():
            with tempfile.TemporaryFile(dir=there):
                return path
        reason = "it is a file, not a folder" if there == path else f"{there} is a file, not a folder"
    except OSError as error:
        reason = error.strerror or str(error)
    raise _no_output_folder(path, reason)


def _no_output_folder(path: Path, reason: str) -> UserError:
    return UserError(f"Cannot write to {path}", reason, "Choose another output folder.")


def _exists(path: Path) -> bool:
    """Whether something is there; raises OSError where that cannot be found out, or the name is too long."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` only when the block ends well.

    The temporary file keeps the suffix, so that writers which look at it work.

    Raises
    ------
    UserError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"Cannot write {path}", reason, "Choose another output file.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_safetensors(path: Path, data: bytes) -> None:
    """Write a safetensors file such that equal tensors and metadata give equal bytes.

    The library writes the metadata in an order that changes from one program to the next.

    Parameters
    ----------
    data : bytes
        What ``safetensors.torch.save`` or ``safetensors.numpy.save`` returns.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of eight bytes
    with atomic_write(path) as temporary:
        temporary.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])


def natural_order(path: Path | str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A key to sort file names by as people do, numbers by their value and letters without regard to their size.

    ``img_2`` comes before ``IMG_10``.
    """
    text = str(path)
    parts = re.split(r"(\d+)", text.casefold())
    return tuple((int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)), text
