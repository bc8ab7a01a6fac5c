"""Stand-ins for tests of the focus room: a slide in memory, and pictures that look enough like tissue."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from focusviewer.core.arrays import RGB
from focusviewer.slides import Level, Region, Slide, SlideInfo


class MemorySlide(Slide):
    """A slide of arrays: a pyramid by averaging, one or more planes; counts its reads."""

    def __init__(
        self,
        picture: RGB,
        mpp: float | None = None,
        downsamples: tuple[int, ...] = (1, 4),
        fingerprint: str = "memory",
        before_read: Callable[[Region], None] | None = None,
    ) -> None:
        height, width = picture.shape[:2]
        self.pixels = [
            np.ascontiguousarray(
                picture[: height // d * d, : width // d * d]
                .reshape(height // d, d, width // d, d, 3)
                .mean(axis=(1, 3))
                .round()
                .astype(np.uint8)
            )
            for d in downsamples
        ]
        levels = tuple(Level(p.shape[1], p.shape[0], float(d)) for p, d in zip(self.pixels, downsamples, strict=True))
        self.info = SlideInfo(Path("memory.svs"), "memory", None, levels, mpp, mpp, fingerprint=fingerprint)
        self.before_read = before_read
        self.read_px = 0

    def read_region(self, region: Region) -> RGB:
        if self.before_read is not None:
            self.before_read(region)
        pixels = self.pixels[region.level]
        ratio = self.levels[region.level].downsample
        x, y = round(region.x / ratio), round(region.y / ratio)
        out = np.full((region.height, region.width, 3), 255, np.uint8)
        x0, y0 = max(0, x), max(0, y)
        x1, y1 = min(pixels.shape[1], x + region.width), min(pixels.shape[0], y + region.height)
        if x1 > x0 and y1 > y0:
            out[y0 - y : y1 - y, x0 - x : x1 - x] = pixels[y0:y1, x0:x1]
        self.read_px += region.width * region.height
        return out

    def close(self) -> None:
        pass


@functools.cache
def tissue_picture(width: int, height: int, seed: int = 1) -> RGB:
    """Pink ground with fine texture and dark blue blobs."""
    rng = np.random.default_rng(seed)
    fine = ndimage.gaussian_filter(rng.standard_normal((height, width)), 0.8)
    blobs = ndimage.gaussian_filter(rng.standard_normal((height, width)), 4)
    nuclei = ndimage.gaussian_filter((blobs > 1.2 * blobs.std()).astype(float), 0.7)[..., None]
    ground = np.array([225, 150, 190]) + 25 * fine[..., None] / fine.std() * np.array([0.5, 1.0, 0.7])
    picture = ground * (1 - nuclei) + np.array([85, 60, 140]) * nuclei
    result = np.clip(picture + rng.normal(0, 1.0, picture.shape), 0, 255).astype(np.uint8)
    result.flags.writeable = False  # shared between tests
    return result


def blur(picture: RGB, sigma: float) -> RGB:
    """Gaussian blur, with a trace of camera noise as a real blurred picture has."""
    soft = ndimage.gaussian_filter(picture.astype(float), (sigma, sigma, 0))
    noise = np.random.default_rng(5).normal(0, 1.0, picture.shape)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)
