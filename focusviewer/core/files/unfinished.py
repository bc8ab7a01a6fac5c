"""Files that are being written: their names say whose they are, so that what a killed program left can be removed.

A file or folder under way is called ``.NAME.fv-MACHINE-PROCESS-START-RANDOM.tmp.SUFFIX``. A later program removes one
only where the machine is its own and no such process runs any more. Where to look is noted by every process in a file
of its own in the cache folder.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

_NAME = re.compile(r"^\..*\.fv-([0-9a-f]{8})-(\d+)-([0-9a-f]+)-[0-9a-f]{8}\.tmp[^/\\]*$", re.DOTALL)
_NOTE = re.compile(r"^([0-9a-f]{8})-(\d+)-([0-9a-f]+)\.txt$")
_SAME_START_S = 60
"""A process of the same number that began this much earlier or later is another one."""

_lock = threading.Lock()
_noted: set[tuple[int, Path, Path]] = set()  # (process, notes, folder): forked processes note their own


def temporary_name(path: Path) -> Path:
    """A name beside ``path`` for what is to become it; keeps the suffix, so that writers which look at it work."""
    machine, process, start = _who()
    return path.with_name(f".{path.stem[:40]}.fv-{machine}-{process}-{start}-{uuid4().hex[:8]}.tmp{path.suffix}")


@contextmanager
def unfinished(path: Path, notes: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; what is there at the end is removed.

    Before the first file in a folder, what programs that were killed have left there is removed.

    Parameters
    ----------
    notes : Path
        Folder for the notes of where files are being written.
    """
    _note(path.absolute().parent, notes)
    temporary = temporary_name(path)
    try:
        yield temporary
    finally:
        _remove(temporary)


def remove_leftovers(notes: Path) -> None:
    """Remove what killed programs have left, wherever they noted that they wrote; never raises."""
    with suppress(OSError):
        for note in sorted(notes.glob("*.txt")):
            found = _NOTE.match(note.name)
            if found is None or not _is_gone(*found.groups()):
                continue
            with suppress(OSError):
                for folder in note.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
                    remove_leftovers_in(Path(folder))
                note.unlink()


def remove_leftovers_in(folder: Path) -> None:
    """Remove what killed programs of this machine have left in a folder; never raises."""
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".")]
        for name in names:
            found = _NAME.match(name)
            if found is not None and _is_gone(*found.groups()):
                _remove(folder / name)


def _remove(path: Path) -> None:
    """Remove a file or folder; an error is no reason to hide another."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _note(folder: Path, notes: Path) -> None:
    """Note that this process writes in a folder, once."""
    key = (os.getpid(), notes, folder)
    with _lock:
        if key in _noted:
            return
        _noted.add(key)
    with suppress(OSError):
        machine, process, start = _who()
        note = notes / f"{machine}-{process}-{start}.txt"
        notes.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            atexit.register(_remove, note)
        with note.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{folder}\n")
    remove_leftovers_in(folder)


def _who() -> tuple[str, int, str]:
    """Machine, process, and when it began, as names have them."""
    return _machine(), os.getpid(), _start_of(os.getpid())


@cache
def _machine() -> str:
    """Digits that tell machines apart, and containers of one machine, whose processes have other numbers."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


@cache
def _start_of(process: int) -> str:
    """Seconds since 1970, in hexadecimal digits."""
    import psutil

    return f"{int(psutil.Process(process).create_time()):x}"


def _is_gone(machine: str, process: str, start: str) -> bool:
    """Whether a process ran on this machine and has ended; when unsure it has not."""
    import psutil

    if machine != _machine():
        return False
    try:
        began: float = psutil.Process(int(process)).create_time()
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError, ValueError, OSError):
        return False
    return abs(began - int(start, 16)) > _SAME_START_S
