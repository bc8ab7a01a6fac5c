"""The refocusing protocol on FocusPath: strip 0 trains, strip 1 tests; 270 stacks each, 16 planes 0.25 um apart.

Three tasks, after Wang 2024, section 5.3: *refocus* to any plane from 5, 4, 3, 2 or 1 random ones
(table 5.3, here with nested inputs that are never next to the target), *interpolate* a plane between two (table 5.4),
*deblur*: the sharpest plane from each of the others, one at a time, and from three of them (table 5.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import reason
from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.evaluation.suites.refocus.inputs import nested_inputs
from focusviewer.evaluation.suites.refocus.planes import APART, Planes, refocused
from focusviewer.evaluation.suites.refocus.simulated import SIMILARITY, similarity_figures
from focusviewer.evaluation.tables.published import published_rows
from focusviewer.refocus.base import Refocuser
from focusviewer.training.data.focuspath_strips import TESTED_ON, stack_names
from focusviewer.training.datasets import Dataset, FocusStack

COUNTS = (1, 2, 3, 4, 5)
MPP = 0.25

PUBLISHED_NAMES = {
    "radiance": "radiance",
    "dfi": "DFI",
    "linear-latent": "LinearLatent",
    "restormer-small": "Restormer",
    "mprnet-small": "MPRNet",
}
"""Ours, and the published model that each is to be read beside; every other engine is set beside the network itself."""

Task = tuple[str, int]


def evaluate_protocol(
    engine: Refocuser, dataset: Dataset, limit: int | None = None, crop_px: int | None = None, seed: int = 11
) -> list[dict[str, Any]]:
    """Evaluate an engine on the test strip.

    Parameters
    ----------
    limit : int, optional
        Use at most so many stacks, spread evenly; all 270 when missing.
    crop_px : int, optional
        Evaluate only the middle of so many pixels; whole pictures when missing.

    Returns
    -------
    One row a task and number of inputs: those of :func:`similarity_figures` with intervals drawn by slide, and those
    published (``published_<figure>`` of the model named in ``published``); ``why`` instead where the engine refuses a
    case.
    """
    found: dict[Task, list[dict[str, float]]] = {}
    groups: dict[Task, list[str]] = {}
    refused: dict[Task, str] = {}
    for index, stack in enumerate(_test_stacks(dataset, limit, crop_px)):
        for task, target, inputs in _cases(stack, np.random.default_rng((seed, index))):
            if task in refused:
                continue
            try:
                made = refocused(engine, stack, target, inputs)
            except UserError as error:
                refused[task] = reason(error)
                found.setdefault(task, [])
                continue
            found.setdefault(task, []).append(similarity_figures(made, np.ascontiguousarray(stack.images[target])))
            groups.setdefault(task, []).append(stack.group)
    return [
        {"task": task[0], "inputs": task[1], "why": refused[task]}
        if task in refused
        else _row(engine.name, task, rows, groups[task])
        for task, rows in sorted(found.items(), key=_order)
    ]


def _test_stacks(dataset: Dataset, limit: int | None, crop_px: int | None) -> Iterator[Planes]:
    for name in stack_names(dataset, TESTED_ON, limit):
        yield as_planes(dataset.stack(name), crop_px)


def as_planes(stack: FocusStack, crop_px: int | None = None) -> Planes:
    """A stack with its positions, whole or its middle.

    Raises
    ------
    UserError
        If the positions are not known.
    """
    if not stack.z_known or stack.reference is None:
        raise UserError(f"{stack.name} has no known focal positions")
    planes = stack.planes
    side = crop_px or max(planes.shape[1:3])
    y, x = (max(0, (length - side) // 2) for length in planes.shape[1:3])
    cut = planes[:, y : y + side, x : x + side]
    return Planes(cut, stack.z_um, stack.reference, stack.slide, stack.mpp or MPP)


def _cases(stack: Planes, rng: np.random.Generator) -> Iterator[tuple[Task, int, list[int]]]:
    """Every task on one stack: (task, inputs), target plane, input planes."""
    count = len(stack.z_um)
    target, order = nested_inputs(count, max(COUNTS), rng)
    for inputs in COUNTS:
        yield ("refocus", inputs), target, order[:inputs]
    middle = int(rng.integers(APART, count - APART))
    yield ("interpolate", 2), middle, [middle - APART, middle + APART]
    others = [plane for plane in range(count) if plane != stack.best]
    for plane in others:
        yield ("deblur", 1), stack.best, [plane]
    yield ("deblur", 3), stack.best, [int(plane) for plane in rng.permutation(others)[:3]]


def _order(item: tuple[Task, Any]) -> tuple[int, int]:
    task, inputs = item[0]
    return ("refocus", "interpolate", "deblur").index(task), -inputs


def _row(engine: str, task: Task, rows: Sequence[dict[str, float]], groups: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"task": task[0], "inputs": task[1], "pictures": len(rows), "slides": len(set(groups))}
    for name in SIMILARITY:
        values = np.array([figures[name] for figures in rows])
        row |= intervals({name: mean}, groups, (values,))
    return row | published(engine, *task)


def published(engine: str, task: str, inputs: int) -> dict[str, Any]:
    """What was published for a task: of the model of this name, else of the refocusing network."""
    known = [row for row in published_rows("refocus-inputs") if (row["task"], row["inputs"]) == (task, inputs)]
    names = [PUBLISHED_NAMES.get(engine, "radiance"), "radiance"]
    found = next((row for name in names for row in known if row["model"] == name), None)
    if found is None:
        return {}
    figures = {f"published_{name}": value for name, value in found.items() if name in SIMILARITY}
    return {"published": found["model"], **figures}
