"""The camera: from light to the 8-bit pixels a scanner stores."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.optics.bayer import demosaic, mosaic


@dataclass(frozen=True)
class Camera:
    """Noise, colour filter, tone curve, sharpening and compression of a scanner, in this order.

    Parameters
    ----------
    noise : float
        Standard deviation of the additive noise, in units of full scale (a real 40x scanner: about 0.008).
    noise_correlation_px : float
        Gaussian sigma of the noise's spatial correlation, px (demosaicking makes it about 0.6); 0 is white.
    gamma : float
        The stored value is ``light ** (1 / gamma)``.
    sharpening : float
        Amount of unsharp masking (radius 1 px); 0 is none.
    jpeg_quality : int or None
        Compress and expand once at this quality.
    bayer : bool
        A colour filter array: each pixel measures one colour, the others are interpolated.
    monochrome : bool
        A gray camera: all channels hold the same.
    """

    noise: float = 0.004
    noise_correlation_px: float = 0.0
    gamma: float = 1.0
    sharpening: float = 0.0
    jpeg_quality: int | None = None
    bayer: bool = False
    monochrome: bool = False

    def capture(self, light: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Record an image.

        Parameters
        ----------
        light : float32 (H, W, 3)
            Intensity, 0..1.

        Returns
        -------
        uint8 (H, W, 3)
        """
        from scipy.ndimage import gaussian_filter

        image = np.clip(light, 0.0, 1.0)
        if self.monochrome:
            image = image.mean(axis=2, keepdims=True)
        if self.noise > 0:
            image = image + np.float32(self.noise) * self._grain(image.shape, rng)
        if self.bayer and not self.monochrome:
            image = demosaic(mosaic(image))
        if self.gamma != 1.0:
            image = np.clip(image, 0.0, 1.0) ** np.float32(1.0 / self.gamma)
        if self.sharpening > 0:
            image = image + self.sharpening * (image - gaussian_filter(image, (1.0, 1.0, 0)))
        pixels = (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
        if self.monochrome:
            pixels = np.repeat(pixels, 3, axis=2)
        return pixels if self.jpeg_quality is None else jpeg_round_trip(pixels, self.jpeg_quality)

    def _grain(self, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Noise of unit variance."""
        from scipy.ndimage import gaussian_filter

        grain = rng.standard_normal(shape, dtype=np.float32)
        if self.noise_correlation_px > 0:
            sigma = self.noise_correlation_px
            grain = gaussian_filter(grain, (sigma, sigma, 0))
            grain /= max(float(grain.std()), 1e-6)
        return grain


def jpeg_round_trip(pixels: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    """Compress to JPEG and back: uint8 (H, W, 3) to uint8 (H, W, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))
