"""What real scans have and the simulator's model of blur does not explain, drawn at random onto simulated pictures.

Networks trained without it gain decibels on simulation and lose them on real planes: they trust the model of blur, and
take for blur what is only soft (finer pixels than the lens resolves, soft specimens).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics.camera import jpeg_round_trip
from focusviewer.refocus.baselines.spectra import from_spectrum, to_spectrum
from focusviewer.refocus.wiener.filters import frequency_table

_COSINES = 5
_LEAST_FACTOR, _MOST_FACTOR = 0.3, 1.8


@dataclass(frozen=True)
class Imperfections:
    """How much of each is drawn.

    Attributes
    ----------
    soft_share : float
        Share of fields that are softer than their pixels could be, both out of focus and in focus.
    soft_px : float
        Largest standard deviation of that softness, px; smaller ones are drawn more often.
    transfer_share, transfer_error : float
        Share of pictures with an error of the transfer function, and its standard deviation: smooth over frequency,
        mostly common to the colours, relative.
    foreign_share, foreign_power : float
        Share of pictures with structure that the sharp plane does not have, and its largest part of the power.
    noise_share, noise : float
        Share of pictures with noise beyond rounding, and its largest standard deviation (full scale = 1), white or
        correlated over up to 1.3 px.
    jpeg_share : float
        Share of pictures compressed, at qualities of 60 to 95.
    gray_share : float
        Share of pictures without colour.
    """

    soft_share: float = 0.75
    soft_px: float = 4.0
    transfer_share: float = 0.75
    transfer_error: float = 0.15
    foreign_share: float = 0.6
    foreign_power: float = 0.10
    noise_share: float = 0.95
    noise: float = 0.024
    jpeg_share: float = 0.45
    gray_share: float = 0.15


def record(
    blurred: RGB, sharp: RGB, foreign: RGB, what: Imperfections, mpp: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """What a real scanner might have recorded of a field, and how it is in focus.

    Parameters
    ----------
    blurred, sharp : uint8 (H, W, 3)
        The field out of focus and in focus, without noise.
    foreign : uint8 (H, W, 3)
        Another field, whose structure is mixed in.

    Returns
    -------
    float32 (H, W, 3) each, 0..1: the scan, rounded to 8 bits, and the target.
    """
    scan, target, other = (image.astype(np.float32) / np.float32(255) for image in (blurred, sharp, foreign))
    if rng.random() < what.gray_share:
        scan, target, other = (np.repeat(image.mean(-1, keepdims=True), 3, -1) for image in (scan, target, other))
    if rng.random() < what.soft_share:
        sigma = 0.3 + float(rng.uniform()) ** 1.4 * (what.soft_px - 0.3)
        scan, target = _softened(scan, sigma), _softened(target, sigma)
    if rng.random() < what.transfer_share:
        scan = _mistransferred(scan, what.transfer_error, mpp, rng)
    if rng.random() < what.foreign_share:
        other = other - other.mean((0, 1))
        power = rng.uniform(0.003, what.foreign_power) * scan.var() / max(float(other.var()), 1e-6)
        scan = scan + np.float32(np.sqrt(power) * rng.choice((-1.0, 1.0))) * other
    if rng.random() < what.noise_share:
        scan = scan + _noise(scan.shape, 0.002 + rng.uniform() ** 1.5 * (what.noise - 0.002), rng)
    pixels = np.asarray(np.clip(scan, 0, 1) * 255 + 0.5, np.uint8)
    if rng.random() < what.jpeg_share:
        pixels = jpeg_round_trip(pixels, int(rng.integers(60, 96)))
    return pixels.astype(np.float32) / np.float32(255), target


def _softened(image: FloatArray, sigma_px: float) -> FloatArray:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (sigma_px, sigma_px, 0)), np.float32)


def _mistransferred(image: FloatArray, error: float, mpp: float, rng: np.random.Generator) -> FloatArray:
    """Multiply the spectrum by 1 and a smooth random error for each colour; the mean stays."""
    table = frequency_table((image.shape[0], image.shape[1]), mpp)
    place = np.linspace(0, 1, table.frequency.size)
    waves = np.cos(np.pi * place * np.arange(1, _COSINES + 1)[:, None]) / (
        1 + 0.5 * np.arange(1, _COSINES + 1)[:, None]
    )

    def curve() -> FloatArray:
        return np.asarray(rng.standard_normal(_COSINES) @ waves, np.float32)

    common, spectrum = curve(), to_spectrum(image)
    for colour in range(3):
        relative = (0.8 * common + 0.6 * curve()) / np.float32(1.1)
        factor = np.clip(1 + error * (relative - relative[0]), _LEAST_FACTOR, _MOST_FACTOR).astype(np.float32)
        spectrum[colour] *= factor[table.bins]
    return from_spectrum(spectrum)


def _noise(shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> FloatArray:
    from scipy.ndimage import gaussian_filter

    grain = rng.standard_normal(shape, dtype=np.float32)
    sigma = rng.uniform(0, 1.3)
    if sigma > 0.3:
        grain = gaussian_filter(grain, (sigma, sigma, 0))
        grain /= max(float(grain.std()), 1e-6)
    return np.asarray(np.float32(deviation) * grain, np.float32)
