"""The Stacker interface: planes of a stack in, one picture out that is sharp everywhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import final

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap, check_planes
from focusviewer.core.cancel import Progress, stoppable


@dataclass(frozen=True)
class Stacked:
    """What a stack was fused to.

    Attributes
    ----------
    image : uint8 (H, W, 3)
    depth_um : float32 (H, W) or None
        Where the tissue of each pixel lies on the axis of the planes, um; None from methods that do not find out.
    """

    image: RGB
    depth_um: FloatMap | None = None


class Stacker(ABC):
    """Makes one picture of the planes of a stack: brings them into register, then fuses them.

    Registration looks at the whole view. Fusion may be given tiles of the registered planes, each with ``halo_px`` of
    context on every side, so that a region of any size can be streamed.

    What all methods have in common is done here: arguments are checked, planes sorted, a plane that is alone handed
    back as it is, and results checked. A method fills in :meth:`_fuse`, and :meth:`_align` where it can register.

    Attributes
    ----------
    name : str
        Registry name.
    version : str
        Changes when weights or code change the pictures.
    halo_px : int
        Context a tile needs on every side, so that tiles of one region agree.
    max_planes : int or None
        Most planes it takes; None for any number.
    is_generative : bool
        Whether it may draw detail that no plane shows, which the result then has to say.
    """

    name: str
    version: str = "1"
    halo_px: int = 0
    max_planes: int | None = None
    is_generative: bool = False

    def parameters(self) -> int:
        """Number of trained parameters."""
        return 0

    @final
    def align(
        self,
        images: Sequence[RGB] | RGB,
        z_um: Sequence[float],
        on_progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> RGB:
        """Bring planes into register, so that a pixel shows the same place in all of them.

        Parameters
        ----------
        images : uint8 (P, H, W, 3), or a sequence of P planes
            In any order.
        z_um : sequence of float
            Position of each plane, um.
        on_progress : callable, optional
            Given the part that is done, 0 to 1.
        cancel : threading.Event, optional
            Looked at between steps.

        Returns
        -------
        uint8 (P, H, W, 3), in the order given

        Raises
        ------
        UserError
            If planes and positions do not fit together.
        CancelledError
            If ``cancel`` is set.
        """
        planes, positions, order = self._checked(images, z_um)
        step = stoppable(on_progress, cancel)
        step(0.0)
        aligned = planes if len(planes) == 1 else self._align(planes, positions, step)
        _expect(aligned, planes.shape, "aligned planes")
        step(1.0)
        result = np.empty_like(aligned)
        result[order] = aligned
        return result

    @final
    def fuse(
        self,
        images: Sequence[RGB] | RGB,
        z_um: Sequence[float],
        on_progress: Progress | None = None,
        cancel: Event | None = None,
    ) -> Stacked:
        """Fuse planes that are in register, or a tile of them; arguments and errors as for :meth:`align`.

        One plane is returned unchanged, bit for bit, at its own depth.
        """
        planes, positions, _ = self._checked(images, z_um)
        step = stoppable(on_progress, cancel)
        step(0.0)
        if len(planes) == 1:
            return Stacked(planes[0].copy(), np.full(planes.shape[1:3], positions[0], np.float32))
        stacked = self._fuse(planes, positions, step)
        _expect(stacked.image, planes.shape[1:], "picture")
        depth = stacked.depth_um
        if depth is not None and (depth.shape != planes.shape[1:3] or depth.dtype != np.float32):
            raise TypeError(f"{self.name} gave a depth map {depth.dtype} {depth.shape}")
        step(1.0)
        return stacked

    def _align(self, planes: RGB, z_um: tuple[float, ...], step: Progress) -> RGB:
        """Registered planes; unchanged where a method does not say how."""
        return planes

    @abstractmethod
    def _fuse(self, planes: RGB, z_um: tuple[float, ...], step: Progress) -> Stacked:
        """Fuse two planes or more that were checked and sorted, lowest first.

        Parameters
        ----------
        planes : uint8 (P, H, W, 3)
        z_um : tuple of float
            Their positions, um, increasing.
        step : callable
            To be called with the part that is done; ends the work when it is no longer wanted.
        """

    def _checked(
        self, images: Sequence[RGB] | RGB, z_um: Sequence[float]
    ) -> tuple[RGB, tuple[float, ...], npt.NDArray[np.intp]]:
        """Planes sorted, lowest first, with their positions, and the index that each of them was given with."""
        check_planes(images, z_um, self.max_planes, "stack")
        order = np.argsort(z_um, kind="stable")
        return np.stack([images[index] for index in order]), tuple(float(z_um[index]) for index in order), order


def _expect(pixels: RGB, shape: tuple[int, ...], what: str) -> None:
    """Stop a method that does not keep to the interface: that is an error of ours."""
    if pixels.shape != tuple(shape) or pixels.dtype != np.uint8:
        raise TypeError(f"{what}: {pixels.dtype} {pixels.shape} instead of uint8 {tuple(shape)}")
