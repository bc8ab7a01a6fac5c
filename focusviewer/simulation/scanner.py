"""How a scanner puts a slide together: strips or tiles, each with its own focus, place and brightness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import Domain
from focusviewer.optics.psf import Optics


@dataclass(frozen=True)
class Scan:
    """The fields of view of a scan.

    Each field draws its errors from its own number, so that any window of the slide can be made by itself.

    Parameters
    ----------
    field_px : (width, height)
        Of a field of view; a height of 0 means strips as long as the slide (a line camera).
    jump_um : float
        Standard deviation of the focus error of a field.
    shift_px : float
        Standard deviation of a field's error of place, px in each direction; places are whole pixels.
    gain : float
        Standard deviation of a field's brightness, as a share.
    curvature_um : float
        Field curvature: how far focus at the left and right border of a field lies from that in its middle, um. It
        grows with the square of the distance from the optical axis.
    seed : int
        Of the errors.
    """

    field_px: tuple[int, int]
    jump_um: float = 0.0
    shift_px: float = 0.0
    gain: float = 0.0
    curvature_um: float = 0.0
    seed: int = 0

    def focus_um(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> FloatArray:
        """Error of focus at positions in px: x (1, W) and y (H, 1) to float32 (H, W)."""
        column, row = self._field_of(x, y)
        z = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        if self.jump_um:
            z += self._over_fields(column, row, lambda error: error.focus_um)
        if self.curvature_um:
            wide, high = self.field_px
            u = (x - (column + 0.5) * wide) / (wide / 2)
            v = (y - (row + 0.5) * high) / (wide / 2) if high else np.zeros_like(y, dtype=np.float64)
            z += np.float32(self.curvature_um) * (u**2 + v**2).astype(np.float32)
        return z

    def assemble(self, light: FloatArray, x0: int, y0: int, margin: int) -> FloatArray:
        """Shift and brighten the fields of a window.

        Parameters
        ----------
        light : float32 (3, H + 2 margin, W + 2 margin)
            What is there, with a margin for the shifts.
        x0, y0 : int
            Upper left corner of the window without its margin, px.

        Returns
        -------
        float32 (3, H, W)
        """
        height, width = (side - 2 * margin for side in light.shape[1:])
        result = np.empty((3, height, width), np.float32)
        for left, right, column in _pieces(x0, width, self.field_px[0]):
            for top, bottom, row in _pieces(y0, height, self.field_px[1]):
                error = self.error(column, row)
                dy, dx = (int(np.clip(step, -margin, margin)) for step in error.shift_px)
                rows = slice(margin + top + dy, margin + bottom + dy)
                columns = slice(margin + left + dx, margin + right + dx)
                result[:, top:bottom, left:right] = light[:, rows, columns] * np.float32(error.gain)
        return result

    def error(self, column: int, row: int) -> FieldError:
        """The errors of one field."""
        rng = np.random.default_rng((self.seed, 41, column + (1 << 20), row + (1 << 20)))
        focus, gain, down, right = rng.standard_normal(4)
        return FieldError(
            float(self.jump_um * focus),
            (round(self.shift_px * down), round(self.shift_px * right)),
            float(1 + self.gain * np.clip(gain, -2, 2)),
        )

    def _field_of(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        wide, high = self.field_px
        row = np.floor(y / high) if high else np.zeros_like(y)
        return np.floor(x / wide).astype(np.int64), row.astype(np.int64)

    def _over_fields(
        self, column: npt.NDArray[np.int64], row: npt.NDArray[np.int64], value: Callable[[FieldError], float]
    ) -> FloatArray:
        """A value of each pixel's field: float32 (H, W)."""
        columns, in_x = np.unique(column, return_inverse=True)
        rows, in_y = np.unique(row, return_inverse=True)
        table = np.asarray([[value(self.error(int(c), int(r))) for c in columns] for r in rows], np.float32)
        return np.asarray(table[in_y.reshape(row.shape), in_x.reshape(column.shape)], dtype=np.float32)


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: focus (um), place ((down, right) px), brightness (factor)."""

    focus_um: float
    shift_px: tuple[int, int]
    gain: float


def _pieces(start: int, length: int, step: int) -> list[tuple[int, int, int]]:
    """Cut ``start .. start + length`` at multiples of ``step``: (from, to, number), relative to ``start``."""
    if not step:
        return [(0, length, 0)]
    pieces = []
    for number in range(start // step, (start + length - 1) // step + 1):
        pieces.append((max(number * step - start, 0), min((number + 1) * step - start, length), number))
    return pieces


@dataclass(frozen=True)
class Scanner:
    """Optics, camera, and the fields of view that a scan is put together from."""

    optics: Optics = field(default_factory=Optics)
    camera: Camera = field(default_factory=Camera)
    scan: Scan | None = None
    domain: Domain = "intensity"
