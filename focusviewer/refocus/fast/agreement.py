"""Depth from two planes: the tissue lies where blurring the sharper plane gives the other one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatMap
from focusviewer.refocus.fast.operators import OperatorBank

BLOCK_PX = 8
NOISE_LEVEL = 1
"""Index into NOISE_RATIOS of the operators that planes are compared with."""

_FLOOR = 2e-5  # squared differences that a camera's noise explains
_WINDOW_BLOCKS = 5


class PlaneTerms:
    """A plane and its filtered versions in blocks, ready to be compared with other planes.

    Parameters
    ----------
    gray : float32 (H, W)
        Luminance; H and W multiples of 4.
    layers : float32 (J, H, W)
        Luminance through each basis filter.
    """

    def __init__(self, gray: FloatMap, layers: FloatMap) -> None:
        self._blocks = np.stack([_blocks(layer) for layer in (*layers, gray)], axis=2)
        self._products = self._blocks @ self._blocks.swapaxes(-1, -2)

    @property
    def shape(self) -> tuple[int, int]:
        """Blocks along both sides."""
        return self._blocks.shape[0], self._blocks.shape[1]

    def disagreement(self, other: PlaneTerms, coefficients: FloatMap) -> FloatMap:
        """Mean squared difference between this plane through some filters, and another plane.

        Parameters
        ----------
        coefficients : float32 (D, J)
            One row a filter.

        Returns
        -------
        float32 (D, h, w), of each block.
        """
        theirs = other._blocks[:, :, -1, :, None]
        common = (self._blocks @ theirs)[..., 0]
        sides = self._products[..., :-1, -1] - common[..., :-1]
        constant = self._products[..., -1, -1] - 2 * common[..., -1] + (theirs[..., 0] ** 2).sum(-1)
        count = coefficients.shape[1]
        pairs = (coefficients[:, :, None] * coefficients[:, None]).reshape(-1, count**2)
        squares = pairs @ self._products[..., :-1, :-1].reshape(-1, count**2).T
        total = squares + 2 * coefficients @ sides.reshape(-1, count).T + constant.reshape(-1)
        return np.asarray(np.maximum(total, 0).reshape(-1, *self.shape) / BLOCK_PX**2, dtype=np.float32)


def _blocks(values: FloatMap) -> FloatMap:
    """(H, W) to (h, w, pixels of a block); the last blocks are filled up by mirroring."""
    pads = [(0, -side % BLOCK_PX) for side in values.shape]
    full = np.pad(values, pads, mode="symmetric") if any(after for _, after in pads) else values
    rows, columns = (side // BLOCK_PX for side in full.shape)
    parts = full.reshape(rows, BLOCK_PX, columns, BLOCK_PX).swapaxes(1, 2)
    return np.ascontiguousarray(parts.reshape(rows, columns, -1), dtype=np.float32)


class DepthEvidence:
    """How much neighbouring planes of a stack disagree if the tissue lies at each of some depths.

    Parameters
    ----------
    depths_um : float (D,)
        Depths to ask for.
    bank : OperatorBank
        Of the pixel size.
    """

    def __init__(self, depths_um: npt.NDArray[np.floating], bank: OperatorBank) -> None:
        self._depths_um, self._bank = depths_um, bank
        self._last: tuple[PlaneTerms, float] | None = None
        self._total: FloatMap | None = None
        self._pairs = 0
        self._missed = self._differed = 0.0

    def add(self, gray: FloatMap, layers: FloatMap, z_um: float) -> None:
        """Take the next plane, in order of z: its luminance, that through each basis filter, its position in um."""
        terms = PlaneTerms(gray, layers)
        if self._last is not None:
            found = self._compared(*self._last, terms, z_um)
            self._total = found if self._total is None else self._total + found
            self._pairs += 1
        self._last = (terms, z_um)

    def cells(self, shape: tuple[int, int], cell_px: int) -> FloatMap | None:
        """Logarithm of the squared error against that at each place's best depth, mean of all pairs: (D, h, w).

        Averaged over neighbourhoods of 40 pixels; None before there are two planes.
        """
        if self._total is None:
            return None
        factor = BLOCK_PX // cell_px
        whole = (self._total / np.float32(self._pairs)).repeat(factor, axis=1).repeat(factor, axis=2)
        return np.asarray(whole[:, : shape[0], : shape[1]], dtype=np.float32)

    def unexplained(self) -> float:
        """Share of the difference between planes that no depth accounts for: 0 where the operators say all, to 1.

        It is 1 where nothing speaks for the operators: fewer than two planes, or planes that are equal.
        """
        return min(1.0, self._missed / self._differed) if self._differed else 1.0

    def _compared(self, first: PlaneTerms, first_um: float, second: PlaneTerms, second_um: float) -> FloatMap:
        from scipy.ndimage import uniform_filter

        from focusviewer.refocus.fast.belief import mix_between

        below, above = (np.abs(self._depths_um - z_um) for z_um in (first_um, second_um))
        rows = [
            mix_between(self._bank, float(min(pair)), NOISE_LEVEL, np.array(max(pair)))
            for pair in zip(below, above, strict=True)
        ]
        coefficients = np.stack(rows).astype(np.float32)
        ahead = below <= above  # the first plane is the sharper one: blurred on, it must give the second
        found = np.empty((below.size, *first.shape), np.float32)
        found[ahead] = first.disagreement(second, coefficients[ahead])
        found[~ahead] = second.disagreement(first, coefficients[~ahead])
        smooth = uniform_filter(found, (0, _WINDOW_BLOCKS, _WINDOW_BLOCKS), mode="nearest")
        self._missed += float(smooth.min(axis=0).sum())
        self._differed += float(first.disagreement(second, np.zeros_like(coefficients[:1])).sum())
        logs = np.log(smooth + np.float32(_FLOOR))
        return np.asarray(logs - logs.min(axis=0), dtype=np.float32)
