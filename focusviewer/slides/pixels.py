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

_AT_ONCE_PX = 8 << 20


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
        Stored values shown as 0 and 255; both None for unsigned 8-bit samples, which are taken as they are.
    """

    photometric: int = PHOTO_RGB
    alpha: str = ""
    colormap: npt.NDArray[np.uint8] | None = None
    low: float | None = None
    high: float | None = None

    def rgb(self, raw: Raw) -> RGB:
        """RGB of stored samples, uint8 (H, W, 3); alpha is laid over white."""
        rows = max(1, _AT_ONCE_PX // max(raw.shape[1], 1))
        if len(raw) <= rows or self._is_rgb(raw):
            return self._rgb(raw)
        out = np.empty((*raw.shape[:2], 3), np.uint8)
        for top in range(0, len(raw), rows):  # bounds the memory of conversions
            out[top : top + rows] = self._rgb(raw[top : top + rows])
        return out

    def _is_rgb(self, raw: Raw) -> bool:
        return self.photometric == PHOTO_RGB and raw.dtype == np.uint8 and raw.ndim == 3 and raw.shape[2] == 3

    def _rgb(self, raw: Raw) -> RGB:
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
        if raw.dtype.itemsize == 1:
            every = np.arange(256, dtype=np.uint8)
            return _scaled(every.view(raw.dtype), self.low, self.high)[np.ascontiguousarray(raw).view(np.uint8)]
        return _scaled(raw, self.low, self.high)


def _scaled(raw: Raw, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Stored values to 0 ... 255; what is no number becomes 0."""
    # Single precision has 24 bits: enough for 16-bit samples, not for the differences of large 32-bit ones.
    wide = raw.dtype.itemsize > (2 if raw.dtype.kind in "iu" else 4)
    values: npt.NDArray[Any] = raw.astype(np.float64 if wide else np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - low) * (255.0 / max(high - low, 1e-12))
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


def full_range(dtype: np.dtype[Any], bits: int) -> tuple[float | None, float | None]:
    """Stored values to show as black and white when samples have 8 bits or fewer: all that the bits can hold.

    Parameters
    ----------
    dtype : numpy dtype
        Of the decoded samples.
    bits : int
        Bits per sample in the file: 1 to 8.

    Returns
    -------
    (low, high); both None for unsigned 8-bit samples and truth values, which need no scaling
    """
    if dtype.kind == "b" or (dtype.kind == "u" and bits >= 8):
        return None, None
    if dtype.kind == "i":
        return -float(2 ** (bits - 1)), float(2 ** (bits - 1) - 1)
    return 0.0, float(2**bits - 1)


def value_range(samples: Sequence[Raw], colour: bool) -> tuple[float | None, float | None]:
    """Stored values to show as black and white, the same for every tile and plane of a file.

    Colour images keep their proportions: full scale is the number of bits really used (10, 12, 14, 16 ...).
    Gray images with more than 8 bits, mostly fluorescence, are stretched between the 0.1 and 99.9 percentiles; where
    that would make most of the bright patches white (few cells on a wide dark ground), up to the 99.9 percentile of
    the bright patches.
    Signed 8-bit samples show their whole range.

    Parameters
    ----------
    samples : sequence of arrays
        Stored samples, parts of the image that stand for the whole.
    colour : bool
        Whether there are three or more samples per pixel.
    """
    kept = [part for part in samples if part.size]
    if not kept:
        return None, None
    if kept[0].dtype.itemsize == 1:
        return full_range(kept[0].dtype, 8)
    thin = [part[:: _thin(part), :: _thin(part)] for part in kept]
    values = np.concatenate([part.ravel() for part in thin])
    values = values[:: 1 + len(values) // _MOST_VALUES].astype(np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    bottom, top = float(values.min()), float(values.max())
    if colour and kept[0].dtype.kind in "iu":
        bits = max(8, int(max(top, -bottom)).bit_length())
        full = float(2 ** (bits + bits % 2))
        return -full if bottom < 0 else 0.0, full - 1
    if colour:
        return min(bottom, 0.0), 1.0 if top <= 1 else 255.0 if top <= 255 else top
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    high = max(high, _patches_high(kept, low, high))
    if high <= low:
        low, high = bottom, top
    return (low, high) if high > low else (0.0, max(top, 1.0))


_MOST_VALUES = 4_000_000
_PATCH = 8
_FEWEST = 8
_BRIGHT = 0.75
"""Where in the range a patch begins to be bright: noise around one value has its patches in the middle."""


def _patches_high(parts: Sequence[Raw], low: float, high: float) -> float:
    """``high``, or the 99.9 percentile of the bright patches where more than half of these would be all white.

    Hot pixels do not fill half a patch, and a speck fills a few; cells fill more.
    """
    bright, white_ones = [np.empty((0, _PATCH * _PATCH))], 0
    for part in parts:
        rows, columns = part.shape[0] // _PATCH, part.shape[1] // _PATCH
        if part.ndim != 2 or not rows or not columns or high <= low:
            continue
        whole = part[: rows * _PATCH, : columns * _PATCH].reshape(rows, _PATCH, columns, _PATCH)
        patches = whole.swapaxes(1, 2).reshape(-1, _PATCH * _PATCH)
        patches = patches[patches.max(axis=1) > low + _BRIGHT * (high - low)].astype(np.float64)
        middle = np.median(patches, axis=1) if len(patches) else np.empty(0)
        bright.append(patches[middle > low + _BRIGHT * (high - low)])
        white_ones += int((middle >= high).sum())
    values = np.concatenate(bright)
    if white_ones < _FEWEST or 2 * white_ones <= len(values):
        return high
    values = values[np.isfinite(values)]
    return float(np.percentile(values, 99.9)) if values.size else high


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
