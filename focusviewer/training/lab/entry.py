"""What can be trained, as one line of the catalogue: its name, how it is built, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.task import Task

_TEN_MINUTES = LabConfig(minutes=10)


@dataclass(frozen=True)
class NoSettings:
    """The settings of a task that has none of its own."""


@dataclass(frozen=True)
class TaskEntry:
    """One thing that can be trained.

    Attributes
    ----------
    task, model : str
        ``focusviewer train TASK --model MODEL``; the first entry of a task is what it trains without ``--model``.
    summary : str
        One line for people.
    build : (data folder or None, settings) -> Task
        Cheap: data are read in :meth:`Task.prepare`.
    settings : dataclass
        Defaults of the task's own settings, table ``[task]`` of a configuration file.
    defaults : LabConfig
        Defaults of everything else; has ``steps`` or ``minutes``.
    """

    task: str
    model: str
    summary: str
    build: Callable[[Path | None, Any], Task]
    settings: Any = NoSettings()
    defaults: LabConfig = _TEN_MINUTES
