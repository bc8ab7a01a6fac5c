"""Refocusing from planes of a stack whose other planes are the truth: the tasks of Wang 2024.

*Refocus*: any target from planes drawn at random. *Interpolate*: a target between its neighbours two planes away.
*Deblur*: the best plane from blurred ones. Planes next to the target are never among the inputs, so that copying one
does not pay (Wang 2024, section 5.3; tables 5.3 to 5.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import reason
from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.evaluation.suites.refocus.simulated import SIMILARITY, similarity_figures
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.focus.base import LEVEL_UM
from focusviewer.refocus.base import Refocuser

TASKS = (("refocus", 1), ("refocus", 2), ("refocus", 3), ("interpolate", 2), ("deblur", 1), ("deblur", 3))
APART = 2
CROP_PX = 256


@dataclass(frozen=True)
class Planes:
    """A focal stack with known positions.

    Attributes
    ----------
    images : uint8 (P, H, W, 3)
    z_um : float (P,)
        Increasing.
    best : int
        The sharpest plane.
    group : str
        Slide or picture; stacks of one group are not independent.
    """

    images: RGB
    z_um: tuple[float, ...]
    best: int
    group: str
    mpp: float = 0.25


def field_planes(fields: FieldSet, crop_px: int = CROP_PX) -> list[Planes]:
    """The simulated test stacks, their central part."""
    start = max(0, (fields.images.shape[2] - crop_px) // 2)
    part = slice(start, start + crop_px)
    return [
        Planes(stack[:, part, part], tuple(float(z) for z in levels * LEVEL_UM), int(np.argmin(np.abs(levels))), group)
        for stack, levels, group in zip(fields.images, fields.levels, fields.groups, strict=True)
    ]


def evaluate_refocus_planes(
    engine: Refocuser, stacks: Iterable[Planes], tasks: Sequence[tuple[str, int]] = TASKS, seed: int = 3
) -> list[dict[str, Any]]:
    """Make planes of stacks from other planes of them.

    Returns
    -------
    One row a task: every figure of :func:`similarity_figures` with its interval by group, and PSNR and SSIM of the
    nearest input plane shown as it is (``_nearest``); ``why`` instead where the engine refuses a case (it only
    interpolates, say).
    """
    refused: dict[tuple[str, int], str] = {}
    figures: dict[tuple[str, int], list[dict[str, float]]] = {task: [] for task in tasks}
    groups: list[str] = []
    for index, stack in enumerate(stacks):
        groups.append(stack.group)
        for number, task in enumerate(tasks):
            rng = np.random.default_rng((seed, index, number))
            target, inputs = draw(task[0], task[1], len(stack.z_um), stack.best, rng)
            if task not in refused:
                try:
                    figures[task].append(_case(engine, stack, target, inputs))
                except UserError as error:
                    refused[task] = reason(error)
    return [
        {"task": task[0], "inputs": task[1], "why": refused[task]} if task in refused else _row(task, rows, groups)
        for task, rows in figures.items()
        if rows or task in refused
    ]


def draw(task: str, inputs: int, planes: int, best: int, rng: np.random.Generator) -> tuple[int, list[int]]:
    """Target and input planes of one case, all inputs at least APART planes from the target.

    Raises
    ------
    ValueError
        If the stack has too few planes.
    """
    if task == "interpolate":
        if planes < 2 * APART + 1:
            raise ValueError(f"a stack of {planes} planes is too short to interpolate in")
        target = int(rng.integers(APART, planes - APART))
        return target, [target - APART, target + APART]
    target = best if task == "deblur" else int(rng.integers(planes))
    far = [plane for plane in range(planes) if abs(plane - target) >= APART]
    if len(far) < inputs:
        raise ValueError(f"a stack of {planes} planes is too short for {inputs} inputs")
    return target, sorted(int(plane) for plane in rng.choice(far, inputs, replace=False))


def _case(engine: Refocuser, stack: Planes, target: int, inputs: Sequence[int]) -> dict[str, float]:
    truth = np.ascontiguousarray(stack.images[target])
    nearest = min(inputs, key=lambda plane: abs(plane - target))
    before = similarity_pair(stack.images[nearest], truth)
    return {**similarity_figures(refocused(engine, stack, target, inputs), truth), **before}


def refocused(engine: Refocuser, stack: Planes, target: int, inputs: Sequence[int]) -> RGB:
    """A plane of a stack made from others.

    With one input the axis is turned so that the tissue lies on its positive side, as engines take it to.
    """
    z_um = np.asarray(stack.z_um)
    if len(inputs) == 1 and stack.best < inputs[0]:
        z_um = -z_um
    order = sorted(inputs, key=lambda plane: z_um[plane])
    images = [np.ascontiguousarray(stack.images[plane]) for plane in order]
    encoded = engine.encode(images, stack.mpp, [float(z_um[plane]) for plane in order])
    return engine.render(encoded, float(z_um[target]))


def similarity_pair(image: RGB, truth: RGB) -> dict[str, float]:
    """PSNR and SSIM of the input shown as it is."""
    return {f"{name}_nearest": SIMILARITY[name](image, truth) for name in ("psnr", "ssim")}


def _row(task: tuple[str, int], rows: list[dict[str, float]], groups: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"task": task[0], "inputs": task[1], "stacks": len(rows)}
    for name in rows[0]:
        values = np.array([figures[name] for figures in rows])
        row |= intervals({name: mean}, groups, (values,))
    return row
