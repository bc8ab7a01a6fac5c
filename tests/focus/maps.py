"""Small focus maps for tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.focus import FocusMap


def make_map(values: npt.ArrayLike) -> FocusMap:
    """A map of these scores: windows of 235 px, 130 apart, at 0.25 um/px."""
    blur = np.asarray(values, np.float32)
    rows, cols = blur.shape
    return FocusMap(
        blur=blur,
        x=(117.5 + 130 * np.arange(cols)).astype(np.float32),
        y=(117.5 + 130 * np.arange(rows)).astype(np.float32),
        model="focuslitenn-10",
        model_version="1-test",
        absolute=True,
        window_px=235.0,
        stride_px=130.0,
        mpp=0.25,
        plane=2,
        seconds=1.5,
        decode_seconds=0.5,
        unreadable=3,
    )
