"""A Wiener filter for the whole view, at the distance that a focus measure reads: nothing in its pictures is learned.

The transfer from tissue ``b`` um out of focus to ``r`` um out of focus is (Wiener 1949, "Extrapolation, interpolation,
and smoothing of stationary time series"), for each colour at radial frequency f,

    T(f) = H_r H_b / (H_b^2 + n s(f)),   divided by T(0)

with H the transfer function of a lens of numerical aperture 0.7 relative to its focus and s the inverse power spectrum
of sharp sections (:func:`focusviewer.refocus.fast.operators.scarcity`). What no lens has passed is attenuated, not
kept: on real planes the error of the model of blur is larger than the noise of the camera, and the regularisation
``n`` stands for it (REGULARISATION, ours: chosen on real planes of stained tissue and smears).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray, FloatMap
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser
from focusviewer.refocus.baselines.spectra import from_spectrum, mirrored_frequencies, to_spectrum
from focusviewer.refocus.baselines.views import nearest_plane
from focusviewer.refocus.blur_map import view_blur_um
from focusviewer.refocus.fast.glass import CELL_PX, clearance, left_alone
from focusviewer.refocus.fast.operators import SCANNER, relative_transfer, scarcity

READER = "hvs-maxpol-2"
"""Focus model that reads the distance of the view."""

IN_FOCUS_UM = 0.2
"""Below this the view counts as in focus and is left as scanned."""

REGULARISATION = ((1.2, 0.1), (1.8, 0.3), (np.inf, 1.0))
"""``n`` up to a distance from focus, um."""

_FLOOR = 1e-4
_SAMPLES = 2048
_STEP_UM = 0.25  # of the filters that a target map is mixed from
_DEPTH_STEP_UM = 0.05


@dataclass(frozen=True)
class _View:
    spectra: tuple[FloatArray, ...]  # of every plane, float32 (3, H, W)
    depth_um: float  # where the tissue lies on the focus axis
    bins: FloatArray  # int32 (H, W), where in a table of radial frequencies each coefficient stands
    frequency: FloatArray  # float32 (F,), cycles per um
    clearance_px: FloatMap  # of every cell from whatever is no bare glass


class WienerRefocuser(Refocuser):
    """One filter for all of a view; works from the acquired plane that is nearest to the target."""

    name = "wiener"
    halo_px = 64

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        height, width = images[0].shape[:2]
        if focus_maps is None:
            blurs = [view_blur_um(image, mpp, READER) for image in images]
        else:
            blurs = [float(np.median(values)) for values in focus_maps]
        depth = _depth(blurs, planes_um)
        grid = mirrored_frequencies((height, width), mpp)
        frequency = np.linspace(0, float(grid[-1, -1]), _SAMPLES, dtype=np.float32)
        bins = np.rint(grid * ((_SAMPLES - 1) / frequency[-1])).astype(np.int32)
        spectra = tuple(to_spectrum(image.astype(np.float32)) for image in images)
        view = _View(spectra, depth, bins, frequency, _clearance(images))
        blur = np.full((height, width), max(depth - planes_um[0], 0.0), np.float32)
        notes = ("In focus as scanned.",) if _is_in_focus(depth, planes_um) else ()
        return Encoded((height, width), mpp, planes_um, blur, view, notes, operators_only=True)

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        view: _View = encoded.state
        target = np.asarray(target_um, np.float32)
        plane = nearest_plane(encoded, target)
        z_um = encoded.planes_um[plane]
        blur = abs(view.depth_um - z_um)
        residual = np.abs(target - np.float32(view.depth_um))
        levels = _levels(float(residual.min()), float(residual.max()))
        made = np.zeros((*encoded.shape, 3), np.float32)
        for level in levels:
            share = 1.0 if len(levels) == 1 else np.maximum(1 - np.abs(residual - level) / _STEP_UM, 0)[..., None]
            made += share * _filtered(view, plane, blur, level)
        return self._over_glass(encoded, view, made, plane, float(np.abs(target - np.float32(z_um)).max()))

    def _over_glass(self, encoded: Encoded, view: _View, made: FloatArray, plane: int, shift_um: float) -> RGB:
        """Leave bare glass, and what is nearly where it was scanned, as it is."""
        height, width = encoded.shape
        cells = left_alone(view.clearance_px, shift_um, encoded.mpp)
        kept = np.repeat(np.repeat(cells, CELL_PX, 0), CELL_PX, 1)[:height, :width]
        scan = encoded.images[plane].astype(np.float32)
        mixed = made + (scan - made) * kept[..., None]
        return np.asarray(np.clip(mixed, 0, 255) + 0.5, dtype=np.uint8)


def regularisation(blur_um: float) -> float:
    """``n`` for tissue that far out of focus."""
    return next(value for limit, value in REGULARISATION if blur_um < limit)


def transfer(frequency: FloatArray, blur_um: float, residual_um: float) -> FloatArray:
    """The filter from one distance from focus to another, um both: float32 (3, F).

    The regularisation grows with what is asked for: nothing is changed where ``residual_um`` is ``blur_um``.

    Parameters
    ----------
    frequency : float32 (F,)
        Cycles per um; the first is 0.
    """
    if blur_um < IN_FOCUS_UM:
        extra = float(np.sqrt(max(residual_um**2 - blur_um**2, 0.0)))
        return np.ones((3, frequency.size), np.float32) if extra == 0 else _relative(frequency, extra)
    blurred, wanted = _relative(frequency, blur_um), _relative(frequency, residual_um)
    n = regularisation(blur_um) * min(abs(1 - residual_um / blur_um), 1.0)
    found = wanted * blurred / (blurred**2 + n * scarcity(frequency) + _FLOOR)
    return np.asarray(found / found[:, :1], dtype=np.float32)


def _relative(frequency: FloatArray, z_um: float) -> FloatArray:
    return _cached_transfer(frequency.tobytes(), round(z_um, 3))


@lru_cache(maxsize=64)
def _cached_transfer(frequency: bytes, z_um: float) -> FloatArray:
    return relative_transfer(np.frombuffer(frequency, np.float32), z_um, SCANNER)


def _filtered(view: _View, plane: int, blur_um: float, residual_um: float) -> FloatArray:
    filters = transfer(view.frequency, blur_um, residual_um)
    spectrum = view.spectra[plane]
    out = np.empty_like(spectrum)
    for colour in range(3):
        np.multiply(spectrum[colour], filters[colour][view.bins], out=out[colour])
    return from_spectrum(out)


def _levels(low: float, high: float) -> list[float]:
    """Distances whose filters a target map is mixed from: one where it is even, else multiples of a step."""
    if high - low < 1e-3:
        return [(low + high) / 2]
    first, last = int(np.floor(low / _STEP_UM)), int(np.ceil(high / _STEP_UM))
    return [step * _STEP_UM for step in range(first, last + 1)]


def _depth(blurs: list[float], planes_um: tuple[float, ...]) -> float:
    """Where the tissue lies: on the positive side of one plane; of several where it fits all their readings best."""
    if len(planes_um) == 1:
        return planes_um[0] + blurs[0]
    depths = np.arange(planes_um[0] - MAX_Z_UM, planes_um[-1] + MAX_Z_UM + _DEPTH_STEP_UM / 2, _DEPTH_STEP_UM)
    errors = sum((np.abs(depths - z) - blur) ** 2 for z, blur in zip(planes_um, blurs, strict=True))
    return round(float(depths[int(np.argmin(errors))]), 6)


def _is_in_focus(depth_um: float, planes_um: tuple[float, ...]) -> bool:
    return len(planes_um) == 1 and abs(depth_um - planes_um[0]) < IN_FOCUS_UM


def _clearance(images: tuple[RGB, ...]) -> FloatMap:
    """Distance of every cell from whatever is no bare glass on any plane, px."""
    height, width = images[0].shape[:2]
    pads = ((0, -height % CELL_PX), (0, -width % CELL_PX), (0, 0))
    found = [clearance(np.pad(image, pads, mode="edge")) for image in images]
    return np.asarray(np.min(found, axis=0), dtype=np.float32)
