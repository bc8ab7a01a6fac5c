"""The focus turned evenly: whether the picture moves smoothly, and how good it is at each of sixteen levels.

After Wang 2024, figures 5.6 and 5.7: levels in between (9.2, 9.4, ...) from two neighbours, a full
traverse over sixteen levels from two planes, and from the most blurred plane alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import reason
from focusviewer.evaluation.test_sets.ground_truth_stacks import LEVELS, GroundTruthStack
from focusviewer.metrics import psnr, ssim
from focusviewer.refocus.base import Refocuser

STEP = 0.2
"""Levels between two targets: 0.05 um."""


@dataclass(frozen=True)
class Sweep:
    """Inputs and the levels that are made of them."""

    name: str
    inputs: tuple[int, ...]
    first: float
    last: float

    def levels(self, step: float) -> list[float]:
        """The targets, in order."""
        count = round((self.last - self.first) / step)
        return [round(self.first + index * step, 3) for index in range(count + 1)]


NEIGHBOURS = Sweep("9 and 10, between them", (9, 10), 9.2, 9.8)
APART = Sweep("6 and 11, between them", (6, 11), 6.2, 10.8)
TWO = Sweep("6 and 11, all levels", (6, 11), 1.0, 16.0)
ONE = Sweep("16 alone, all levels", (16,), 1.0, 16.0)
SWEEPS = (NEIGHBOURS, APART, TWO, ONE)
SHOWN = {TWO.name: "two", ONE.name: "one"}


@dataclass
class Swept:
    """What one sweep over one stack came to; lists have one entry a target."""

    levels: list[float]
    psnr: list[float] = field(default_factory=list)
    nothing: list[float] = field(default_factory=list)
    ssim: dict[float, float] = field(default_factory=dict)
    change: list[float] = field(default_factory=list)  # root mean square, gray levels, from one target to the next


def sweep_stack(engine: Refocuser, stack: GroundTruthStack, sweep: Sweep, step: float = STEP) -> Swept:
    """Turn the focus of one stack through all targets of a sweep."""
    mirrored = len(sweep.inputs) == 1 and sweep.inputs[0] > stack.best  # tissue on the positive side of one plane
    planes = sorted(sweep.inputs, key=lambda level: stack.z_um(level, mirrored))
    images = [stack.recorded(level) for level in planes]
    encoded = engine.encode(images, stack.mpp, [stack.z_um(level, mirrored) for level in planes])
    swept, before = Swept(sweep.levels(step)), None
    for level in swept.levels:
        made, truth = engine.render(encoded, stack.z_um(level, mirrored)), stack.truth(level)
        nearest = min(range(len(planes)), key=lambda index: abs(planes[index] - level))
        swept.psnr.append(psnr(made, truth))
        swept.nothing.append(psnr(images[nearest], truth))
        if level == int(level):
            swept.ssim[level] = ssim(made, truth)
        if before is not None:
            swept.change.append(float(np.sqrt(np.square(made.astype(np.float32) - before).mean())))
        before = made
    return swept


def evaluate_traverse(
    engine: Refocuser, stacks: Sequence[GroundTruthStack], step: float = STEP, sweeps: Sequence[Sweep] = SWEEPS
) -> list[dict[str, Any]]:
    """Turn the focus of every stack through every sweep.

    Returns
    -------
    One row a sweep: mean and lowest PSNR over its targets, that of showing the nearest input, the largest step in PSNR
    from one target to the next in any stack (``largest_step``; steps to and from acquired planes, which
    are shown as they are, count in ``largest_step_any`` only), steps over 0.5 dB, and the largest change of the picture
    over the usual one (``jump``). Then one row a level of the full traverses.
    """
    rows: list[dict[str, Any]] = []
    by_level: dict[float, dict[str, Any]] = {float(level): {"level": level} for level in range(1, LEVELS + 1)}
    for sweep in sweeps:
        try:
            found = [sweep_stack(engine, stack, sweep, step) for stack in stacks]
        except UserError as error:  # an engine that only interpolates goes through two sweeps of four
            rows.append({"case": sweep.name, "why": reason(error)})
            continue
        rows.append({"case": sweep.name, "stacks": len(stacks), **_row(found, sweep)})
        if sweep.name in SHOWN:
            _add_levels(by_level, found, SHOWN[sweep.name])
    return rows + [row for row in by_level.values() if len(row) > 1]


def _row(found: Sequence[Swept], sweep: Sweep) -> dict[str, Any]:
    values = np.array([swept.psnr for swept in found])
    free = np.array([not {a, b} & set(sweep.inputs) for a, b in _pairs(found[0].levels)])
    steps, change = np.abs(np.diff(values, axis=1)), np.array([swept.change for swept in found])
    nothing = np.array([swept.nothing for swept in found])
    between, usual = steps[:, free], np.abs(np.diff(nothing, axis=1))[:, free]
    return {
        "targets": values.shape[1],
        "psnr": float(values.mean()),
        "lowest": float(values.min()),
        "psnr_nearest": float(nothing.mean()),
        "largest_step": float(between.max()) if between.size else None,
        "largest_step_nearest": float(usual.max()) if usual.size else None,
        "largest_step_any": float(steps.max()),
        "mean_step": float(np.abs(np.diff(values.mean(axis=0)))[free].max()) if free.any() else None,
        "steps_over": int((between > 0.5).sum()),
        "jump": float((change.max(axis=1) / np.maximum(np.median(change, axis=1), 0.05)).max()),
    }


def _pairs(levels: Sequence[float]) -> list[tuple[float, float]]:
    return list(pairwise(levels))


def _add_levels(rows: dict[float, dict[str, Any]], found: Sequence[Swept], label: str) -> None:
    """Add the figures of the whole levels, means over stacks."""
    for index, level in enumerate(found[0].levels):
        if level in rows:
            rows[level] |= {
                f"psnr_{label}": float(np.mean([swept.psnr[index] for swept in found])),
                f"ssim_{label}": float(np.mean([swept.ssim[level] for swept in found])),
                f"nearest_{label}": float(np.mean([swept.nothing[index] for swept in found])),
            }
