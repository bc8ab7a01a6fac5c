"""Turning whatever a file stores into 8-bit RGB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import Region

Raw = npt.NDArray[Any]
"""Samples as stored: (H, W) or (H, W, samples), any dtype."""

MIN_IS_WHITE, MIN_IS_BLACK, PHOTO_RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
"""TIFF photometric interpretations, used here for every format."""


def white(height: int, width: int) -> RGB:
    """White uint8 (height, width, 3)."""
    return np.full((height, width, 3), 255, np.uint8)


def region_of(picture: RGB, region: Region) -> RGB:
    """A region of a picture that is in memory (level 0), white outside: uint8 (height, width, 3)."""
    out = white(region.height, region.width)
    height, width = picture.shape[:2]
    x0, x1 = max(region.x, 0), min(region.x + region.width, width)
    y0, y1 = max(region.y, 0), min(region.y + region.height, height)
    if x1 > x0 and y1 > y0:
        out[y0 - region.y : y1 - region.y, x0 - region.x : x1 - region.x] = picture[y0:y1, x0:x1]
    return out


@dataclass(frozen=True)
class PixelFormat:
    """How stored samples become RGB.

    Parameters
    ----------
    photometric : int
        TIFF code.
    alpha : str
        ``""`` (none, or a fourth sample without a meaning), ``"straight"`` or ``"premultiplied"``.
    colormap : uint8 (entries, 3), optional
        For palette images.
    low, high : float, optional
        Stored values shown as 0 and 255; both None for 8-bit samples, which are taken as they are.
    """

    photometric: int = PHOTO_RGB
    alpha: str = ""
    colormap: npt.NDArray[np.uint8] | None = None
    low: float | None = None
    high: float | None = None

    def rgb(self, raw: Raw) -> RGB:
        """RGB of stored samples, uint8 (H, W, 3); alpha is laid over white."""
        if self.photometric == PALETTE and self.colormap is not None:
            index = raw if raw.ndim == 2 else raw[..., 0]
            return self.colormap[np.minimum(index, len(self.colormap) - 1)]
        pixels = self._eight_bit(raw)
        if pixels.ndim == 2 or pixels.shape[2] < 3:
            return self._gray(pixels)
        if self.photometric == CMYK and pixels.shape[2] >= 4:
            ink = 255 - pixels[..., :4].astype(np.uint16)
            return ((ink[..., :3] * ink[..., 3:] + 127) // 255).astype(np.uint8)
        if pixels.shape[2] > 3:
            return over_white(pixels[..., :3], pixels[..., 3], self.alpha)
        return np.ascontiguousarray(pixels)

    def _gray(self, pixels: npt.NDArray[np.uint8]) -> RGB:
        value = pixels if pixels.ndim == 2 else pixels[..., 0]
        if self.photometric == MIN_IS_WHITE:
            value = 255 - value
        if pixels.ndim == 3 and pixels.shape[2] == 2 and self.alpha:
            return over_white(np.repeat(value[..., None], 3, axis=2), pixels[..., 1], self.alpha)
        return np.repeat(value[..., None], 3, axis=2)

    def _eight_bit(self, raw: Raw) -> npt.NDArray[np.uint8]:
        if raw.dtype == np.bool_:
            return np.where(raw, np.uint8(255), np.uint8(0))
        if self.low is None or self.high is None:
            return raw if raw.dtype == np.uint8 else np.clip(raw, 0, 255).astype(np.uint8)
        scaled = (raw.astype(np.float32) - self.low) * (255.0 / max(self.high - self.low, 1e-12))
        result: npt.NDArray[np.uint8] = np.clip(np.nan_to_num(scaled) + 0.5, 0, 255).astype(np.uint8)
        return result


def over_white(rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], kind: str) -> RGB:
    """Lay pixels over white.

    Parameters
    ----------
    rgb : uint8 (H, W, 3)
    alpha : uint8 (H, W)
    kind : str
        ``"straight"``, ``"premultiplied"``, or ``""`` to leave the fourth sample out.
    """
    if not kind or alpha.size == 0 or alpha.min() == 255:
        return np.ascontiguousarray(rgb)
    weight = alpha[..., None].astype(np.uint16)
    if kind == "premultiplied":
        added: RGB = np.minimum(rgb.astype(np.uint16) + (255 - weight), 255).astype(np.uint8)
        return added
    return ((rgb * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def value_range(samples: Sequence[Raw], colour: bool) -> tuple[float | None, float | None]:
    """Stored values to show as black and white, the same for every tile and plane of a file.

    Colour images keep their proportions: full scale is the number of bits really used (10, 12, 14, 16 ...).
    Gray images with more than 8 bits, mostly fluorescence, are stretched between the 0.1 and 99.9 percentiles.

    Parameters
    ----------
    samples : sequence of arrays
        Stored samples, parts of the image that stand for the whole.
    colour : bool
        Whether there are three or more samples per pixel.
    """
    kept = [part for part in samples if part.size]
    if not kept or kept[0].dtype in (np.uint8, np.bool_):
        return None, None
    values = np.concatenate([part[:: _thin(part), :: _thin(part)].ravel() for part in kept]).astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    top = float(values.max())
    if colour and np.issubdtype(kept[0].dtype, np.integer):
        bits = max(8, int(top).bit_length())
        return 0.0, float(2 ** (bits + bits % 2) - 1)
    if colour:
        return 0.0, 1.0 if top <= 1 else 255.0 if top <= 255 else top
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    if high <= low:
        low, high = float(values.min()), top
    return (low, high) if high > low else (0.0, max(top, 1.0))


def _thin(part: Raw) -> int:
    """Stride that leaves about 500 x 500 samples of an image."""
    return max(1, int((part.shape[0] * part.shape[1]) ** 0.5 // 500))


def halve(image: RGB) -> RGB:
    """Area average by 2; an odd last row or column is dropped, but at least one pixel stays."""
    return shrink(image, 2)


def shrink(image: RGB, factor: int) -> RGB:
    """Area average by a whole factor.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    factor : int

    Returns
    -------
    uint8 (max(1, H // factor), max(1, W // factor), 3)
    """
    if factor <= 1:
        return image
    from PIL import Image

    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    part = image[: height or image.shape[0], : width or image.shape[1]]
    # Pillow averages in C with the interpreter lock released, several times faster than NumPy.
    reduced = Image.fromarray(np.ascontiguousarray(part)).reduce(factor)
    return np.asarray(reduced)


def resample(image: RGB, box: tuple[float, float, float, float], width: int, height: int) -> RGB:
    """Area-average the part ``box`` (x0, y0, x1, y1 in pixels) of an image to uint8 (height, width, 3)."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX, box=box))
