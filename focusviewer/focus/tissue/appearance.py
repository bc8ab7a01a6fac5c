"""What is read off a low-resolution picture of a slide: density above glass, colour, texture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray

_COLOURLESS = 2.0  # spread of the channels (gray levels) that a gray camera does not reach
_COLOUR_POOR = 10.0  # the same for slides with hardly any stain
_SLAB = 96  # rows at a time: what is worked on stays in the processor's cache
_HALO = 2
_THREADS = 2
_SAMPLE_PX = 512  # along a side, for what concerns the picture as a whole


@dataclass(frozen=True)
class Appearance:
    """What is read off a low-resolution picture.

    Attributes
    ----------
    gray : float32 (H, W)
        Mean of the channels, gray levels.
    density : float32 (3, H, W)
        Optical density above glass, slightly smoothed.
    texture : float32 (H, W)
        Local spread, gray levels.
    colourless, colour_poor : bool
        The picture is gray throughout; it has next to no colour.
    """

    gray: FloatArray
    density: FloatArray
    texture: FloatArray
    colourless: bool
    colour_poor: bool

    @classmethod
    def at(cls, picture: RGB) -> Appearance:
        """Of a picture: uint8 (H, W, 3), bright field."""
        height, width = picture.shape[:2]
        step = max(1, min(height, width) // _SAMPLE_PX)
        sample = np.ascontiguousarray(picture[::step, ::step].transpose(2, 0, 1), np.float32)
        chroma = np.ptp(sample, axis=0)
        glass = find_glass(sample, sample.mean(axis=0), chroma)
        # A colour camera's glass is never quite gray: what is, comes from a gray camera.
        most = float(np.percentile(chroma, 99))
        gray, texture = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
        density = np.empty((3, height, width), np.float32)
        # Density by table: finer than a gray level, as smoothing makes it.
        table = np.log10(np.arange(256 * _FINE, dtype=np.float32) / np.float32(_FINE) + 1)
        offset = np.log10(glass + 1)

        def work(top: int) -> None:
            rows, inner = _with_halo(top, height)
            planes = np.ascontiguousarray(picture[rows].transpose(2, 0, 1), np.float32)
            own = slice(top, min(top + _SLAB, height))
            slab = planes.mean(axis=0)
            gray[own] = slab[inner]
            texture[own] = _spread(slab)[inner]
            smooth = box(planes, 1)[:, inner]
            codes = (smooth * np.float32(_FINE) + np.float32(0.5)).astype(np.uint16)
            for channel in range(3):
                np.subtract(offset[channel], table[codes[channel]], out=density[channel, own])

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(work, range(0, height, _SLAB)))
        return cls(gray, density, texture, most < _COLOURLESS, most < _COLOUR_POOR)


_FINE = 16  # steps of the table in a gray level


def _with_halo(top: int, height: int) -> tuple[npt.NDArray[np.intp], slice]:
    """Rows of a slab and around it, those beyond the edge repeated; and where the slab lies among them."""
    bottom = min(top + _SLAB, height)
    rows = np.clip(np.arange(top - _HALO, bottom + _HALO), 0, height - 1)
    return rows, slice(_HALO, _HALO + bottom - top)


def find_glass(planes: FloatArray, gray: FloatArray, chroma: FloatArray) -> FloatArray:
    """Colour of empty glass: the brightest common gray, or near-white when there is none: float32 (3,)."""
    near_white = np.full(3, 240, np.float32)
    pale = (gray > 140) & (chroma < 40)
    counts = np.bincount((gray[pale] / 2).astype(np.int64), minlength=129).astype(float)
    counts = np.convolve(counts, np.ones(5), mode="same")
    common = np.flatnonzero(counts > max(0.25 * counts.max(), 0.005 * gray.size))
    if not common.size:
        return near_white
    near = pale & (np.abs(gray - np.float32(2 * common[-1])) < 6)
    if not near.any():
        return near_white
    return np.array([np.median(plane[near]) for plane in planes], np.float32)


def box(values: FloatArray, radius: int) -> FloatArray:
    """Mean over squares of ``2 * radius + 1`` pixels of the last two axes, edges repeated."""
    for axis in (-2, -1):
        moved = np.moveaxis(values, axis, 0)
        total = moved.copy()
        for shift in range(1, radius + 1):
            total[shift:] += moved[:-shift]
            total[:-shift] += moved[shift:]
            total[:shift] += moved[:1]
            total[-shift:] += moved[-1:]
        total *= np.float32(1 / (2 * radius + 1))
        values = np.moveaxis(total, 0, axis)
    return values


def _spread(gray: FloatArray) -> FloatArray:
    """Standard deviation over 5x5 pixels."""
    centred = gray - np.float32(gray.mean())
    return np.asarray(np.sqrt(np.maximum(box(centred * centred, 2) - box(centred, 2) ** 2, 0)))


def wide_means(planes: Iterable[FloatArray], radius: int, scale: float) -> Iterator[FloatArray]:
    """Means over wide squares, as 8-bit pictures take them: of each plane, clipped to 0 .. 255 / ``scale``.

    Large pictures are halved for it.
    """
    from PIL import Image, ImageFilter

    for plane in planes:
        height, width = plane.shape
        picture = Image.fromarray(np.clip(plane * np.float32(scale), 0, 255).astype(np.uint8))
        halve = min(height, width) > _SAMPLE_PX and radius >= 4
        if halve:
            picture = picture.reduce(2)
        means = np.asarray(picture.filter(ImageFilter.BoxBlur(radius / 2 if halve else radius)), np.float32)
        means = means * np.float32(1 / scale)
        yield means.repeat(2, axis=0).repeat(2, axis=1)[:height, :width] if halve else means
