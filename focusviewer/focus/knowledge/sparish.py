"""SPARISH: how much of a dictionary of sharp patterns a window holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.core.errors import UserError
from focusviewer.focus.knowledge.base import KnowledgeModel, windows
from focusviewer.focus.knowledge.sparse import omp
from focusviewer.focus.measures.base import Gray

BLOCK = 8
ATOMS = 5
"""Atoms that a block is made of."""

_SELECTED = 0.6  # share of a window's blocks, those of the highest variance, that are coded
_FLOOR = 1e-3


class Sparish(KnowledgeModel):
    """Sharpness by sparse representation (Li et al., *Image sharpness assessment by sparse representation*, 2016).

    A window is cut into blocks of 8 x 8; those of the highest variance, less their mean, are coded with five atoms of
    an overcomplete dictionary learned on sharp tissue (``focusviewer train dictionary``); the energy of a block is the
    sum of its squared coefficients. The sharpness is the total energy over a sum of block contrasts, the score minus
    its logarithm.

    The source normalises by the sum of the variances. With atoms of length one that ratio is the share of a block
    that five atoms explain: it is close to one whatever the focus and on tissue rather grows with blur. We divide by
    the sum of the standard deviations instead, which leaves one power of the contrast in.

    Parameters
    ----------
    weights : Path
        safetensors file with ``dictionary``, float32 (64, K).

    Raises
    ------
    UserError
        If the dictionary cannot be read.
    """

    name = "sparish"
    halo_px = 0

    def __init__(self, weights: Path) -> None:
        from safetensors.numpy import load

        try:
            data = weights.read_bytes()
            dictionary = load(data)["dictionary"].astype(np.float32)
            if dictionary.ndim != 2 or dictionary.shape[0] != BLOCK**2:
                raise ValueError(f"the dictionary has the shape {dictionary.shape}")
        except Exception as error:
            raise UserError(
                f"Cannot load the dictionary of {self.name} from {weights}", str(error), "Reinstall FocusViewer."
            ) from error
        self.dictionary: FloatArray = dictionary / np.maximum(np.linalg.norm(dictionary, axis=0), np.float32(1e-9))
        self.version = f"1-{hashlib.sha256(data).hexdigest()[:8]}"

    def parameters(self) -> int:
        """Numbers in the dictionary."""
        return int(self.dictionary.size)

    def band_scores(self, gray: Gray, rows: int, cols: int) -> npt.NDArray[np.floating]:
        """Blur of some rows of windows; see :meth:`KnowledgeModel.band_scores`."""
        blocks = np.stack([cut_blocks(gray[pixels] * 255) for _, pixels in windows(rows, cols)])
        variance = blocks.var(axis=-1)
        count = round(_SELECTED * blocks.shape[1])
        chosen = np.argsort(-variance, axis=1, kind="stable")[:, :count]
        signals = np.take_along_axis(blocks, chosen[..., None], axis=1)
        _, weights = omp(signals.reshape(-1, BLOCK**2), self.dictionary, ATOMS)
        energy = np.square(weights, dtype=np.float64).sum(axis=1).reshape(-1, count).sum(axis=1)
        contrast = np.sqrt(np.take_along_axis(variance, chosen, axis=1)).sum(axis=1, dtype=np.float64)
        return np.asarray(-np.log(energy / (contrast + _FLOOR) + _FLOOR).reshape(rows, cols))


def cut_blocks(gray: Gray) -> FloatArray:
    """Blocks of a window from its upper left corner, each less its mean: float32 (n, 64)."""
    side_y, side_x = gray.shape[0] // BLOCK, gray.shape[1] // BLOCK
    cut = gray[: side_y * BLOCK, : side_x * BLOCK].reshape(side_y, BLOCK, side_x, BLOCK)
    blocks = cut.transpose(0, 2, 1, 3).reshape(-1, BLOCK**2)
    return np.asarray(blocks - blocks.mean(axis=1, keepdims=True))
