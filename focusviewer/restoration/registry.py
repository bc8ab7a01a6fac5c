"""The restoration methods by name."""

from __future__ import annotations

from focusviewer.core.registry import ModelEntry, Registry
from focusviewer.restoration.base import Restorer

KIND = "restore"


def restorers() -> list[ModelEntry[Restorer]]:
    """Every restoration method, those to prefer first; ``ModelEntry`` and ``trained_entry`` make the lines."""
    return []


RESTORERS: Registry[Restorer] = Registry(KIND, "There is no restoration method {name}", restorers)


def get_restorer(name: str) -> Restorer:
    """Build a restoration method.

    Raises
    ------
    UserError
        If there is none of that name, or its weights are missing or unreadable.
    """
    return RESTORERS.get(name)
