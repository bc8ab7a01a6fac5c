"""What a training-free sharpness measure is, and how it scores the windows of an image.

All measures grow with sharpness; as focus models they give ``-log(measure)``, so that larger is blurrier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.focus.base import FocusModel, ScoreGrid

Gray = npt.NDArray[np.float32]
Means = npt.NDArray[np.float64]

HALO = 6
"""Pixels beyond a window that a measure may look at."""

WINDOW, STRIDE = 235, 130
_SHARED = WINDOW - STRIDE  # pixels of a window that the next one shares

_STRIP = 35  # rows worked on at once, few enough to stay in the processor's cache

FLOOR = 1e-12
"""Keeps the logarithm finite on featureless windows."""


@dataclass(frozen=True)
class Measure:
    """A sharpness measure of windows; subclasses say how it is computed."""

    name: str
    summary: str

    def sharpness(self, gray: Gray, rows: int, cols: int) -> Means:
        """Sharpness of every window.

        Parameters
        ----------
        gray : float32 (H, W)
            In [0, 1], with HALO more pixels on every side than the windows need.

        Returns
        -------
        float64 (rows, cols)
        """
        raise NotImplementedError


@dataclass(frozen=True)
class MapMeasure(Measure):
    """A measure made of means over the window.

    Attributes
    ----------
    maps : callable
        Gray image with its halo to a tuple of maps without it.
    combine : callable
        The means of those maps over each window, float64 (rows, cols), to the measure.
    """

    maps: Callable[[Gray], tuple[Gray, ...]]
    combine: Callable[..., Means]

    def sharpness(self, gray: Gray, rows: int, cols: int) -> Means:
        """Means over windows, from sums over the parts that windows share: each pixel is visited once."""
        bodies = [self._sums(gray, row * STRIDE, _SHARED, cols) for row in range(rows + 1)]
        gaps = [self._sums(gray, row * STRIDE + _SHARED, STRIDE - _SHARED, cols) for row in range(rows)]
        body, gap = np.stack(bodies, axis=1), np.stack(gaps, axis=1)
        return self.combine(*(body[:, :-1] + gap + body[:, 1:]) / WINDOW**2)

    def _sums(self, gray: Gray, start: int, height: int, cols: int) -> Means:
        """Each map's sums over some rows and the columns of each window: float64 (maps, cols)."""
        width = STRIDE * (cols - 1) + WINDOW
        total: Means | float = 0.0
        for top in range(start, start + height, _STRIP):
            bottom = min(top + _STRIP, start + height)
            maps = self.maps(gray[top : bottom + 2 * HALO, : width + 2 * HALO])
            total = total + np.stack([_column_sums(part, cols) for part in maps])
        return np.asarray(total)


def _column_sums(strip: Gray, cols: int) -> Means:
    """Sums over a strip's rows and, for each window, its columns: float64 (cols,)."""
    sums = strip.sum(axis=0).astype(np.float64)
    edges = np.concatenate([[0.0], np.cumsum(sums)])
    starts = STRIDE * np.arange(cols)
    return np.asarray(edges[starts + WINDOW] - edges[starts])


@dataclass(frozen=True)
class HistogramMeasure(Measure):
    """A measure of the window's 256-level gray histogram: float64 (256,) that sums to 1."""

    of_histogram: Callable[[Means], float]

    def sharpness(self, gray: Gray, rows: int, cols: int) -> Means:
        """One histogram per window."""
        levels = (gray[HALO:-HALO, HALO:-HALO] * 255 + 0.5).astype(np.uint8)
        result = np.empty((rows, cols))
        for row, col in np.ndindex(rows, cols):
            y, x = row * STRIDE, col * STRIDE
            counts = np.bincount(levels[y : y + WINDOW, x : x + WINDOW].ravel(), minlength=256)
            result[row, col] = self.of_histogram(counts / WINDOW**2)
        return result


@dataclass(frozen=True)
class WindowMeasure(Measure):
    """A measure that must see a window whole, because transforms or thresholds of its own go over all of it.

    Attributes
    ----------
    of_windows : callable
        A row of windows, float32 (n, WINDOW, WINDOW), to their sharpness, (n,).
    """

    of_windows: Callable[[Gray], npt.NDArray[np.floating]]

    def sharpness(self, gray: Gray, rows: int, cols: int) -> Means:
        """Row after row of windows."""
        inner = gray[HALO:-HALO, HALO:-HALO]
        result = np.empty((rows, cols))
        for row in range(rows):
            strip = inner[row * STRIDE : row * STRIDE + WINDOW]
            windows = np.lib.stride_tricks.sliding_window_view(strip, WINDOW, axis=1)[:, ::STRIDE][:, :cols]
            result[row] = self.of_windows(np.ascontiguousarray(windows.transpose(1, 0, 2)))
        return result


class MeasureModel(FocusModel):
    """A training-free measure as a focus model: its order means something, its numbers do not."""

    absolute = False
    window_px, stride_px, halo_px = WINDOW, STRIDE, HALO

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.name = measure.name

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        return self.score_with_halo(np.pad(image, ((HALO, HALO), (HALO, HALO), (0, 0)), mode="symmetric"))

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image with HALO more pixels on every side."""
        rows, cols = ((side - 2 * HALO - WINDOW) // STRIDE + 1 for side in image.shape[:2])
        if rows < 1 or cols < 1:
            raise ValueError(f"image {image.shape[:2]} is smaller than a window of {WINDOW} px")
        sharpness = self.measure.sharpness(to_gray(image), rows, cols)
        blur = -np.log(np.maximum(sharpness, FLOOR))
        return ScoreGrid(blur.astype(np.float32), WINDOW, STRIDE)


def to_gray(image: RGB) -> Gray:
    """Luminance (Rec. 601) in [0, 1]: float32 (H, W)."""
    weights = np.array([0.299, 0.587, 0.114], np.float32) / np.float32(255)
    gray = np.empty(image.shape[:2], np.float32)
    for top in range(0, len(gray), _STRIP):
        strip = image[top : top + _STRIP]
        gray[top : top + _STRIP] = strip.astype(np.float32) @ weights
    return gray


def at(gray: Gray, dx: int = 0, dy: int = 0, halo: int = HALO) -> Gray:
    """The image without its halo, as seen ``dx``, ``dy`` pixels away."""
    height, width = gray.shape
    return gray[halo + dy : height - halo + dy, halo + dx : width - halo + dx]
