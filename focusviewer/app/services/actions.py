"""Every command of the window as one record: menus, toolbar, keys and the shortcut sheet all come from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Scope = Literal["window", "viewport"]


@dataclass(frozen=True)
class ActionRecord:
    """One command.

    Parameters
    ----------
    id : str
        ``group.name``; the group is the menu it stands in.
    text : str
        Menu text.
    callback : callable
        Takes nothing, or the new state (bool) when ``checkable``.
    icon : str
        Name of an SVG in resources/icons, or empty.
    shortcuts : tuple of str
        Keys in Qt's portable text.
    scope : {"window", "viewport"}
        Where the keys work: anywhere in the window, or only while the picture has the focus.
    """

    id: str
    text: str
    callback: Callable[..., Any] = field(repr=False)
    icon: str = ""
    shortcuts: tuple[str, ...] = ()
    tip: str = ""
    checkable: bool = False
    checked: bool = False
    scope: Scope = "window"
    menu: bool = True
    separator: bool = False  # a line above it in the menu

    @property
    def group(self) -> str:
        """The menu the command belongs to."""
        return self.id.partition(".")[0]


class ActionRegistry:
    """The commands in menu order; ids and shortcuts are unique."""

    def __init__(self) -> None:
        self._records: dict[str, ActionRecord] = {}
        self._keys: dict[str, str] = {}

    def add(self, record: ActionRecord) -> None:
        """Register a command.

        Raises
        ------
        ValueError
            If its id or one of its shortcuts is taken.
        """
        if record.id in self._records:
            raise ValueError(f"action {record.id} is already registered")
        for key in record.shortcuts:
            if key in self._keys:
                raise ValueError(f"shortcut {key} of {record.id} belongs to {self._keys[key]}")
            self._keys[key] = record.id
        self._records[record.id] = record

    def __getitem__(self, action_id: str) -> ActionRecord:
        return self._records[action_id]

    def __iter__(self) -> Iterator[ActionRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def groups(self) -> dict[str, list[ActionRecord]]:
        """Commands by menu, in the order they were registered."""
        groups: dict[str, list[ActionRecord]] = {}
        for record in self:
            groups.setdefault(record.group, []).append(record)
        return groups
