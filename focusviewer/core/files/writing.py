"""Writing files without losing any: whole, or not at all."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files.places import cache_dir
from focusviewer.core.files.unfinished import remove_leftovers, unfinished


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

    The temporary file keeps the suffix, so that writers which look at it work; what a killed program left of such
    files is removed by the next one (see :mod:`focusviewer.core.files.unfinished`).

    Raises
    ------
    UserError
        If the folder does not exist or cannot be written to.
    """
    path = Path(path)
    with unfinished_file(path) as temporary:
        try:
            yield temporary
            temporary.replace(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"Cannot write {path}", reason, "Choose another output file.") from error


@contextmanager
def building_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in ``parent``, to be filled and renamed; where it still has its name at the end it is removed.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    with unfinished(output_folder(parent) / "making", _notes()) as folder:
        yield output_folder(folder)


def unfinished_file(path: Path) -> AbstractContextManager[Path]:
    """A temporary name beside ``path`` for whoever gives it its final name in another way than :func:`atomic_write`."""
    return unfinished(path, _notes())


def clean_up() -> None:
    """Remove the unfinished files of programs that were killed; to be called when a program starts."""
    remove_leftovers(_notes())


def _notes() -> Path:
    return cache_dir() / "unfinished"


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
