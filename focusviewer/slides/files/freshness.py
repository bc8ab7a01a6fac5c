"""Whether the files of an open slide are still those that were opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Facts = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Stamp:
    """What tells that a file was written anew: its size and time of change; of a folder the names in it.

    Attributes
    ----------
    facts : tuple of (path, bytes or -1 for a folder, nanoseconds)
    problem : str
        Why a file cannot be looked at or read; empty when all can.
    """

    facts: Facts = ()
    problem: str = ""


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Look at files and folders; takes as long as their disk or network does."""
    facts: list[tuple[str, int, int]] = []
    for path in files:
        try:
            status = path.stat()
            if not stat.S_ISDIR(status.st_mode):
                facts.append((str(path), status.st_size, status.st_mtime_ns))
            else:
                facts += [(str(each), -1, 0) for each in sorted(path.iterdir()) if not each.name.startswith(".")]
            if not os.access(path, os.R_OK):
                return Stamp(problem="you are not allowed to read it any more")
        except FileNotFoundError:
            return Stamp(problem="it is not there any more")
        except OSError as error:
            return Stamp(problem=error.strerror or str(error))
    return Stamp(tuple(facts))
