"""Where the tissue lies on the focus axis, from how far several planes are from focus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from focusviewer.core.arrays import FloatMap

Misfit = Callable[[float, FloatMap], FloatMap]
"""How badly a distance from focus, um, agrees with the distances found in a plane: float32 (H, W)."""


def best_depth(
    distances: Sequence[FloatMap],
    planes_um: Sequence[float],
    depths_um: Iterable[float],
    misfit: Misfit,
    least_gain: float = 0.0,
) -> FloatMap:
    """The depth at which the misfits of all planes add up to least.

    Parameters
    ----------
    distances : sequence of float32 (H, W)
        |distance from focus| in each plane, um.
    planes_um : sequence of float
        Positions of the planes.
    depths_um : iterable of float
        Depths to try, um; of equally good ones the first is taken.
    misfit : callable
        What a plane adds.
    least_gain : float
        A depth must be better by this much to replace an earlier one.

    Returns
    -------
    float32 (H, W), um on the axis of ``planes_um``
    """
    best = np.full(distances[0].shape, np.inf, np.float32)
    found = np.zeros_like(best)
    for depth in depths_um:
        total = np.zeros_like(best)
        for distance, z_um in zip(distances, planes_um, strict=True):
            total += misfit(abs(depth - z_um), distance)
        better = total < best - least_gain
        best[better], found[better] = total[better], depth
    return found
