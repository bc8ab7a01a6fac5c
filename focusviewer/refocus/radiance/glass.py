"""Empty glass in a view: where nothing may be drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.fast.guards import smooth_step

CELL_PX = 4
_DEVIATION = (0.02, 0.05)
_SPREAD = (0.012, 0.025)
_REACH_CELLS = 5
_BRIGHT_SHARE = 95
_GLASS_LEVEL = 0.7


def tissue_gate(images: Sequence[RGB]) -> FloatMap:
    """How much of the residual each place may have: 0 in empty glass, 1 on tissue and close to it.

    Glass is as bright as the brightest smooth parts of the view and has no more structure than noise, in every plane.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)

    Returns
    -------
    float32 (H, W), 0..1, smooth. 1 everywhere where nothing in the view is bright enough for glass.
    """
    from scipy.ndimage import maximum_filter, uniform_filter

    height, width = images[0].shape[:2]
    gates = []
    for image in images:
        full = np.pad(image, ((0, -height % CELL_PX), (0, -width % CELL_PX), (0, 0)), mode="symmetric")
        blocks = full.reshape(full.shape[0] // CELL_PX, CELL_PX, full.shape[1] // CELL_PX, CELL_PX, 3)
        means = blocks.mean(axis=(1, 3), dtype=np.float32) / np.float32(255)
        glass = np.percentile(means.reshape(-1, 3), _BRIGHT_SHARE, axis=0).astype(np.float32)
        if float(glass.mean()) < _GLASS_LEVEL:
            return np.ones((height, width), np.float32)
        deviation = np.abs(means - glass).max(axis=2)
        gray = blocks.mean(axis=4, dtype=np.float32) / np.float32(255)
        power = uniform_filter(np.square(gray).mean(axis=(1, 3)), 3, mode="nearest")
        spread = np.sqrt(np.maximum(power - uniform_filter(means.mean(axis=2), 3, mode="nearest") ** 2, 0))
        gates.append(np.maximum(smooth_step(deviation, *_DEVIATION), smooth_step(spread, *_SPREAD)))
    gate = maximum_filter(np.max(gates, axis=0), _REACH_CELLS, mode="nearest")
    return _pixels(uniform_filter(gate, 3, mode="nearest"))[:height, :width]


def _pixels(cells: FloatMap) -> FloatMap:
    import torch

    scaled = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(cells))[None, None], scale_factor=CELL_PX, mode="bilinear"
    )
    return np.asarray(scaled[0, 0].numpy(), dtype=np.float32)
