"""The tasks that ``focusviewer train TASK --model NAME`` knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
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


def entries() -> list[TaskEntry]:
    """Every task; one line for each module that has some."""
    from focusviewer.training.tasks.focus import dictionary
    from focusviewer.training.tasks.focus import focuslitenn as focus
    from focusviewer.training.tasks.focus import networks as focus_nets
    from focusviewer.training.tasks.fusion import task as fusion
    from focusviewer.training.tasks.radiance import task as radiance
    from focusviewer.training.tasks.refocus import baselines as refocus_baselines
    from focusviewer.training.tasks.refocus import selector as refocus
    from focusviewer.training.tasks.wsi_dists import distance as wsi_dists
    from focusviewer.training.tasks.wsi_dists import features as wsi_features

    return [
        *focus.entries(),
        *focus_nets.entries(),
        *fusion.entries(),
        *refocus.entries(),
        *radiance.entries(),
        *refocus_baselines.entries(),
        *wsi_features.entries(),
        *wsi_dists.entries(),
        *dictionary.entries(),
    ]


def find_entry(task: str, model: str | None = None) -> TaskEntry:
    """The entry of a task and model.

    Raises
    ------
    UserError
        If there is none.
    """
    known = entries()
    of_task = [entry for entry in known if entry.task == task]
    if not of_task:
        tasks = ", ".join(dict.fromkeys(entry.task for entry in known))
        advice = f"Tasks: {tasks}, detector."  # which has no steps
        raise UserError(f"Cannot train {task!r}", "there is no such task", advice)
    if model is None:
        return of_task[0]
    for entry in of_task:
        if entry.model == model:
            return entry
    names = ", ".join(entry.model for entry in of_task)
    raise UserError(f"Cannot train {task} model {model!r}", "there is no such model", f"Models: {names}.")


def build(entry: TaskEntry, data: Path | None, settings: Any) -> Task:
    """Make the task of an entry; its settings and command line become known to the run."""
    task = entry.build(data, settings)
    task.settings = settings
    task.defaults = (entry.defaults, entry.settings)
    first = find_entry(entry.task)
    task.command = f"focusviewer train {entry.task}" + ("" if entry.model == first.model else f" --model {entry.model}")
    return task
