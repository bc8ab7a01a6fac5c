"""Recipes: settings of training runs that are shipped, by the name of their task and their own."""

from __future__ import annotations

from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path

FOLDER = "recipes"


def recipes(task: str) -> dict[str, Path]:
    """The recipes of a task by name; ``recipes/TASK-NAME.toml`` in the program's resources."""
    found = sorted(resource_path(FOLDER).glob(f"{task}-*.toml"))
    return {path.stem.removeprefix(f"{task}-"): path for path in found}


def recipe_path(task: str, name: str) -> Path:
    """The settings file of a recipe.

    Raises
    ------
    UserError
        If the task has none of that name.
    """
    known = recipes(task)
    if name not in known:
        advice = f"Recipes of {task}: {', '.join(known)}." if known else "Leave --recipe out."
        raise UserError(f"{task} has no recipe {name!r}", "", advice)
    return known[name]
