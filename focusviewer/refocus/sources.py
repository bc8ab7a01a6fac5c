"""Which planes of a stack a picture is made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focusviewer.refocus.base import MAX_PLANES, MAX_Z_UM

AUTO_PLANES = 5
"""Planes that are chosen where the program chooses: more cost time and hardly add."""


def source_planes(
    planes_um: Sequence[float],
    z_um: float | None,
    limit: int = MAX_PLANES,
    sharpness: Sequence[float] | None = None,
) -> tuple[int, ...]:
    """Choose the planes that tell most about a target focus.

    First the nearest plane on each side of the target, which bound what is between them. Then the sharpest of those
    within reach, or the nearest while their sharpness is not known.

    Parameters
    ----------
    planes_um : sequence of float (P,)
        Positions of the planes, um, in any order.
    z_um : float or None
        Target on the same axis. None: all planes, thinned evenly to ``limit`` (its sharpest, where known).
    limit : int
        Most planes to choose.
    sharpness : sequence of float (P,), optional
        How sharp each plane is; larger is sharper.

    Returns
    -------
    tuple of int
        Indices of the planes in order, at least one.
    """
    positions = np.asarray(planes_um, np.float64)
    count = positions.size
    if count <= limit and z_um is None:
        return tuple(range(count))
    if z_um is None:
        return _spread(positions, max(limit, 1), sharpness)
    away = np.abs(positions - z_um)
    chosen: list[int] = []
    for side in (positions <= z_um, positions > z_um):
        if side.any():
            chosen.append(int(min(np.flatnonzero(side), key=lambda index: away[index])))
    chosen.sort(key=lambda index: float(away[index]))
    merit = -away if sharpness is None else np.asarray(sharpness, np.float64)
    others = [i for i in range(count) if i not in chosen and away[i] <= MAX_Z_UM]
    others.sort(key=lambda index: (-float(merit[index]), float(away[index])))
    return tuple(sorted([*chosen, *others][: max(limit, 1)]))


def _spread(positions: np.ndarray, limit: int, sharpness: Sequence[float] | None) -> tuple[int, ...]:
    """Planes spread evenly over the stack; with known sharpness, the sharpest of each part."""
    order = np.argsort(positions, kind="stable")
    if sharpness is not None:
        parts = np.array_split(order, limit)
        return tuple(sorted(int(max(part, key=lambda index: sharpness[index])) for part in parts))
    step = (positions.size - 1) / max(limit - 1, 1)
    return tuple(sorted({int(order[round(i * step)]) for i in range(limit)}))
