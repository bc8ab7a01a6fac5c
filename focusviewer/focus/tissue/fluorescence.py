"""Whether a slide is fluorescence, which the focus models and engines do not know, and where its specimens are."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB, Mask
from focusviewer.core.errors import UserError
from focusviewer.slides import Region, Slide

FLUORESCENCE_PX = 1024
"""Longest side of the picture of a slide that is looked at for a dark background."""

WHAT_IT_LOOKS_LIKE = "it looks like fluorescence"

_BLACK = 25
_HAZY, _HAZY_SKEW = 50, 4.0  # a ground that is not black, but even, and far below what glows
_DARK = 100
_EMPTY = 8
_BRIGHT = 180
_GLOW = 0.12  # of the way from the background to the brightest: what is no haze
_NOISE = 3.0  # times the darker half of the background's spread


class FluorescenceError(UserError):
    """A model of stained tissue in transmitted light was asked about a slide that looks like fluorescence."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot map the focus of {name} with this model",
            f"{WHAT_IT_LOOKS_LIKE}, and the model knows stained tissue in transmitted light only",
            "Take a measure that needs no training, such as the model tenengrad.",
        )


def looks_fluorescent(pixels: RGB) -> bool:
    """Whether a picture shows fluorescing specimens on a dark background.

    In transmitted light the background is the brightest part and hardly any tissue is black. In fluorescence most
    is dark, some of it black, and the bright part is the rare one. Black that surrounds a bright picture is what was
    not scanned.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    """
    brightest = pixels.max(axis=2)
    # The very brightest count: specimens may cover a thousandth of the picture.
    floor, middle, peak = np.percentile(brightest, [1, 50, 99.9])
    skew = 1.0 if floor < _BLACK else _HAZY_SKEW
    if floor >= _HAZY or middle >= _DARK or peak - middle <= skew * (middle - floor):
        return False
    shown = brightest[brightest > _EMPTY]
    return bool(shown.size == 0 or np.median(shown) < _BRIGHT)


def is_fluorescence(slide: Slide) -> bool:
    """Whether a slide is fluorescence, by a coarse picture of its middle plane.

    Raises
    ------
    SlideError
        If the slide cannot be read.
    """
    width, height = slide.dimensions
    level = slide.best_level(max(width, height) / FLUORESCENCE_PX)
    of_level = slide.levels[level]
    # Of a slide without a pyramid the middle is looked at, not the whole.
    take = (min(of_level.width, 2 * FLUORESCENCE_PX), min(of_level.height, 2 * FLUORESCENCE_PX))
    x = round((of_level.width - take[0]) / 2 * of_level.downsample)
    y = round((of_level.height - take[1]) / 2 * of_level.downsample)
    return looks_fluorescent(slide.read_region(Region(level, x, y, *take, len(slide.planes_um) // 2)))


def glowing(picture: RGB) -> Mask:
    """What glows in a low-resolution picture of fluorescence, in any colour: bool (H, W)."""
    brightest = picture.max(axis=2).astype(np.float32)
    floor, ground, peak = np.percentile(brightest, [1, 25, 99.9])
    return np.asarray(brightest > ground + max(_NOISE * (ground - floor), _GLOW * (peak - ground), 2.0))
