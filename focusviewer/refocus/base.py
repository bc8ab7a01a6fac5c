"""The Refocuser interface: encode the planes of a view once, render any target focus many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.errors import UserError

MAX_Z_UM = 4.0
"""Largest refocusing distance any engine is asked for, in um."""

MAX_PLANES = 16
"""Most planes an engine is given."""

SAME_Z_UM = 1e-6
"""A target this near to an acquired plane is that plane."""


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
        z of the encoded planes; targets are measured on the same axis.
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
    """

    shape: tuple[int, int]
    mpp: float
    planes_um: tuple[float, ...]
    blur_um: FloatMap
    state: Any
    notes: tuple[str, ...] = ()
    operators_only: bool = False

    @property
    def best_z_um(self) -> float:
        """Target z (um) at which most of the view is sharpest."""
        return float(np.median(self.blur_um)) + self.planes_um[0]


class Refocuser(ABC):
    """Synthesises the view as the microscope would show it at another focus.

    The focus axis: a target ``z_um`` is a position of the focal plane on the axis of ``planes_um``. For a single
    plane at 0, ``z = 0`` is the scan as it is. One plane cannot tell on which side of focus it lies, so by
    convention the tissue is taken to lie on the positive side: turning towards ``+`` sharpens a blurred view.
    """

    name: str
    max_z_um: float = MAX_Z_UM
    halo_px: int = 64  # context a tile needs on every side, so that tiles of one region agree
    version: str = "1"

    def parameters(self) -> int:
        """Number of trained parameters."""
        return 0

    @abstractmethod
    def encode(
        self,
        images: Sequence[RGB],
        mpp: float,
        planes_um: Sequence[float] = (0.0,),
        focus_maps: Sequence[FloatMap] | None = None,
    ) -> Encoded:
        """Study a view once.

        Parameters
        ----------
        images : sequence of uint8 (H, W, 3)
            One to sixteen planes of the same view.
        mpp : float
            Pixel size in um.
        planes_um : sequence of float
            z of each plane, um.
        focus_maps : sequence of float32 (H, W), optional
            Known |distance from focus| of each plane in um; estimated when missing.
        """

    @abstractmethod
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
        """

    def all_in_focus_target(self, encoded: Encoded) -> FloatMap:
        """Target map that follows the tissue: every pixel at its own best focus."""
        return (encoded.blur_um + np.float32(encoded.planes_um[0])).astype(np.float32)


def acquired_plane(planes_um: Sequence[float], z_um: float) -> int | None:
    """Index of the plane that was acquired at a position, None between planes."""
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


def unreadable_weights(name: str, path: Path, error: Exception) -> UserError:
    """Weights that are missing, cut off or of another model: all mean the same to the user."""
    why = " ".join(str(error).split())
    return UserError(f"Cannot load the weights of {name} from {path}", why, "Reinstall FocusViewer.")


def check_view(
    name: str,
    mpps: tuple[float, float],
    images: Sequence[RGB],
    mpp: float,
    planes_um: Sequence[float],
    focus_maps: Sequence[FloatMap] | None = None,
) -> None:
    """Refuse what no engine, or not this one, can be given; arguments as for :meth:`Refocuser.encode`.

    Parameters
    ----------
    name : str
        Of the engine.
    mpps : (finest, coarsest)
        Pixel sizes it works at, um.

    Raises
    ------
    UserError
        If the pixel size lies outside, or planes or maps differ in number or size.
    """
    if not mpps[0] <= mpp <= mpps[1]:
        raise UserError(
            f"Cannot refocus at {mpp:.3g} um per pixel",
            f"the engine {name} works from {mpps[0]:g} to {mpps[1]:g} um per pixel",
            "Zoom in, or use a scan of 20x or more." if mpp > mpps[1] else "Zoom out, or reduce the picture.",
        )
    if not 1 <= len(images) <= MAX_PLANES or len(images) != len(planes_um):
        raise UserError(
            "Cannot refocus", f"{len(images)} planes with {len(planes_um)} z positions", "Give 1 to 16 of each."
        )
    if any(image.shape != images[0].shape for image in images):
        raise UserError("Cannot refocus", "the planes differ in size", "Use planes of one focal stack.")
    if focus_maps is None:
        return
    if len(focus_maps) != len(images) or any(part.shape != images[0].shape[:2] for part in focus_maps):
        raise UserError(
            "Cannot refocus", "the focus maps do not fit the planes", "Give one map of equal size for each."
        )
