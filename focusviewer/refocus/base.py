"""The Refocuser interface: encode the planes of a view once, render any target focus many times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.slides.base import RGB

FloatMap = npt.NDArray[np.float32]

MAX_Z_UM = 4.0
"""Largest refocusing distance any engine is asked for, in um."""


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
