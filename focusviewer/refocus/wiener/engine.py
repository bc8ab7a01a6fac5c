"""A Wiener filter for the whole view, at the distance that a focus measure reads: nothing in its pictures is learned.

The filter is :func:`focusviewer.refocus.wiener.filters.wiener_transfer`. What no lens has passed is attenuated, not
kept: on real planes the error of the model of blur is larger than the noise of the camera, and the regularisation
``n`` stands for it (REGULARISATION, ours: chosen on real planes of stained tissue and smears).

Where the optics of the scanner were measured (:class:`focusviewer.optics.profile.OpticsProfile`), H is their transfer
function, for each colour with its own focus, and the power that they were measured to leave unexplained takes the place
of ``n s(f)``. One plane does not tell its side of focus: H is then the mean of both sides, and what they differ by is
unexplained too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray, FloatMap
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser
from focusviewer.refocus.baselines.views import nearest_plane
from focusviewer.refocus.blur_map import view_blur_um
from focusviewer.refocus.fast.assumed import assumed_transfer
from focusviewer.refocus.fast.glass import CELL_PX, left_alone, view_clearance
from focusviewer.refocus.fast.operators import equal_blur_um, lens_transfer
from focusviewer.refocus.wiener.filters import PictureSpectrum, measured_transfer, wiener_transfer

READER = "hvs-maxpol-2"
"""Focus model that reads the distance of the view."""

IN_FOCUS_UM = 0.2
"""Below this the view counts as in focus and is left as scanned."""

IN_FOCUS = "In focus as scanned."

REGULARISATION = ((1.2, 0.1), (1.8, 0.3), (np.inf, 1.0))
"""``n`` up to a distance from focus, um."""

_STEP_UM = 0.25  # of the filters that a target map is mixed from
_DEPTH_STEP_UM = 0.05


@dataclass(frozen=True)
class View:
    """What is kept of an encoded view."""

    spectra: tuple[PictureSpectrum, ...]  # of every plane
    depth_um: float  # where the tissue lies on the focus axis
    clearance_px: FloatMap  # of every cell from whatever is no bare glass
    profile: OpticsProfile | None = field(default=None, kw_only=True)
    sided: bool = field(default=False, kw_only=True)  # whether the side of focus of each plane is known


@dataclass(frozen=True)
class _AssumedView(View):
    """A view whose depth somebody has said."""


class WienerRefocuser(Refocuser):
    """One filter for all of a view; works from the acquired plane that is nearest to the target."""

    name = "wiener"
    halo_px = 64
    uses_profile = True

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        return self._encode_with(None, images, mpp, planes_um, focus_maps)

    def _encode_measured(
        self,
        images: tuple[RGB, ...],
        mpp: float,
        planes_um: tuple[float, ...],
        focus_maps: list[FloatMap] | None,
        profile: OpticsProfile,
    ) -> Encoded:
        return self._encode_with(profile, images, mpp, planes_um, focus_maps)

    def _encode_with(
        self,
        profile: OpticsProfile | None,
        images: tuple[RGB, ...],
        mpp: float,
        planes_um: tuple[float, ...],
        focus_maps: list[FloatMap] | None,
    ) -> Encoded:
        height, width = images[0].shape[:2]
        if focus_maps is None:
            read = np.array([view_blur_um(image, mpp, READER) for image in images])
            blurs = [float(um) for um in (read if profile is None else equal_blur_um(read, profile.optics))]
        else:
            blurs = [float(np.median(values)) for values in focus_maps]
        depth = _depth(blurs, planes_um)
        spectra = tuple(PictureSpectrum(image, mpp) for image in images)
        view = View(spectra, depth, view_clearance(images), profile=profile, sided=len(images) > 1)
        blur = np.full((height, width), max(depth - planes_um[0], 0.0), np.float32)
        notes = (IN_FOCUS,) if _is_in_focus(depth, planes_um) else ()
        return Encoded((height, width), mpp, planes_um, blur, view, notes, operators_only=True)

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """Keep the spectra; the filter's regularisation then rises smoothly with the distance."""
        view: View = encoded.state
        depth = encoded.planes_um[0] + distance_um
        said = _AssumedView(view.spectra, depth, view.clearance_px, profile=view.profile)
        blur = np.full(encoded.shape, distance_um, np.float32)
        return replace(encoded, blur_um=blur, state=said, notes=())

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        view: View = encoded.state
        target = np.asarray(target_um, np.float32)
        plane = nearest_plane(encoded, target)
        z_um = encoded.planes_um[plane]
        blur, residual = abs(view.depth_um - z_um), np.abs(target - np.float32(view.depth_um))
        if view.profile is not None and view.sided:
            blur, residual = z_um - view.depth_um, target - np.float32(view.depth_um)
        levels = _levels(float(residual.min()), float(residual.max()))
        made = np.zeros((*encoded.shape, 3), np.float32)
        for level in levels:
            share = 1.0 if len(levels) == 1 else np.maximum(1 - np.abs(residual - level) / _STEP_UM, 0)[..., None]
            made += share * self._filtered(view, plane, blur, level)
        return self._over_glass(encoded, view, made, plane, float(np.abs(target - np.float32(z_um)).max()))

    def _filtered(self, view: View, plane: int, blur_um: float, residual_um: float) -> FloatArray:
        """A plane that is ``blur_um`` out of focus as it is ``residual_um`` out of focus: float32 (H, W, 3)."""
        spectrum = view.spectra[plane]
        if view.profile is None:
            between = assumed_transfer if isinstance(view, _AssumedView) else transfer
            return spectrum.filtered(between(spectrum.table.frequency, blur_um, residual_um))
        if abs(blur_um) < IN_FOCUS_UM:
            blur_um = 0.0
        filters = measured_transfer(spectrum.table.frequency, blur_um, residual_um, view.profile, view.sided)
        return spectrum.filtered(filters)

    def _over_glass(self, encoded: Encoded, view: View, made: FloatArray, plane: int, shift_um: float) -> RGB:
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
        return np.ones((3, frequency.size), np.float32) if extra == 0 else lens_transfer(frequency, extra)
    n = regularisation(blur_um) * min(abs(1 - residual_um / blur_um), 1.0)
    return wiener_transfer(frequency, blur_um, residual_um, n)


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
