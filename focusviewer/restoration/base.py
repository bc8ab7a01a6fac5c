"""The Restorer interface: a picture in, a better picture of the same size out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from threading import Event
from typing import final

import numpy as np

from focusviewer.core.arrays import RGB, check_picture
from focusviewer.core.cancel import Progress, stoppable
from focusviewer.core.errors import UserError


class Restorer(ABC):
    """Takes blur or noise out of a single picture, without a wanted focus: that is what a Refocuser has.

    A picture may be a tile with ``halo_px`` of context on every side, so that a region of any size can be streamed.

    What all methods have in common is done here: arguments and results are checked. A method fills in
    :meth:`_restore`.

    Attributes
    ----------
    name : str
        Registry name.
    version : str
        Changes when weights or code change the pictures.
    mpps : (finest, coarsest)
        Pixel sizes it is made for, um.
    halo_px : int
        Context a tile needs on every side, so that tiles of one region agree.
    is_generative : bool
        Whether it may draw detail that the picture does not show, which the result then has to say.
    """

    name: str
    version: str = "1"
    mpps: tuple[float, float]
    halo_px: int = 0
    is_generative: bool = False

    def parameters(self) -> int:
        """Number of trained parameters."""
        return 0

    @final
    def restore(self, image: RGB, mpp: float, on_progress: Progress | None = None, cancel: Event | None = None) -> RGB:
        """Restore a picture.

        Parameters
        ----------
        image : uint8 (H, W, 3)
            Left as it is.
        mpp : float
            Pixel size, um.
        on_progress : callable, optional
            Given the part that is done, 0 to 1.
        cancel : threading.Event, optional
            Looked at between steps.

        Returns
        -------
        uint8 (H, W, 3)

        Raises
        ------
        UserError
            If these are no pixels, or the method is not made for their size.
        CancelledError
            If ``cancel`` is set.
        """
        check_picture(image, "restore", "the picture")
        finest, coarsest = self.mpps
        if not finest <= mpp <= coarsest:
            raise UserError(
                f"Cannot restore at {mpp:.3g} um per pixel",
                f"{self.name} works from {finest:g} to {coarsest:g} um per pixel",
                "Zoom in, or use a finer scan." if mpp > coarsest else "Zoom out, or reduce the picture.",
            )
        step = stoppable(on_progress, cancel)
        step(0.0)
        restored = self._restore(image, mpp, step)
        if restored.shape != image.shape or restored.dtype != np.uint8:
            raise TypeError(f"{self.name} gave {restored.dtype} {restored.shape} instead of uint8 {image.shape}")
        step(1.0)
        return restored

    @abstractmethod
    def _restore(self, image: RGB, mpp: float, step: Progress) -> RGB:
        """The restored picture; ``step`` is to be called with the part that is done, and may end the work."""
