"""One batch at a time in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from focusviewer.core.errors import UserError

LOCK_NAME = ".batch.lock"


@contextmanager
def batch_lock(folder: Path) -> Iterator[None]:
    """Hold the folder against other batches; the system lets go of it when the program ends, however it ends.

    File systems that know no locks are taken as they are.

    Raises
    ------
    UserError
        If another batch is at work in the folder.
    """
    with (folder / LOCK_NAME).open("a+b") as file:
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError) as error:
            why, advice = "another batch is at work there", "Wait for it, or choose another folder with --out."
            raise UserError(f"Cannot work in {folder}", why, advice) from error
        except OSError:
            pass
        yield


def _lock(handle: int) -> None:
    if sys.platform == "win32":  # pragma: no cover - Windows only
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
