"""How consistent a refocused picture is with its scan: for any engine, without knowing the truth.

The known optics take a picture in focus to the blurred one, so the more blurred one of the scan and the picture must
follow from the sharper one. What does not follow was invented, or the tissue is not at the depth that the engine
assumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.optics.psf import Optics
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.evidence.overshoot import overshoot

EXPLAINED_RMS, UNEXPLAINED_RMS = 0.0126, 0.04
"""Local difference from the scan (full scale 1) up to which confidence is 1 (38 dB), and from which it is 0."""

LOW_CONFIDENCE = 0.5
"""Confidence below which a place counts as not borne out by the scan."""

_CELL_PX = 4
_WINDOW_CELLS = 7
_PAD_PX = 32
_LEVELS = 4  # depths at which the blur is computed; between them it is mixed
_NOISE_RATIO = 0.005
_NO_NOISE = 1e-6
_SAMPLES = 384
_BLOCK_PX = 64
_GLASS_LEVEL = 0.8
_GLASS_SPREAD = 0.008
_GLASS_CELLS = 9


@dataclass(frozen=True)
class Confidence:
    """What :func:`confidence` finds.

    Attributes
    ----------
    reblur_db : float
        PSNR of the luminance between the more blurred one of scan and picture, and the sharper one blurred by the known
        operator. Bounded by the scan's noise; 99 when they are equal.
    map : float32 (H, W)
        1 where the picture explains the scan, 0 where it does not.
    residual_energy : float
        Share of the change, 0..1, that is not of the known operators. 0 for engines that do nothing but mix these
        (``encoded.operators_only``); for others measured as what no radial filter makes of the scan, block by block:
        operators that vary within a block leave up to a quarter, detail that was made up nearly all.
    background_change : float
        Change that 99 % of the pixels of empty glass stay within, gray levels of 255; 0 where there is no glass.
    overshoot : float32 (H, W) or None
        1 where the picture goes beyond the lights and darks of its scan, as halos and raised grain do, which blurring
        it back cannot see; None: it does so nowhere.
    """

    reblur_db: float
    map: FloatMap
    residual_energy: float
    background_change: float
    overshoot: FloatMap | None = None

    @property
    def trust(self) -> FloatMap:
        """What both maps say together: float32 (H, W), 1 where the picture explains the scan and stays within it."""
        return self.map if self.overshoot is None else self.map * (1 - self.overshoot)

    @property
    def beyond(self) -> float:
        """Share of the picture that goes beyond the lights and darks of its scan, 0..1."""
        return 0.0 if self.overshoot is None else float(np.mean(self.overshoot > LOW_CONFIDENCE))

    @property
    def not_borne_out(self) -> float:
        """Share of the picture that the scan does not bear out, for one reason or the other, 0..1."""
        return float(np.mean(self.trust < LOW_CONFIDENCE))


def confidence(encoded: Encoded, images: Sequence[RGB], rendered: RGB, target_um: float | FloatMap) -> Confidence:
    """Blur a refocused picture back to its scan, and say how well they agree.

    Parameters
    ----------
    encoded : Encoded
        Of any engine.
    images : sequence of uint8 (H, W, 3)
        The planes that were encoded, in the order of ``encoded.planes_um``.
    rendered : uint8 (H, W, 3)
        What the engine made of them.
    target_um : float or float32 (H, W)
        The target it was rendered for.

    Returns
    -------
    Confidence
        Against the plane that is nearest to the target.
    """
    target = np.asarray(target_um, np.float32)
    nearest = int(np.argmin([float(np.mean(np.abs(target - z))) for z in encoded.planes_um]))
    scan = images[nearest]
    depth = encoded.blur_um + np.float32(encoded.planes_um[0])
    scan_light, made_light = (_planar(image) for image in (scan, rendered))
    scan_gray, made_gray = (light.mean(axis=0) for light in (scan_light, made_light))
    change = made_gray - scan_gray
    if not change.any():
        return Confidence(99.0, np.ones(scan.shape[:2], np.float32), 0.0, 0.0)
    scan_blur, made_blur = np.abs(depth - encoded.planes_um[nearest]), np.abs(depth - target)
    difference = np.zeros_like(change)
    from focusviewer.refocus.fast.operators import SCANNER

    optics = SCANNER if encoded.profile is None else encoded.profile.optics
    sharpened = made_blur <= scan_blur
    if sharpened.any():
        again = _reblurred(made_light, made_blur, scan_blur, encoded.mpp, optics)
        difference = np.where(sharpened, again - scan_gray, difference)
    if not sharpened.all():
        again = _reblurred(scan_light, scan_blur, made_blur, encoded.mpp, optics)
        difference = np.where(sharpened, difference, again - made_gray)
    return Confidence(
        _decibel(difference),
        _trust(difference),
        0.0 if encoded.operators_only else _residual_share(scan_gray, change),
        _glass_change(scan_gray, scan, rendered),
        overshoot(images, rendered, encoded.mpp),
    )


def _planar(image: RGB) -> FloatMap:
    return np.ascontiguousarray(np.moveaxis(image, -1, 0), dtype=np.float32) / np.float32(255)


def _reblurred(light: FloatMap, blur_um: FloatMap, wanted_um: FloatMap, mpp: float, optics: Optics) -> FloatMap:
    """Luminance of a picture (3, H, W), everywhere ``blur_um`` from focus, blurred on to ``wanted_um``."""
    import scipy.fft

    height, width = light.shape[1:]
    size = tuple(scipy.fft.next_fast_len(side + 2 * _PAD_PX, real=True) for side in (height, width))
    pads = ((0, 0), *((_PAD_PX, full - side - _PAD_PX) for full, side in zip(size, (height, width), strict=True)))
    spectrum = scipy.fft.rfft2(np.pad(light, pads, mode="symmetric"), axes=(1, 2))
    # What is mixed between are pairs (blur, wanted); along a view they lie on a line or close to one.
    further = np.maximum(wanted_um, blur_um)
    levels = np.unique(np.quantile(further[::8, ::8], np.linspace(0.02, 0.98, _LEVELS)).round(2))
    position = np.interp(further, levels, np.arange(levels.size))
    result = np.zeros((height, width), np.float32)
    for index in range(levels.size):
        share = np.clip(1 - np.abs(position - index), 0, 1).astype(np.float32)
        total = float(share.sum())
        if total == 0.0:
            continue
        pair = (float((blur * share).sum()) / total for blur in (blur_um, further))
        transfer = _operator(size, mpp, optics, *(round(blur, 2) for blur in pair))
        mixed = np.einsum("cij,cij->ij", spectrum, transfer) / np.float32(3)
        whole = scipy.fft.irfft2(mixed, s=size, overwrite_x=True)
        result += share * whole[_PAD_PX : _PAD_PX + height, _PAD_PX : _PAD_PX + width]
    return result


def _operator(size: tuple[int, ...], mpp: float, optics: Optics, blur_um: float, wanted_um: float) -> FloatMap:
    """Transfer function from one defocus to a larger one: float32 (3, H, W // 2 + 1)."""
    from focusviewer.refocus.fast.operators import operator

    radial = np.linspace(0, np.sqrt(0.5) / mpp, _SAMPLES, dtype=np.float32)
    table = operator(radial, blur_um, wanted_um, _NOISE_RATIO if blur_um > 0.1 else _NO_NOISE, optics)
    return np.asarray(table.take(_bins((size[0], size[1])), axis=1), dtype=np.float32)


@lru_cache(maxsize=4)
def _bins(size: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Sample of a radial table for each coefficient of ``rfft2``."""
    from focusviewer.optics.psf import frequency_grid

    position = np.minimum(frequency_grid(size, 1.0) * (_SAMPLES / np.sqrt(0.5)), _SAMPLES - 1)
    return np.asarray(position, dtype=np.intp)


def _decibel(difference: FloatMap) -> float:
    error = float(np.mean(np.square(difference)))
    return min(99.0, -10.0 * float(np.log10(max(error, 1e-12))))


def _trust(difference: FloatMap) -> FloatMap:
    from scipy.ndimage import uniform_filter

    from focusviewer.refocus.fast.guards import smooth_step

    squared = uniform_filter(_cells(np.square(difference)), _WINDOW_CELLS, mode="nearest")
    rms = np.sqrt(np.maximum(squared, 0))
    trust = np.asarray(1 - smooth_step(rms, EXPLAINED_RMS, UNEXPLAINED_RMS), dtype=np.float32)
    return _pixels(trust, difference.shape)


def _cells(values: FloatMap) -> FloatMap:
    """Means of square cells; the last ones are filled up by the border."""
    pads = [(0, -side % _CELL_PX) for side in values.shape]
    full = np.pad(values, pads, mode="edge") if any(after for _, after in pads) else values
    rows, columns = (side // _CELL_PX for side in full.shape)
    return np.asarray(full.reshape(rows, _CELL_PX, columns, _CELL_PX).mean(axis=(1, 3)), dtype=np.float32)


def _pixels(cells: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return cells.repeat(_CELL_PX, axis=0).repeat(_CELL_PX, axis=1)[: shape[0], : shape[1]]


def _residual_share(scan: FloatMap, change: FloatMap) -> float:
    """Share of the change's energy that no radial filter of the scan explains, each block by itself."""
    import scipy.fft

    spectra = [scipy.fft.rfft2(_blocks(values), axes=(1, 2)).reshape(-1, _BLOCK_PX * (_BLOCK_PX // 2 + 1))
               for values in (scan, change)]  # fmt: skip
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(_BLOCK_PX), np.fft.rfftfreq(_BLOCK_PX), indexing="ij")).ravel()
    ring = np.minimum((radius * _BLOCK_PX + 0.5).astype(int), _BLOCK_PX // 2)
    member = np.zeros((radius.size, ring.max() + 1), np.float32)
    member[np.arange(radius.size), ring] = 1.0
    scan_power = np.square(np.abs(spectra[0])) @ member
    total = np.square(np.abs(spectra[1])) @ member
    common = np.square((spectra[0].conj() * spectra[1]).real @ member) / np.maximum(scan_power, 1e-12)
    energy = float(total.sum())
    return float(np.clip(1 - common.sum() / energy, 0, 1)) if energy > 0 else 0.0


def _blocks(values: FloatMap) -> FloatMap:
    """Windowed square blocks, side by side, without their means: float32 (N, 64, 64)."""
    size = _BLOCK_PX
    short = [max(0, size - side) for side in values.shape]
    values = np.pad(values, [(0, missing) for missing in short], mode="symmetric") if any(short) else values
    rows, columns = (side // size for side in values.shape)
    squares = values[: rows * size, : columns * size].reshape(rows, size, columns, size)
    cut: npt.NDArray[np.float32] = np.moveaxis(squares, 2, 1).reshape(-1, size, size)
    window = np.hanning(size).astype(np.float32)
    return np.asarray((cut - cut.mean(axis=(1, 2), keepdims=True)) * (window[:, None] * window), dtype=np.float32)


def _glass_change(gray: FloatMap, scan: RGB, rendered: RGB) -> float:
    """What 99 % of the pixels of bright, bare glass stay within; the others may be specks of dust on it."""
    from scipy.ndimage import uniform_filter

    cells = _cells(gray)
    mean = uniform_filter(cells, _GLASS_CELLS, mode="nearest")
    spread = uniform_filter(np.square(cells), _GLASS_CELLS, mode="nearest") - np.square(mean)
    flat = (mean > _GLASS_LEVEL) & (spread < _GLASS_SPREAD**2)
    if not flat.any():
        return 0.0
    # Pale tissue out of focus may be as flat; nothing is brighter than glass.
    glass = _pixels(flat & (mean > np.quantile(mean[flat], 0.9) - 2 * _GLASS_SPREAD), gray.shape)
    if not glass.any():
        return 0.0
    change = np.abs(rendered[glass].astype(np.int16) - scan[glass]).max(axis=1)
    return float(np.percentile(change, 99, method="higher"))
