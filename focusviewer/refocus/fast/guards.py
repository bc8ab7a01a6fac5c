"""When the fast engine must leave a place as it was scanned.

Two measurements on real planes made these guards necessary. A selector is never sure that a sharp image is sharp, and
a little sharpening of an image in focus costs more than it gives at half a micron. And specimens that refract (smears,
cells in air) show rims brighter than bare glass when out of focus, which no absorbing section does: the operators know
absorption only, and sharpen such rims into something that is not there. The price: some pale sections with bright gaps
are taken for refracting and left as scanned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap

IN_FOCUS_UM = (0.5, 0.9)
"""Estimated defocus below which nothing is done, and from which all is done: about half the depth of field of a 40x
lens, within which there is little to gain and a sharp image to lose."""

GLASS_LEVEL = 0.8
GLASS_SHARE = 0.15
GLASS_SPREAD = 0.03
SATURATED = 0.975
AREA_PX = 15
RIM_EXCESS = 0.04
RIM_SHARE = (0.02, 0.05)
RIM_PURITY = (0.5, 0.6)  # share of rims among all that is brighter than the glass
_NEIGHBOURHOOD_CELLS = 15
_GRAYS = np.arange(3 * 255 + 1) / (3 * 255)  # of every sum of the colours


def smooth_step(value: npt.NDArray[np.floating] | float, low: float, high: float) -> FloatMap:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((np.asarray(value, np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def refraction(pixels: npt.NDArray[np.uint8]) -> float:
    """Whether a view shows a refracting specimen: 0 (no) to 1 (yes).

    Only a view with much bare, bright glass can tell: then pixels clearly brighter than the glass are counted.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    """
    sums, counts = gray_levels(pixels)
    glass = glass_level(sums, counts)
    bare = np.abs(_GRAYS - glass) < GLASS_SPREAD
    if glass < GLASS_LEVEL or counts[bare].sum() < GLASS_SHARE * sums.size:
        return 0.0
    bright = glass + RIM_EXCESS < _GRAYS
    if counts[bright].sum() <= RIM_SHARE[0] * sums.size:
        return 0.0
    brighter = bright[sums]
    rims = brighter & ~_covers_area(brighter)  # brighter areas are glass, and what was taken for it is pale tissue
    purity = float(rims.sum()) / float(brighter.sum())
    return float(smooth_step(purity, *RIM_PURITY) * smooth_step(float(rims.mean()), *RIM_SHARE))


def gray_levels(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Red, green and blue together, 0 to 765, of every pixel (H, W); and how many pixels have each sum."""
    sums = pixels[..., 0].astype(np.uint16)
    sums += pixels[..., 1]
    sums += pixels[..., 2]
    return sums, np.bincount(sums.ravel(), minlength=_GRAYS.size)


def _covers_area(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels whose neighbourhood is mostly in the mask as well."""
    from scipy.ndimage import uniform_filter

    return np.asarray(mask & (uniform_filter(mask.astype(np.float32), AREA_PX) > 0.7))


def glass_level(sums: npt.NDArray[np.uint16], counts: npt.NDArray[np.int64]) -> float:
    """The most frequent bright gray value; saturated pixels count only where they cover areas, as bare glass does."""
    nearly_white = _GRAYS >= SATURATED
    top = SATURATED
    if counts[nearly_white].any():
        saturated = nearly_white[sums]
        top = 1.0 if _covers_area(saturated).sum() > 0.4 * saturated.sum() else SATURATED
    found, edges = np.histogram(_GRAYS, bins=128, range=(0.0, 1.0), weights=counts)
    found[edges[:-1] >= top - 1 / 128] = 0
    smooth = np.convolve(found, [1, 2, 3, 2, 1], mode="same")
    bright = int(0.6 * 128)
    return float(edges[bright + int(np.argmax(smooth[bright:]))]) + 0.5 / 128


def hold_back(weights: FloatMap, blur_um: FloatMap, refracting: float) -> FloatMap:
    """Move belief to "in focus" where little is wrong, or where the operators do not apply.

    Parameters
    ----------
    weights : float32 (K, h, w)
        Probability of each hypothesis; the first one is "in focus".
    blur_um : float32 (K,)
        Defocus of each hypothesis.
    refracting : float
        From :func:`refraction`.

    Returns
    -------
    float32 (K, h, w), sums to 1 over K.
    """
    from scipy.ndimage import uniform_filter

    mean = np.tensordot(blur_um, weights, 1)
    around = uniform_filter(mean, _NEIGHBOURHOOD_CELLS, mode="nearest")
    trust = smooth_step(around, *IN_FOCUS_UM) * np.float32(1.0 - refracting)
    held = weights * trust
    held[0] += 1.0 - trust
    return np.asarray(held, dtype=np.float32)
