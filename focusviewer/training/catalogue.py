"""The tasks that ``focusviewer train TASK --model NAME`` knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.evaluator import Evaluator
from focusviewer.training.lab.task import Task
from focusviewer.training.tasks.focus import classifiers, dictionary, focuslitenn, networks
from focusviewer.training.tasks.fusion import task as fusion
from focusviewer.training.tasks.radiance import task as radiance
from focusviewer.training.tasks.refocus import baselines, learned, selector
from focusviewer.training.tasks.wsi_dists import distance, features


def entries() -> list[TaskEntry]:
    """Every task; one line for each module that has some."""
    return [
        *focuslitenn.entries(),
        *networks.entries(),
        *classifiers.entries(),
        *fusion.entries(),
        *selector.entries(),
        *learned.entries(),
        *radiance.entries(),
        *baselines.entries(),
        *features.entries(),
        *distance.entries(),
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


def build(entry: TaskEntry, data: Path | None, settings: Any, evaluator: Evaluator | None = None) -> Task:
    """Make the task of an entry; its settings and command line become known to the run.

    Parameters
    ----------
    evaluator : Evaluator, optional
        Gives the figures of its model cards that are taken on whole slides and fields; without it cards lack them.
    """
    task = entry.build(data, settings)
    task.evaluator = evaluator
    task.settings = settings
    task.defaults = (entry.defaults, entry.settings)
    first = find_entry(entry.task)
    task.command = f"focusviewer train {entry.task}" + ("" if entry.model == first.model else f" --model {entry.model}")
    return task
