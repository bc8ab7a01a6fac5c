"""Names of the array types that the rooms exchange; shapes and units are said where they are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
