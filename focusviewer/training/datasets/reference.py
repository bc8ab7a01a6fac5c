"""Which plane of a stack is the sharpest: told by the caller, stated by the data, or found by a focus measure."""

from __future__ import annotations

from collections.abc import Callable

from focusviewer.core.arrays import RGB
from focusviewer.focus.registry import get_model
from focusviewer.training.datasets.records import DatasetError

Reference = int | str
"""An index from 0; ``metadata`` (what the data set states); ``measure`` or the name of a focus model (lowest score);
``auto`` (stated, else measured)."""

DEFAULT_MEASURE = "tenengrad"
"""Gradient energy: noise of empty planes misleads it less than ratios of energies."""


def reference_plane(wanted: Reference, stated: int | None, count: int, read: Callable[[int], RGB], name: str) -> int:
    """Index of the reference plane.

    Parameters
    ----------
    wanted : int or str
        See ``Reference``.
    stated : int or None
        Index that the data set or the file states.
    count : int
        Number of planes.
    read : callable
        Index -> uint8 (H, W, 3); called only when a measure has to decide.
    name : str
        The stack, for messages.

    Raises
    ------
    DatasetError
        If the index lies outside the stack, or nothing is stated although it was asked for.
    UserError
        If there is no focus model of that name.
    """
    if isinstance(wanted, int):
        if not 0 <= wanted < count:
            raise DatasetError(f"{name} has no plane {wanted}", f"its planes are 0 to {count - 1}", "")
        return wanted
    if wanted in ("metadata", "auto") and stated is not None:
        return stated
    if wanted == "metadata":
        raise DatasetError(
            f"{name} states no reference plane", "neither its files nor an index name it", "Use a focus measure."
        )
    model = get_model(DEFAULT_MEASURE if wanted in ("auto", "measure") else wanted)
    scores = [model.score(read(index)) for index in range(count)]
    return scores.index(min(scores))
