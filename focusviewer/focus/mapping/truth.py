"""How well a focus map follows the known defocus of a simulated slide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from focusviewer.core.arrays import FloatMap
from focusviewer.focus.base import FocusMap


def correlation_with_truth(focus_map: FocusMap, truth: Mapping[str, FloatMap]) -> float:
    """Spearman correlation of a map with the true |z| of its tissue windows (the mean over each window).

    Parameters
    ----------
    truth : mapping
        What lies beside a simulated slide: ``z_um`` (rows, cols) in um, with the level-0 centres ``x`` and ``y``.
    """
    from scipy.stats import spearmanr

    return float(spearmanr(focus_map.blur[np.nonzero(focus_map.tissue)], true_distances(focus_map, truth)).statistic)


def true_distances(focus_map: FocusMap, truth: Mapping[str, FloatMap]) -> FloatMap:
    """True |z| in um of each tissue window of a map, in the order of ``np.nonzero(map.tissue)``: float32 (N,)."""
    half = focus_map.window_px / 2
    rows, cols = np.nonzero(focus_map.tissue)
    true = [
        float(np.mean(_inside(truth, float(focus_map.x[col]), float(focus_map.y[row]), half)))
        for row, col in zip(rows, cols, strict=True)
    ]
    return np.asarray(true, np.float32)


def _inside(truth: Mapping[str, FloatMap], x: float, y: float, half: float) -> FloatMap:
    """True |z| of the grid points inside a window, or of the nearest one."""
    left, right = np.searchsorted(truth["x"], (x - half, x + half))
    top, bottom = np.searchsorted(truth["y"], (y - half, y + half))
    part = np.abs(truth["z_um"][top:bottom, left:right])
    if part.size:
        return part
    col, row = int(np.argmin(np.abs(truth["x"] - x))), int(np.argmin(np.abs(truth["y"] - y)))
    return np.abs(truth["z_um"][row : row + 1, col : col + 1])
