"""Measures made of differences between neighbouring pixels, and of the gray-level histogram: most are a line.

Numbers in brackets are the equations of Wang 2024, chapter 2.1, that the definitions follow.
"""

from __future__ import annotations

import numpy as np

from focusviewer.focus.measures.base import FLOOR, HALO, Gray, HistogramMeasure, MapMeasure, Means, Measure, at


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


def _contrast(gray: Gray) -> Gray:
    centre = at(gray)
    steps = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
    total = np.zeros_like(centre)
    for dx, dy in steps:
        total += np.abs(at(gray, dx, dy) - centre)
    return total


def _difference_of_gaussians(gray: Gray) -> Gray:
    """Squared difference to the image smoothed with sigma 2 (and sigma 0, as in the source that Wang 2024 names)."""
    taps = np.exp(-0.5 * (np.arange(-HALO, HALO + 1) / 2.0) ** 2).astype(np.float32)
    taps /= taps.sum()
    down = sum(tap * gray[shift : len(gray) - 2 * HALO + shift] for shift, tap in enumerate(taps))
    width = gray.shape[1] - 2 * HALO
    soft = sum(tap * down[:, shift : width + shift] for shift, tap in enumerate(taps))
    return np.asarray((at(gray) - soft) ** 2)


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


def _relative_range(histogram: Means) -> float:
    present = np.flatnonzero(histogram)
    return float(present[-1] - present[0]) / max(float(present[-1]), 1.0)


def _as_is(mean: Means) -> Means:
    return mean


LOCAL_MEASURES: tuple[Measure, ...] = (
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
        lambda laplacian, gradient: laplacian / np.maximum(gradient, FLOOR),
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
    MapMeasure("contrast", "sum of absolute differences to the 8 neighbours [2.5]", lambda g: (_contrast(g),), _as_is),
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
    HistogramMeasure("normalised-dynamic-range", "range of gray levels over the brightest [2.9]", _relative_range),
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
    MapMeasure(
        "difference-of-gaussians",
        "energy of the difference to a Gaussian blur of two pixels [2.18]",
        lambda g: (_difference_of_gaussians(g),),
        _as_is,
    ),
)
"""A new one is a line here."""
