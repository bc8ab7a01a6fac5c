"""Where refocusing is supported: what the engines model, and what they would only guess.

The engines know the blur of absorbing sections in transmitted light, a few microns around an acquired plane, at 20x
and finer. Elsewhere the answer is a sentence instead of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from focusviewer.focus.tissue.fluorescence import WHAT_IT_LOOKS_LIKE, is_fluorescence, looks_fluorescent
from focusviewer.refocus.base import MAX_Z_UM

__all__ = ["MAX_MPP", "distance_um", "is_fluorescence", "is_within_reach", "looks_fluorescent", "unsupported"]

MAX_MPP = 0.6
"""Coarsest pixel, in um, at which a few microns of defocus can be seen and so be worked on."""

_NEARLY = 1e-6
_AT_ONCE = 1_000_000


def unsupported(
    mpp: float | None, planes_um: Sequence[float], z_um: float | None = None, fluorescence: bool = False
) -> str:
    """Say why a view cannot be refocused.

    Parameters
    ----------
    mpp : float or None
        Pixel size that would be worked at, um; None when nobody knows it.
    planes_um : sequence of float
        Positions of the acquired planes, um.
    z_um : float, optional
        The wanted focus on the same axis; without it only the view is checked.
    fluorescence : bool
        Whether the slide shows bright specimens on a dark background, see :func:`looks_fluorescent`.

    Returns
    -------
    str
        The reason in words, without a full stop; empty when there is nothing against it.
    """
    if fluorescence:
        return f"{WHAT_IT_LOOKS_LIKE}, and the engines know stained tissue in transmitted light only"
    if mpp is None:
        return "its pixel size is not known, and blur cannot be told in microns"
    if mpp > MAX_MPP + _NEARLY:
        return f"its pixels of {mpp:.3g} um are coarser than {MAX_MPP:g} um, where a few microns of blur do not show"
    if z_um is None:
        return ""
    if not np.isfinite(z_um):
        return f"{z_um} is no focus position"
    distance = distance_um(planes_um, z_um)
    if not is_within_reach(distance, MAX_Z_UM):
        return (
            f"refocusing reaches {MAX_Z_UM:g} um from an acquired plane, and {z_um:g} um is {distance:.3g} um from one"
        )
    return ""


def is_within_reach(distance: float, max_z_um: float) -> bool:
    """Whether a target so far from the nearest plane, um, can be refocused to; rounding does not decide."""
    return distance <= max_z_um + _NEARLY


def distance_um(planes_um: Sequence[float], z_um: float | npt.NDArray[np.floating]) -> float:
    """Distance of a target from its nearest plane, um; of a map, the largest there is."""
    positions = np.sort(np.asarray(planes_um, np.float64))
    everything = np.ravel(z_um)
    farthest = 0.0
    for start in range(0, everything.size, _AT_ONCE):  # maps may be large, and this makes several of them
        targets = everything[start : start + _AT_ONCE].astype(np.float64)
        above = np.clip(np.searchsorted(positions, targets), 0, positions.size - 1)
        below = np.clip(above - 1, 0, None)
        distances = np.minimum(np.abs(targets - positions[above]), np.abs(targets - positions[below]))
        farthest = max(farthest, float(distances.max()))
    return farthest
