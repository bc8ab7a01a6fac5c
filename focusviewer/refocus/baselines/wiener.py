"""Wiener filters in optical density: with optics and distance known (an oracle), and with the distance estimated."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics.psf import Optics
from focusviewer.refocus.baselines.physical import OPTICS, PhysicalBaseline
from focusviewer.refocus.baselines.spectra import from_spectrum, mirrored_frequencies, relative_transfer, to_spectrum

Domain = Literal["density", "intensity"]
DOMAINS: tuple[Domain, ...] = ("density", "intensity")

QUANTISATION = 1 / 255 / 12**0.5
"""Standard deviation that rounding to 8 bits adds."""

_DARKEST = 1 / 255
_BINS = 96
_CERTAIN = 1e30  # every lens passes the mean, however little there is beside it

MISTRUST = 0.05
"""What is not known of optics and distance, as a part of the picture's power: it bounds how much is amplified."""

_ABOVE = 0.9  # of the highest frequency: no lens passes anything there, and what is found is noise


def oracle_wiener(
    image: RGB, optics: Optics, z_um: float, mpp: float, noise: float, domain: Domain | None = None
) -> RGB:
    """Restore a thin specimen that is a known distance out of focus of a known system.

    ``T = H S / (H^2 S + N)`` (Wiener 1949) for each colour, with the transfer function H relative to the lens in
    focus. N is the known noise, S the sharp picture's spectrum as far as the blurred one tells. No learned model may
    lose to it.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        The scan, ``z_um`` out of focus.
    z_um : float
        Distance from focus, um; at 0 the scan is returned as it is.
    mpp : float
        Pixel size, um.
    noise : float
        Standard deviation of white camera noise, full scale = 1.
    domain : "density" or "intensity", optional
        What the filter acts on; the wrong one costs decibels. Without it the one in which optics and noise
        explain the scan better.

    Returns
    -------
    uint8 (H, W, 3)
    """
    if z_um == 0:
        return image.copy()
    grid = mirrored_frequencies(image.shape[:2], mpp)
    transfer = relative_transfer(grid, z_um, optics)
    found = [_restore(image, transfer, grid, noise, kind) for kind in ([domain] if domain else DOMAINS)]
    return min(found, key=lambda pair: pair[1])[0]


def _restore(image: RGB, transfer: FloatArray, grid: FloatArray, noise: float, domain: Domain) -> tuple[RGB, float]:
    """The restored picture, and how unlikely the scan is if light adds up in this domain."""
    values, spread = to_domain(image, noise, domain)
    spectrum = to_spectrum(values)
    ratio, unlikely = signal_to_noise(spectrum, transfer, grid, spread)
    return from_domain(from_spectrum(spectrum * (transfer * ratio / (transfer**2 * ratio + 1))), domain), unlikely


def to_domain(image: RGB, noise: float, domain: Domain) -> tuple[FloatArray, FloatArray]:
    """Pixels as the values a filter acts on, and the noise's standard deviation in each colour of them.

    Returns
    -------
    float32 (H, W, 3) and float32 (3,)
    """
    light = image.astype(np.float32) / np.float32(255)
    sigma = float(np.hypot(noise, QUANTISATION))
    if domain == "intensity":
        return light, np.full(3, sigma, np.float32)
    light = np.maximum(light, np.float32(_DARKEST))
    # A density is the more uncertain, the darker the place: the mean of the variances.
    spread = np.sqrt(np.mean(np.square(sigma / (np.log(10) * light)), axis=(0, 1)))
    return -np.log10(light), np.asarray(spread, dtype=np.float32)


def from_domain(values: FloatArray, domain: Domain) -> RGB:
    """Pixels of filtered values: uint8 (H, W, 3)."""
    light = values if domain == "intensity" else np.power(np.float32(10), -values)
    return np.asarray(np.clip(light, 0, 1) * 255 + 0.5, dtype=np.uint8)


def signal_to_noise(
    spectrum: FloatArray, transfer: FloatArray, grid: FloatArray, spread: FloatArray
) -> tuple[FloatArray, float]:
    """Power of the sharp picture over that of the noise, at each frequency.

    Parameters
    ----------
    spectrum : float32 (3, H, W)
        Of the blurred picture.
    transfer : float32 (3, H, W)
        What blurred it.
    grid : float32 (H, W)
        Frequencies, cycles per um.
    spread : float32 (3,)
        Standard deviation of the noise.

    Returns
    -------
    float32 (3, H, W), and how far the scan's spectrum is from what optics and noise can make of any: a deviance.
    """
    bins = np.minimum((grid / grid.max() * _BINS).astype(np.int64), _BINS - 1).ravel()
    counts = np.bincount(bins, minlength=_BINS)
    centres = (np.arange(_BINS) + 0.5) / _BINS * float(grid.max())

    def radial(field: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(np.bincount(bins, field.ravel(), _BINS) / np.maximum(counts, 1))

    result, total = np.empty_like(transfer), 0.0
    for colour in range(3):
        noise = float(spread[colour]) ** 2
        power, passed = radial(spectrum[colour] ** 2), radial(transfer[colour] ** 2)
        curve = _likely_spectrum(centres, power, passed, counts, noise)
        result[colour] = np.exp(np.interp(grid, centres, np.log(curve / noise)))
        expected = passed * curve + noise
        share = (power + 1e-30) / expected
        total += float((counts * (share - np.log(share) - 1))[1:].sum())
    result[:, 0, 0] = _CERTAIN
    return result, total


def _likely_spectrum(
    frequency: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    passed: npt.NDArray[np.float64],
    counts: npt.NDArray[np.int64],
    noise: float,
) -> npt.NDArray[np.float64]:
    """``A f^-p exp(-c f^2)`` that makes the blurred, noisy spectrum most likely (Whittle 1953).

    Nothing else tells the spectrum where the lens passes little: extrapolating a fit of the clear part was measured to
    lose up to 10 dB.
    """
    from scipy.optimize import minimize

    logs, squares = np.log(frequency), frequency**2
    some = np.flatnonzero(counts)[1:]  # not the mean, nor what the picture's edges leave around it

    def model(parameters: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        level, slope, fall = parameters
        return np.asarray(np.exp(np.clip(level - abs(slope) * logs - abs(fall) * squares, -60, 60)))

    def unlikely(parameters: npt.NDArray[np.float64]) -> float:
        expected = passed * model(parameters) + noise
        return float((counts * (np.log(expected) + power / expected))[some].sum())

    slope = 2.5
    level = np.log(max(float(power[some[0]] / max(passed[some[0]], 0.1)), noise)) + slope * logs[some[0]]
    start = np.array([level, slope, 0.1])
    found = minimize(unlikely, start, method="Nelder-Mead", options={"maxiter": 300, "xatol": 1e-2, "fatol": 1.0})
    return model(found.x)


def white_noise(spectrum: FloatArray, grid: FloatArray) -> FloatArray:
    """Standard deviation of the noise in each colour, from the frequencies that no lens passes: float32 (3,).

    Compression takes them away, so it is never less than rounding leaves.
    """
    corner = grid > _ABOVE * grid.max()
    return np.asarray(np.sqrt(np.square(spectrum[:, corner]).mean(axis=1)), dtype=np.float32)


class WienerBlind(PhysicalBaseline):
    """The Wiener filter in optical density at the estimated distance, with the optics of an ordinary scanner.

    ``T = (H_r H_b + m H_r) / (H_b^2 + m + N / S)`` takes tissue from b to r out of focus. The mistrust m bounds the
    gain, and leaves as scanned what the lens did not pass.
    """

    name = "wiener-blind"

    def _refocus(self, image: RGB, mpp: float, blur_um: float, wanted_um: float) -> RGB:
        values, rounding = to_domain(image, 0.0, "density")
        grid = mirrored_frequencies(image.shape[:2], mpp)
        spectrum = to_spectrum(values)
        blurred, wanted = (relative_transfer(grid, z_um, OPTICS) for z_um in (blur_um, wanted_um))
        ratio, _ = signal_to_noise(spectrum, blurred, grid, np.maximum(white_noise(spectrum, grid), rounding))
        operator = (blurred + MISTRUST) * wanted / (blurred**2 + MISTRUST + 1 / ratio)
        return from_domain(from_spectrum(np.asarray(spectrum * operator, np.float32)), "density")
