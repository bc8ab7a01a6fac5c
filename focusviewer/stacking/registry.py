"""The stacking methods by name."""

from __future__ import annotations

from focusviewer.core.registry import ModelEntry, Registry
from focusviewer.stacking.base import Stacker

KIND = "stack"


def stackers() -> list[ModelEntry[Stacker]]:
    """Every stacking method, those to prefer first; ``ModelEntry`` and ``trained_entry`` make the lines."""
    return []


STACKERS: Registry[Stacker] = Registry(KIND, "There is no stacking method {name}", stackers)


def get_stacker(name: str) -> Stacker:
    """Build a stacking method.

    Raises
    ------
    UserError
        If there is none of that name, or its weights are missing or unreadable.
    """
    return STACKERS.get(name)
