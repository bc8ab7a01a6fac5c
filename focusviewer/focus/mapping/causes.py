"""What a blurred region looks like: a missed scan line, a bubble, a fold, the whole slide, or none of them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from focusviewer.core.arrays import Mask
from focusviewer.focus.base import FocusMap
from focusviewer.focus.tissue.artefacts import dilate

Cause = Literal["whole slide", "scan line", "bubble", "fold", "tissue"]

_WHOLE = 0.8  # of the measured windows
_SPAN = 0.85  # of the tissue across: how far a scan line reaches
_STRIPE_FULL = 0.8  # of the measured windows between its sides
_STRIPE_OUTSIDE = 0.35  # as many may be blurred just outside
_STRIPE_WIDTH = 0.5  # of the tissue's width, at most
_DISK_WINDOWS = 6
_DISK_INSIDE, _DISK_OUTSIDE = 0.8, 0.3
_DISK_ASPECT = 1.6
_DISK_FULL = 0.6  # of the circle that must have been measured or unusable: a shred of tissue is no disk
_FOLD_SLIMNESS = 2.5
_FOLD_UNUSABLE = 0.3  # of its windows lie beside some that cannot tell: the fold itself


def likely_cause(inside: Mask, focus_map: FocusMap, threshold: float) -> Cause:
    """Guess what put a region out of focus, from its shape and from what is sharp around it.

    Parameters
    ----------
    inside : bool (rows, cols)
        The region's windows.
    """
    measured = focus_map.tissue
    blurred = measured & (np.nan_to_num(focus_map.blur, nan=-np.inf) >= threshold)
    if (inside & measured).sum() >= _WHOLE * measured.sum():
        return "whole slide"
    if _is_stripe(inside, measured, blurred) or _is_stripe(inside.T, measured.T, blurred.T):
        return "scan line"
    unusable = np.zeros_like(measured) if focus_map.cannot_tell is None else focus_map.cannot_tell
    if _is_disk(inside, measured, blurred, unusable):
        return "bubble"
    if _is_beside_fold(inside, unusable):
        return "fold"
    return "tissue"


def _is_stripe(inside: Mask, measured: Mask, blurred: Mask) -> bool:
    """Straight sides, from one end of the tissue to the other, sharp on both sides (columns run along it)."""
    cols = np.flatnonzero((inside & measured).any(axis=0))
    tissue_cols = np.flatnonzero(measured.any(axis=0))
    # Sides by what most of a column is: single windows stick out.
    share = (inside & measured)[:, cols].sum(axis=0) / np.maximum(measured[:, cols].sum(axis=0), 1)
    cols = cols[share >= 0.5]
    if not cols.size:
        return False
    left, right = int(cols[0]), int(cols[-1])
    width = right - left + 1
    if width > _STRIPE_WIDTH * (tissue_cols[-1] - tissue_cols[0] + 1):
        return False
    band = measured[:, left : right + 1]
    rows, own_rows = np.flatnonzero(band.any(axis=1)), np.flatnonzero(inside[:, left : right + 1].any(axis=1))
    long = (own_rows[-1] - own_rows[0] + 1) >= _SPAN * (rows[-1] - rows[0] + 1) and len(own_rows) >= 2 * width
    if not long or blurred[:, left : right + 1].sum() < _STRIPE_FULL * band.sum():
        return False
    beside = [cols for cols in (range(left - 3, left - 1), range(right + 2, right + 4))
              if cols.start >= 0 and cols.stop <= measured.shape[1]]  # fmt: skip
    near = [(blurred[:, list(cols)].sum(), measured[:, list(cols)].sum()) for cols in beside]
    return all(bad <= _STRIPE_OUTSIDE * known for bad, known in near if known)


def _is_disk(inside: Mask, measured: Mask, blurred: Mask, unusable: Mask) -> bool:
    """Round and full, sharp around; the rim, which cannot be measured, counts as part of it."""
    rows, cols = np.nonzero(inside)
    if rows.size < _DISK_WINDOWS:
        return False
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1
    if max(height, width) > _DISK_ASPECT * min(height, width):
        return False
    row, col = (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
    radius = (height + width) / 4
    y, x = np.indices(inside.shape)
    distance = np.hypot(y - row, x - col)
    within, around = distance <= 0.85 * radius, (distance > 1.35 * radius + 1) & (distance <= 2 * radius + 2)
    full = blurred[within].sum() >= _DISK_INSIDE * max(1, measured[within].sum())
    seen = (measured | unusable)[within].mean() >= _DISK_FULL
    sharp = blurred[around].sum() <= _DISK_OUTSIDE * measured[around].sum() and measured[around].any()
    corners = (distance > 1.15 * radius + 0.5) & inside
    return bool(full and seen and sharp and corners.sum() <= 0.1 * rows.size)


def _is_beside_fold(inside: Mask, unusable: Mask) -> bool:
    """Long and slim, along windows that cannot tell."""
    rows, cols = np.nonzero(inside)
    if rows.size < 4:
        return False
    near = dilate(unusable, 1)
    spread = np.linalg.eigvalsh(np.cov(np.stack([rows, cols]).astype(float)))
    slim = spread[1] >= _FOLD_SLIMNESS**2 * max(float(spread[0]), 1 / 12)
    return bool(slim and (near & inside).sum() >= _FOLD_UNUSABLE * rows.size)
