"""The Refocuser interface: encode the planes of a view once, render any target focus many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap, check_planes
from focusviewer.core.errors import UserError
from focusviewer.optics.profile import OpticsProfile

MAX_Z_UM = 4.0
"""Largest refocusing distance any engine is asked for, in um."""

MAX_PLANES = 16
"""Most planes an engine is given."""

SUPPORTED_MPP = (0.15, 0.65)
"""Finest and coarsest pixel, um, that engines work at unless they say otherwise."""

SAME_Z_UM = 1e-6
"""A target this near to an acquired plane is that plane.

Far below the step of any focus drive, so that no picture that was computed is ever called acquired; above the rounding
of positions to six decimals, which searches and the focus slider do (it snaps to planes by itself).
"""


@dataclass(frozen=True)
class Encoded:
    """What an engine keeps of one view between slider steps.

    Attributes
    ----------
    shape : (H, W)
        Size of the view in pixels.
    mpp : float
        Pixel size of the view in um.
    planes_um : tuple of float
        z of the encoded planes, lowest first; targets are measured on the same axis.
    blur_um : float32 (H, W)
        The engine's estimate of where the tissue lies above the first (lowest) plane, in um: never negative with one
        plane, which cannot tell its side of focus.
    state : object
        The engine's own.
    notes : tuple of str
        What the user should know about this view, e.g. why it is left as scanned.
    operators_only : bool
        Whether the engine does nothing but mix filters that follow from the optics, so that by construction no detail
        comes from anywhere but the scan.
    images : tuple of uint8 (H, W, 3)
        The planes as scanned, lowest first; filled in by :meth:`Refocuser.encode`.
    profile : OpticsProfile or None
        The measured optics of the scanner that the engine works with; None where there are none, or it uses none.
    likely_um : (lowest, highest) or None
        Target z (um) between which the engine takes most of the tissue to lie, e.g. 10 to 90 % of its belief; None
        where it cannot tell.
    """

    shape: tuple[int, int]
    mpp: float
    planes_um: tuple[float, ...]
    blur_um: FloatMap
    state: Any
    notes: tuple[str, ...] = ()
    operators_only: bool = False
    images: tuple[RGB, ...] = ()
    profile: OpticsProfile | None = None
    likely_um: tuple[float, float] | None = None

    @property
    def best_z_um(self) -> float:
        """Target z (um) at which most of the view is sharpest."""
        return float(np.median(self.blur_um)) + self.planes_um[0]


class Refocuser(ABC):
    """Synthesises the view as the microscope would show it at another focus.

    The focus axis: a target ``z_um`` is a position of the focal plane on the axis of ``planes_um``. For a single
    plane at 0, ``z = 0`` is the scan as it is. One plane cannot tell on which side of focus it lies, so by
    convention the tissue is taken to lie on the positive side: turning towards ``+`` sharpens a blurred view.

    What all engines have in common is done here: arguments are checked, planes sorted, and acquired planes handed back
    as they are. An engine fills in :meth:`_encode` and :meth:`_render`.

    Attributes
    ----------
    name : str
        Registry name.
    version : str
        Changes when weights or code change the pictures.
    mpps : (finest, coarsest)
        Pixel sizes it works at, um.
    max_z_um : float
        How far from an acquired plane it is asked for, um.
    max_planes : int
        Most planes it takes.
    halo_px : int
        Context a tile needs on every side, so that tiles of one region agree.
    is_slow : bool
        Whether it takes seconds for a view; its entry in the registry says the same without building it.
    finds_focus : bool
        Whether its own depth of one plane is the focus to show it at: then the best focus is not searched for with a
        focus measure, which takes what denoising takes away for sharpness.
    uses_profile : bool
        Whether it works with the measured optics of the scanner where there are any: :meth:`_encode_measured`.
    """

    name: str
    version: str = "1"
    mpps: tuple[float, float] = SUPPORTED_MPP
    max_z_um: float = MAX_Z_UM
    max_planes: int = MAX_PLANES
    halo_px: int = 64
    is_slow: bool = False
    finds_focus: bool = False
    uses_profile: bool = False

    def parameters(self) -> int:
        """Number of trained parameters."""
        return 0

    @final
    def encode(
        self,
        images: Sequence[RGB],
        mpp: float,
        planes_um: Sequence[float] = (0.0,),
        focus_maps: Sequence[FloatMap] | None = None,
        profile: OpticsProfile | None = None,
    ) -> Encoded:
        """Encode a view, once for all targets.

        Parameters
        ----------
        images : sequence of uint8 (H, W, 3)
            One to ``max_planes`` planes of the same view, in any order.
        mpp : float
            Pixel size in um.
        planes_um : sequence of float
            z of each plane, um.
        focus_maps : sequence of float32 (H, W), optional
            Known |distance from focus| of each plane in um; estimated when missing.
        profile : OpticsProfile, optional
            Measured optics of the scanner; without it, or with an engine that uses none, the standard lens stands.

        Raises
        ------
        UserError
            If the engine does not work at this pixel size, or planes, positions and maps do not fit together; or its
            weights cannot be read.
        """
        self._check_scale(mpp)
        check_planes(images, planes_um, self.max_planes, "refocus")
        maps = None if focus_maps is None else [np.asarray(values, np.float32) for values in focus_maps]
        _check_maps(images, maps)
        order = np.argsort(planes_um, kind="stable")
        planes = tuple(images[index] for index in order)
        positions = tuple(float(planes_um[index]) for index in order)
        sorted_maps = None if maps is None else [maps[index] for index in order]
        if profile is None or not self.uses_profile:
            return replace(self._encode(planes, mpp, positions, sorted_maps), images=planes)
        encoded = self._encode_measured(planes, mpp, positions, sorted_maps, profile)
        return replace(encoded, images=planes, profile=profile)

    @final
    def render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        """The view at a target focus.

        Parameters
        ----------
        encoded : Encoded
            From :meth:`encode` of the same engine.
        target_um : float or float32 (H, W)
            Target z in um, one for all pixels or one for each. The z of an acquired plane returns that plane
            unchanged, bit for bit.

        Returns
        -------
        uint8 (H, W, 3)

        Raises
        ------
        UserError
            If the target is not a number everywhere, is a map of another size, or cannot be drawn from these planes.
        """
        if not np.isfinite(target_um).all():
            raise UserError("Cannot refocus", "the target is not a number everywhere", "")
        if np.ndim(target_um) > 0:
            return self._render(encoded, full_map(target_um, encoded.shape))
        z_um = float(target_um)
        plane = acquired_plane(encoded.planes_um, z_um)
        return self._render(encoded, z_um) if plane is None else encoded.images[plane].copy()

    @final
    def assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """The same view, its tissue taken to lie so far above its one plane everywhere, whatever the engine believes.

        What an engine can keep of the view is kept, so that the distance can be turned like a knob.

        Parameters
        ----------
        encoded : Encoded
            Of one plane, from :meth:`encode` of the same engine.
        distance_um : float
            0 to ``max_z_um``; 0 means in focus as scanned.

        Raises
        ------
        UserError
            If there are several planes, which tell by themselves where the tissue lies, or it is out of range.
        """
        if len(encoded.planes_um) > 1:
            raise UserError(
                "Cannot assume a distance from focus",
                f"the {len(encoded.planes_um)} planes tell where the tissue lies",
                "Use one plane, or the mode refocus.",
            )
        if not 0 <= distance_um <= self.max_z_um + SAME_Z_UM:
            raise UserError(
                f"Cannot assume {distance_um:g} um from focus",
                f"the engine {self.name} takes 0 to {self.max_z_um:g} um",
                "Assume a smaller distance.",
            )
        return replace(self._assume(encoded, float(distance_um)), images=encoded.images, likely_um=None)

    @final
    def all_in_focus_target(self, encoded: Encoded) -> FloatMap:
        """Target map that follows the tissue: every pixel at its own best focus, float32 (H, W)."""
        return full_map(self._all_in_focus_target(encoded), encoded.shape)

    @abstractmethod
    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        """Encode planes that were checked and sorted, lowest first; see :meth:`encode`."""

    def _encode_measured(
        self,
        images: tuple[RGB, ...],
        mpp: float,
        planes_um: tuple[float, ...],
        focus_maps: list[FloatMap] | None,
        profile: OpticsProfile,
    ) -> Encoded:
        """As :meth:`_encode`, with the measured optics of the scanner; for engines that say ``uses_profile``."""
        raise NotImplementedError(f"{self.name} says that it uses profiles")

    @abstractmethod
    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        """The view at a z that no plane was acquired at, or at a target map of the view's size; see :meth:`render`."""

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """See :meth:`assume`; an engine that need not encode the view again does better."""
        known = np.full(encoded.shape, distance_um, np.float32)
        return self.encode(encoded.images, encoded.mpp, encoded.planes_um, [known])

    def _all_in_focus_target(self, encoded: Encoded) -> FloatMap:
        return encoded.blur_um + np.float32(encoded.planes_um[0])

    def _check_scale(self, mpp: float) -> None:
        finest, coarsest = self.mpps
        if not finest <= mpp <= coarsest:
            raise UserError(
                f"Cannot refocus at {mpp:.3g} um per pixel",
                f"the engine {self.name} works from {finest:g} to {coarsest:g} um per pixel",
                "Zoom in, or use a scan of 20x or more." if mpp > coarsest else "Zoom out, or reduce the picture.",
            )


def _check_maps(images: Sequence[RGB], focus_maps: Sequence[FloatMap] | None) -> None:
    if focus_maps is None:
        return
    if len(focus_maps) != len(images) or any(part.shape != images[0].shape[:2] for part in focus_maps):
        raise UserError(
            "Cannot refocus", "the focus maps do not fit the planes", "Give one map of equal size for each."
        )


def acquired_plane(planes_um: Sequence[float], z_um: float) -> int | None:
    """Index of the plane that was acquired at a position, None between planes; see SAME_Z_UM."""
    return next((index for index, plane in enumerate(planes_um) if abs(plane - z_um) < SAME_Z_UM), None)


def full_map(target_um: float | FloatMap, shape: tuple[int, ...]) -> FloatMap:
    """A target for each pixel: float32 (H, W).

    Raises
    ------
    UserError
        If it is a map of another size.
    """
    if np.ndim(target_um) == 0:
        return np.full(shape, float(target_um), np.float32)
    full = np.asarray(target_um, np.float32)
    if full.shape != tuple(shape):
        raise UserError(
            "The target map does not fit", f"it is {full.shape}, the view {tuple(shape)}", "Use equal sizes."
        )
    return full
