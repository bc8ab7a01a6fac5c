"""Training-free sharpness measures, most of them a line: maps of a gray image, averaged over windows.

Numbers in brackets are the equations of the thesis that the definitions follow (chapter 2.1). All measures grow
with sharpness; as focus models they give ``-log(measure)``, so that larger is blurrier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.slides import RGB

Gray = npt.NDArray[np.float32]
Means = npt.NDArray[np.float64]

HALO = 6
"""Pixels beyond a window that a measure may look at."""

WINDOW, STRIDE = 235, 130
_SHARED = WINDOW - STRIDE  # pixels of a window that the next one shares

_STRIP = 35  # rows worked on at once, few enough to stay in the processor's cache

_FLOOR = 1e-12  # keeps the logarithm finite on featureless windows


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
        blur = -np.log(np.maximum(sharpness, _FLOOR))
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


def _energies(gray: Gray) -> tuple[Gray, Gray]:
    """Energy of the Laplacian and of the gradient, both over steps of two pixels of a smoothed picture.

    Camera noise has a higher ratio of the two than any tissue, so that without smoothing (here a spread of two
    pixels) planes out of focus read as sharp.
    """
    soft = _five(_five(gray))  # down the columns; two means over five have a variance of 4 px
    soft = _five(_five(soft.T)).T
    left, right, up, down = (at(soft, dx, dy, halo=2) for dx, dy in ((-2, 0), (2, 0), (0, -2), (0, 2)))
    laplacian = left + right + up + down - 4 * at(soft, halo=2)
    across, along = right - left, down - up
    gradient = np.asarray((across * across + along * along) / 4, np.float32)
    return np.asarray(laplacian * laplacian), gradient


def _five(gray: Gray) -> Gray:
    """Mean of five rows: two fewer rows at either end."""
    inner = slice(2, len(gray) - 2)
    total = gray[inner] + gray[:-4]
    for shift in (1, 3, 4):
        total += gray[shift : len(gray) - 4 + shift]
    return total * np.float32(0.2)


def _sobel_energy(gray: Gray) -> Gray:
    down = at(gray, 0, 1) - at(gray, 0, -1)
    across = at(gray, 1) - at(gray, -1)
    rising, falling = at(gray, 1, 1) - at(gray, -1, -1), at(gray, 1, -1) - at(gray, -1, 1)
    dx, dy = 2 * across + rising + falling, 2 * down + rising - falling
    return np.asarray(dx * dx + dy * dy)


def _four(gray: Gray) -> Gray:
    return at(gray, 1) + at(gray, -1) + at(gray, 0, 1) + at(gray, 0, -1)


def _diagonal(gray: Gray) -> Gray:
    return at(gray, 1, 1) + at(gray, -1, -1) + at(gray, 1, -1) + at(gray, -1, 1)


def _weighted_laplacian(gray: Gray) -> Gray:
    return 4 * _four(gray) + _diagonal(gray) - 20 * at(gray)


def _modified_laplacian(gray: Gray) -> Gray:
    twice = 2 * at(gray)
    across, down = twice - at(gray, 1) - at(gray, -1), twice - at(gray, 0, 1) - at(gray, 0, -1)
    return np.asarray(np.abs(across) + np.abs(down))


def _local_variation(gray: Gray) -> Gray:
    """Largest absolute difference to the 8 neighbours, from the 3x3 maximum and minimum."""
    rim = gray[HALO - 1 : 1 - HALO, HALO - 1 : 1 - HALO]
    highest = _three(_three(rim, np.maximum).T, np.maximum).T
    lowest = _three(_three(rim, np.minimum).T, np.minimum).T
    centre = at(gray)
    return np.asarray(np.maximum(highest - centre, centre - lowest))


def _three(gray: Gray, pick: np.ufunc) -> Gray:
    """Maximum or minimum of three rows."""
    return np.asarray(pick(pick(gray[:-2], gray[1:-1]), gray[2:]))


def _with_square(values: Gray) -> tuple[Gray, Gray]:
    return values, values * values


def _spread(mean: Means, of_squares: Means) -> Means:
    return np.maximum(of_squares - mean * mean, 0)


def _entropy(histogram: Means) -> float:
    present = histogram[histogram > 0]
    return float(-(present * np.log2(present)).sum())


def _dynamic_range(histogram: Means) -> float:
    present = np.flatnonzero(histogram)
    return float(present[-1] - present[0]) / 255


def _as_is(mean: Means) -> Means:
    return mean


MEASURES: tuple[Measure, ...] = (
    MapMeasure(
        "mlv",
        "maximum local variation: spread of the largest difference to the 8 neighbours [2.20]",
        lambda g: _with_square(_local_variation(g)),
        lambda mean, squares: np.sqrt(_spread(mean, squares)),
    ),
    MapMeasure(
        "energy-ratio",
        "energy of the Laplacian over energy of the gradient, smoothed; does not depend on contrast",
        _energies,
        lambda laplacian, gradient: laplacian / np.maximum(gradient, _FLOOR),
    ),
    MapMeasure(
        "variance",
        "gray-level variance [2.1]",
        lambda g: _with_square(at(g) - 0.5),  # about mid-gray: float32 keeps small variances on bright windows
        _spread,
    ),
    MapMeasure(
        "normalised-variance",
        "gray-level variance over the mean [2.2]",
        lambda g: _with_square(at(g) - 0.5),
        lambda mean, squares: _spread(mean, squares) / np.maximum(mean + 0.5, 1 / 255),
    ),
    MapMeasure(
        "absolute-difference",
        "mean absolute difference of neighbours along x [2.3]",
        lambda g: (np.abs(at(g, 1) - at(g)),),
        _as_is,
    ),
    MapMeasure(
        "squared-difference",
        "mean squared difference of neighbours along x [2.4]",
        lambda g: ((at(g, 1) - at(g)) ** 2,),
        _as_is,
    ),
    MapMeasure(
        "brenner",
        "mean squared difference of pixels two apart along x [2.4]",
        lambda g: ((at(g, 2) - at(g)) ** 2,),
        _as_is,
    ),
    MapMeasure(
        "vollath-f4",
        "autocorrelation at one pixel less that at two [2.6]",
        lambda g: ((at(g) - 0.5) * (at(g, 1) - at(g, 2)), at(g, 1) - at(g, 2)),
        lambda product, difference: product + 0.5 * difference,
    ),
    MapMeasure(
        "vollath-f5",
        "autocorrelation at one pixel less the squared mean [2.7]",
        lambda g: ((at(g) - 0.5) * (at(g, 1) - 0.5), at(g) - 0.5, at(g, 1) - 0.5),
        lambda product, mean, shifted: product - mean * shifted,
    ),
    HistogramMeasure("dynamic-range", "range of gray levels [2.8]", _dynamic_range),
    HistogramMeasure("entropy", "entropy of the gray-level histogram [2.10]", _entropy),
    MapMeasure("tenengrad", "energy of the Sobel gradient [2.15]", lambda g: (_sobel_energy(g),), _as_is),
    MapMeasure(
        "sum-modified-laplacian",
        "mean of |d2/dx2| + |d2/dy2| [2.16]",
        lambda g: (_modified_laplacian(g),),
        _as_is,
    ),
    MapMeasure(
        "energy-of-laplacian",
        "energy of the 3x3 Laplacian [2.17]",
        lambda g: (_weighted_laplacian(g) ** 2,),
        _as_is,
    ),
)
"""Every measure; a new one is a line here."""
