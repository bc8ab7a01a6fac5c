"""Models by name: focus models, refocusing engines, stacking and restoration methods share one registry.

A registry is light: it imports no model and reads no weights until one is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from focusviewer.core.errors import UserError
from focusviewer.core.weights import REINSTALL, find_weights, missing_weights


class Model(Protocol):
    """What every model says of itself once it is built."""

    name: str
    version: str
    """Changes when weights or code change what it gives."""

    def parameters(self) -> int:
        """Number of trained parameters."""
        ...


T = TypeVar("T", bound=Model)


@dataclass(frozen=True)
class ModelEntry(Generic[T]):
    """One line of a registry: how to build a model, and what is known of it before that.

    Attributes
    ----------
    name : str
        What people call it by.
    kind : str
        "focus", "refocus", "refocus-baseline", "restore" or "stack".
    factory : callable
        Builds it; :meth:`build` looks first whether its weights are there.
    summary : str
        What it is, in one line.
    weights : Path or None
        Its weights file; None when it needs none, or this installation lacks it.
    trained : bool
        True when it cannot work without weights.
    is_slow : bool
        True when it takes seconds for what is on screen: it is then worked piece by piece, and stopped when something
        else is wanted.
    file, advice : str
        The weights file by its name, and what to do when it is missing.
    """

    name: str
    kind: str
    factory: Callable[[], T] = field(compare=False)
    summary: str
    weights: Path | None = None
    trained: bool = False
    is_slow: bool = False
    file: str = ""
    advice: str = REINSTALL

    @property
    def available(self) -> bool:
        """Whether the model can run now: it needs no weights, or they are there."""
        return not self.trained or (self.weights is not None and self.weights.exists())

    def build(self) -> T:
        """Build the model.

        Raises
        ------
        UserError
            If its weights are missing or unreadable.
        """
        if not self.available:
            raise missing_weights(self.name, self.file or f"{self.name}.safetensors", self.advice)
        return self.factory()


AnyEntry: TypeAlias = ModelEntry[Any]
"""An entry of any kind, for code that lists or evaluates models of all kinds."""


def trained_entry(
    name: str,
    kind: str,
    factory: Callable[[Path], T],
    summary: str,
    *,
    file: str = "",
    advice: str = REINSTALL,
    is_slow: bool = False,
) -> ModelEntry[T]:
    """The entry of a model that is built from a weights file.

    Parameters
    ----------
    factory : callable
        Builds the model from the path of its weights.
    file : str
        Weights file inside ``resources/weights``; ``<name>.safetensors`` when empty.
    """
    file = file or f"{name}.safetensors"
    weights = find_weights(file)

    def build() -> T:
        assert weights is not None  # ModelEntry.build has checked that they are there
        return factory(weights)

    return ModelEntry(name, kind, build, summary, weights, True, is_slow, file, advice)


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The models of one kind.

    Attributes
    ----------
    kind : str
        The word in ``focusviewer models``.
    unknown : str
        The message for a name that is not there; ``{name}`` stands for it in quotes.
    offered : callable
        Lists the entries that people choose from, those to prefer first. Called every time, because weights may be
        taken from another folder for a while.
    others : callable
        Lists entries that are found by name only.
    """

    kind: str
    unknown: str
    offered: Callable[[], Sequence[ModelEntry[T]]]
    others: Callable[[], Sequence[ModelEntry[T]]] = tuple

    def entries(self) -> list[ModelEntry[T]]:
        """The entries that people choose from."""
        return list(self.offered())

    def every_entry(self) -> list[ModelEntry[T]]:
        """All entries, those that are found by name only included."""
        return [*self.offered(), *self.others()]

    def entry(self, name: str) -> ModelEntry[T]:
        """The entry of a name.

        Raises
        ------
        UserError
            If there is none; it lists the names and suggests the nearest one.
        """
        for found in self.every_entry():
            if found.name == name:
                return found
        names = [offered.name for offered in self.offered()]
        close = get_close_matches(name, names, 1)
        hint = f"Did you mean {close[0]}? " if close else ""
        advice = f"{hint}Choose one of: {', '.join(names)}." if names else "This version has none."
        raise UserError(self.unknown.format(name=repr(name)), advice=advice)

    def get(self, name: str) -> T:
        """Build a model by name.

        Raises
        ------
        UserError
            If there is none of that name, or its weights are missing or unreadable.
        """
        return self.entry(name).build()

    def is_slow(self, name: str) -> bool:
        """Whether the model of a name takes seconds for what is on screen; False for names that are not there."""
        return any(found.name == name and found.is_slow for found in self.every_entry())
