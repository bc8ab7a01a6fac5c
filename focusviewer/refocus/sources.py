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
    """Choose the most informative planes for a target focus.

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
    return tuple(sorted(_filled(chosen, away, limit, sharpness)[: max(limit, 1)]))


def planes_between(
    planes_um: Sequence[float],
    low_um: float,
    high_um: float,
    limit: int = MAX_PLANES,
    sharpness: Sequence[float] | None = None,
) -> tuple[int, ...]:
    """Choose the most informative planes for every focus from one position to another.

    The nearest plane at or below the lowest target and the nearest above the highest bound all of them, and each plane
    between the two bounds some: these are all chosen, thinned evenly where an engine cannot take so many. Then, up to
    ``limit``, the sharpest of those within reach, or the nearest while their sharpness is not known.

    Parameters
    ----------
    planes_um, sharpness
        As for :func:`source_planes`.
    low_um, high_um : float
        Lowest and highest target, on the same axis.
    limit : int
        As many planes are chosen where fewer would do.

    Returns
    -------
    tuple of int
        Indices of the planes in order: at least one, at most MAX_PLANES.
    """
    positions = np.asarray(planes_um, np.float64)
    below, above = positions[positions <= low_um], positions[positions > high_um]
    first = below.max() if below.size else positions.min()
    last = above.min() if above.size else positions.max()
    needed = np.flatnonzero((positions >= first) & (positions <= last))
    if needed.size > MAX_PLANES:
        needed = needed[list(_spread(positions[needed], MAX_PLANES, None))]
    away = np.maximum(0.0, np.maximum(low_um - positions, positions - high_um))
    return tuple(sorted(_filled([int(index) for index in needed], away, limit, sharpness)))


def _filled(chosen: list[int], away: np.ndarray, limit: int, sharpness: Sequence[float] | None) -> list[int]:
    """Chosen planes with the best others, no farther away than can be refocused, while they are less than a limit."""
    merit = -away if sharpness is None else np.asarray(sharpness, np.float64)
    others = [i for i in range(away.size) if i not in chosen and away[i] <= MAX_Z_UM]
    others.sort(key=lambda index: (-float(merit[index]), float(away[index])))
    return [*chosen, *others[: max(limit - len(chosen), 0)]]


def _spread(positions: np.ndarray, limit: int, sharpness: Sequence[float] | None) -> tuple[int, ...]:
    """Planes spread evenly over the stack; with known sharpness, the sharpest of each part."""
    order = np.argsort(positions, kind="stable")
    if sharpness is not None:
        parts = np.array_split(order, limit)
        return tuple(sorted(int(max(part, key=lambda index: sharpness[index])) for part in parts))
    step = (positions.size - 1) / max(limit - 1, 1)
    return tuple(sorted({int(order[round(i * step)]) for i in range(limit)}))
