"""Work on one file that can be done in another process or on another machine, and the answer to it."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from focusviewer.core.errors import UserError


class Task(Protocol):
    """Something to do with a file; picklable, and its result as well."""

    @property
    def path(self) -> Path:
        """The file."""

    def prepare(self) -> None:
        """Load what takes long and is no work on this file: its clock does not run yet."""

    def run(self) -> Any:
        """Do it; a UserError says why the file cannot be done, an OutputError why nothing can."""


class OutputError(UserError):
    """Results cannot be written: not the slide's fault, and a reason to end the batch."""


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    Attributes
    ----------
    value : object
        What ``run`` returned; None when it failed.
    failure : str
        Why this file cannot be done; empty when it could.
    fatal : str
        Why no file can be done (results cannot be written); empty otherwise.
    seconds : float
        Wall time.
    """

    value: Any = None
    failure: str = ""
    fatal: str = ""
    seconds: float = 0.0


def perform(task: Task) -> Answer:
    """Run a task; whatever goes wrong becomes part of the answer."""
    started = time.perf_counter()
    try:
        value = task.run()
    except OutputError as error:
        return Answer(fatal=str(error))
    except UserError as error:
        return Answer(failure=str(error))
    except MemoryError:
        return Answer(failure=f"Cannot judge {task.path.name}: there was not enough memory.")
    except Exception as error:  # damaged files upset parsers in every way; one must not stop a night's work
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Answer(failure=f"Cannot judge {task.path.name}: an error of the program ({text}).")
    return Answer(value, seconds=time.perf_counter() - started)


def output_error(folder: Path, error: BaseException) -> OutputError:
    """Why results cannot be written to a folder, from whatever was raised when they were."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "the disk is full" if full else (getattr(cause, "strerror", None) or str(cause or error))
    advice = "Free some space" if full else "Mend that"
    return OutputError(f"Cannot write results to {folder}", why, f"{advice}, then go on with --resume.")
