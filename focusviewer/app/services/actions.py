"""Every command of the window as one record with a key; what offers them (menus, toolbar, sheets) lists keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Scope = Literal["window", "viewport"]
Needs = Literal["", "slide", "worklist"]


@dataclass(frozen=True)
class Switch:
    """A field of a state that a command switches: it is checked while the field has the value ``on``."""

    state: Any
    name: str
    on: Any = True
    off: Any = False


@dataclass(frozen=True)
class ActionRecord:
    """One command.

    Parameters
    ----------
    key : str
        ``group.name``, unique.
    text : str
        Menu text.
    callback : callable, optional
        Takes nothing. Not needed where there is a ``switch``.
    icon : str
        Name of an SVG in resources/icons, or empty.
    shortcuts : tuple of str
        Keys in Qt's portable text.
    needs : {"", "slide", "worklist"}
        What must be open for it to make sense.
    scope : {"window", "viewport"}
        Where the keys work: anywhere in the window, or only while the picture has the focus.
    switch : Switch, optional
        What it switches on and off; such a command can be checked.
    """

    key: str
    text: str
    callback: Callable[[], Any] | None = field(default=None, repr=False)
    icon: str = ""
    shortcuts: tuple[str, ...] = ()
    tip: str = ""
    needs: Needs = ""
    scope: Scope = "window"
    switch: Switch | None = field(default=None, repr=False)


class ActionRegistry:
    """The commands by key; keys and shortcuts are unique."""

    def __init__(self) -> None:
        self._records: dict[str, ActionRecord] = {}
        self._shortcuts: dict[str, str] = {}

    def add(self, *records: ActionRecord) -> None:
        """Register commands.

        Raises
        ------
        ValueError
            If a key or one of the shortcuts is taken.
        """
        for record in records:
            if record.key in self._records:
                raise ValueError(f"action {record.key} is already registered")
            for shortcut in record.shortcuts:
                if shortcut in self._shortcuts:
                    raise ValueError(f"shortcut {shortcut} of {record.key} belongs to {self._shortcuts[shortcut]}")
                self._shortcuts[shortcut] = record.key
            self._records[record.key] = record

    def __getitem__(self, key: str) -> ActionRecord:
        return self._records[key]

    def __iter__(self) -> Iterator[ActionRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def listed(self, keys: Iterable[str]) -> list[ActionRecord]:
        """The records of a list of keys, without its separators and what is no command."""
        return [self._records[key] for key in keys if key in self._records]
