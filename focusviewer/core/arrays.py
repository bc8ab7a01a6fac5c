"""Names of the array types that the rooms exchange, and checks of pictures and planes that come in.

Shapes and units are said where the types are used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from focusviewer.core.errors import UserError

RGB = npt.NDArray[np.uint8]
"""Pixels: uint8 (H, W, 3), or (..., H, W, 3) for several pictures at once."""

FloatMap = npt.NDArray[np.float32]
"""A map: float32 (rows, cols)."""

FloatArray = npt.NDArray[np.float32]
"""Values of any shape, float32."""

DoubleArray = npt.NDArray[np.float64]
"""Values of any shape, float64: for sums and fits, where float32 would round too early."""

Mask = npt.NDArray[np.bool_]
"""Yes or no for each place: bool (rows, cols)."""

ComplexArray = npt.NDArray[np.complex64]
"""Spectra and responses of any shape, complex64."""


def check_picture(image: RGB, task: str, what: str) -> None:
    """Refuse what is not uint8 (H, W, 3) with a pixel or more.

    Parameters
    ----------
    task, what : str
        For the message: "refocus", "a plane".

    Raises
    ------
    UserError
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UserError(f"Cannot {task}", f"{what} is {image.dtype} {image.shape}", "Give uint8 (H, W, 3) RGB pixels.")


def check_planes(images: Sequence[RGB] | RGB, z_um: Sequence[float], max_planes: int | None, task: str) -> None:
    """Refuse planes that are no pixels, differ in size, are too many, or do not fit their positions.

    Parameters
    ----------
    images : uint8 (P, H, W, 3), or a sequence of P planes
    z_um : sequence of float
        Position of each plane, um.
    max_planes : int or None
        Most planes; None for any number.
    task : str
        For the message: "refocus".

    Raises
    ------
    UserError
    """
    most = len(images) if max_planes is None else max_planes
    if not 1 <= len(images) <= most or len(images) != len(z_um):
        limit = "1 or more" if max_planes is None else f"1 to {max_planes}"
        raise UserError(
            f"Cannot {task}", f"{len(images)} planes with {len(z_um)} z positions", f"Give {limit} of each."
        )
    if any(image.shape != images[0].shape for image in images):
        raise UserError(f"Cannot {task}", "the planes differ in size", "Use planes of one focal stack.")
    for image in images:
        check_picture(image, task, "a plane")
    if not np.isfinite(z_um).all():
        raise UserError(f"Cannot {task}", "the position of a plane is not a number", "Give positions in um.")
