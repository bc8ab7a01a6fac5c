"""The gain by more input planes, and interpolation between two of them.

The inputs are nested: the same targets from the first one, two, three and five planes of one random order, so that
each step to more planes is a paired comparison (Wang 2024, table 5.3). Gaps: the plane in the middle of two others,
against showing the nearer one, mixing both, and networks made for interpolation (table 5.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.evaluation.suites.refocus.competitors import INTERPOLATORS, Competitors
from focusviewer.evaluation.suites.refocus.planes import APART, Planes, refocused
from focusviewer.metrics import psnr, ssim
from focusviewer.refocus.base import Refocuser

Figures = dict[str, float]

COUNTS = (1, 2, 3, 5)
TARGETS = 2
GAPS = (2, 4, 6)
"""Planes from each input to the target in the middle."""


def evaluate_refocus_inputs(
    engine: Refocuser,
    stacks: Iterable[Planes],
    counts: Sequence[int] = COUNTS,
    targets: int = TARGETS,
    seed: int = 5,
    figures: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Make the same planes from more and more inputs.

    Parameters
    ----------
    counts : sequence of int
        Increasing numbers of inputs; those of one number are among those of the next.
    targets : int
        Planes made of each stack.
    figures : dict, optional
        Name to figure of (image, truth); PSNR and SSIM when missing.

    Returns
    -------
    One row a number of inputs: the figures with intervals by group, and how much PSNR and SSIM rise over the row before
    in the same cases (``rise``, ``ssim_rise``), with intervals, and in how many cases (``rises``, a share).
    """
    figures = figures or {"psnr": psnr, "ssim": ssim}
    found: dict[int, list[Figures]] = {count: [] for count in counts}
    groups: list[str] = []
    for index, stack in enumerate(stacks):
        for number in range(targets):
            rng = np.random.default_rng((seed, index, number))
            target, order = nested_inputs(len(stack.z_um), max(counts), rng)
            groups.append(stack.group)
            for count in counts:
                made, truth = refocused(engine, stack, target, order[:count]), stack.images[target]
                found[count].append({name: figure(made, truth) for name, figure in figures.items()})
    return _risen(found, groups)


def nested_inputs(planes: int, most: int, rng: np.random.Generator) -> tuple[int, list[int]]:
    """A target and inputs in random order, none of them next to the target.

    Raises
    ------
    ValueError
        If the stack has too few planes.
    """
    target = int(rng.integers(planes))
    far = [plane for plane in range(planes) if abs(plane - target) >= APART]
    if len(far) < most:
        raise ValueError(f"a stack of {planes} planes is too short for {most} inputs")
    return target, [int(plane) for plane in rng.permutation(far)[:most]]


def _risen(found: dict[int, list[Figures]], groups: list[str]) -> list[dict[str, Any]]:
    rows, before = [], None
    for count, cases in found.items():
        columns = {name: np.array([case[name] for case in cases]) for name in cases[0]} if cases else {}
        row: dict[str, Any] = {"inputs": count, "cases": len(cases)}
        for name, values in columns.items():
            row |= intervals({name: mean}, groups, (values,))
        if before is not None:
            rise = columns["psnr"] - before["psnr"]
            row |= intervals({"rise": mean}, groups, (rise,))
            row |= intervals({"ssim_rise": mean}, groups, (columns["ssim"] - before["ssim"],))
            row["rises"] = float((rise > 0).mean())
        rows.append(row)
        before = columns
    return rows


def evaluate_refocus_gaps(
    engine: Refocuser, stacks: Iterable[Planes], competitors: Competitors, gaps: Sequence[int] = GAPS, seed: int = 6
) -> list[dict[str, Any]]:
    """Make the plane in the middle of two others.

    Returns
    -------
    One row a gap: its width in um, PSNR and SSIM with intervals by group, those of the nearer input (the better of
    both, as they are equally near), of mixing them, and of the interpolating networks; and by how much the engine is
    above each (``over_<name>``, PSNR in dB, with intervals).
    """
    cases: dict[int, list[Figures]] = {gap: [] for gap in gaps}
    groups: list[str] = []
    width: dict[int, float] = {}
    for index, stack in enumerate(stacks):
        groups.append(stack.group)
        for gap in gaps:
            if 2 * gap >= len(stack.z_um):
                raise ValueError(f"a stack of {len(stack.z_um)} planes has no two that are {2 * gap} apart")
            rng = np.random.default_rng((seed, index, gap))
            target = int(rng.integers(gap, len(stack.z_um) - gap))
            width[gap] = stack.z_um[target + gap] - stack.z_um[target - gap]
            cases[gap].append(_gap_case(engine, stack, target, gap, competitors))
    return [{"gap_um": round(width[gap], 3), **_gap_row(rows, groups)} for gap, rows in cases.items() if rows]


def _gap_case(engine: Refocuser, stack: Planes, target: int, gap: int, competitors: Competitors) -> Figures:
    truth = np.ascontiguousarray(stack.images[target])
    pair = [np.ascontiguousarray(stack.images[plane]) for plane in (target - gap, target + gap)]
    made = refocused(engine, stack, target, [target - gap, target + gap])
    blend = np.asarray((pair[0].astype(np.uint16) + pair[1] + 1) // 2, dtype=np.uint8)
    nearer = max(pair, key=lambda image: psnr(image, truth))
    row: Figures = {}
    for name, image in (("", made), ("_nearest", nearer), ("_blend", blend)):
        row |= {f"psnr{name}": psnr(image, truth), f"ssim{name}": ssim(image, truth)}
    zs = (stack.z_um[target - gap], stack.z_um[target + gap])
    for name in INTERPOLATORS:
        label = name.replace("-", "_")
        row |= competitors.between(name, label, pair, truth, stack.mpp, zs, stack.z_um[target])
    return row


def _gap_row(rows: list[Figures], groups: list[str]) -> dict[str, Any]:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    row: dict[str, Any] = {"stacks": len(rows)}
    for name, values in columns.items():
        if name in ("psnr", "ssim"):
            row |= intervals({name: mean}, groups, (values,))
        else:
            row[name] = float(values.mean())
    for name in [name for name in columns if name.startswith("psnr_")]:
        over = columns["psnr"] - columns[name]
        row |= intervals({name.replace("psnr_", "over_"): mean}, groups, (over,))
    return row
