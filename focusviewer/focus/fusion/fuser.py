"""The arithmetic of score fusion: M scores of a window to one, with weights and uncertainty. NumPy only.

Zhongling Wang, *Image Quality Assessment and Refocusing with Applications in Whole Slide Imaging*, PhD thesis,
University of Waterloo, 2024, chapter 4: each score is a monotone function of the hidden blur z plus noise, ``x_j =
f_j(z) + n_j + e_j`` (4.1), with ``f_j(z) = c - exp(a (z - b))``, skew-normal ``n_j`` whose scale ``g_j(z)`` is
quadratic in z, and normal ``e_j``. An encoder gives every window its own weights, and z is the weighted sum of its
normalised scores. Trained in ``training/tasks/fusion/task.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray

SLOPE = 0.01
"""Slope of the encoder's LeakyReLU below 0."""

LOW, HIGH = 0.01, 0.99
"""Quantiles of the reference scores that become 0 and 1."""

REACH = 0.5
"""How far normalised scores may lie outside 0..1."""

_PRIOR = 12.0  # one over the variance of the uniform prior of z
_CHUNK = 4096


@dataclass(frozen=True)
class Fused:
    """Fused scores of N windows.

    Attributes
    ----------
    scores : float32 (N,)
        z in 0..1, larger is blurrier.
    uncertainty : float32 (N,)
        One standard deviation of z, given the scores and the model.
    weights : float32 (N, M)
        How much each member counted; rows sum to 1.
    """

    scores: FloatArray
    uncertainty: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Fuser:
    """A trained fusion of M members.

    Attributes
    ----------
    ranks : bool
        Whether normalised ranks are fused instead of scores.
    reference : float32 (M, K)
        Quantiles of each member's scores on the training windows, from 0 to 1 in even steps.
    layers : sequence of (weight (M, M), bias (M,))
        The encoder; a single layer with a weight of zeros is the linear encoder, which weighs all windows alike.
    response : float32 (M, 3)
        a, b and c of f.
    spread : float32 (M, 3)
        Coefficients of g for z^2, z and 1.
    shape : float32 (M,)
        Skewness parameter of n.
    noise : float32 (M,)
        Standard deviation of e.
    """

    ranks: bool
    reference: FloatArray
    layers: Sequence[tuple[FloatArray, FloatArray]]
    response: FloatArray
    spread: FloatArray
    shape: FloatArray
    noise: FloatArray

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[np.floating]], ranks: bool) -> Fuser:
        """From the tensors of one scale in a weights file.

        Raises
        ------
        KeyError, ValueError
            If tensors are missing or do not fit together.
        """
        own = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
        count = len(own["reference"])
        weights, biases = own["encoder.weights"], own["encoder.biases"]
        layers = list(zip(weights, biases, strict=True))
        fuser = cls(ranks, own["reference"], layers, own["response"], own["spread"], own["shape"], own["noise"])
        shapes = [fuser.response.shape, fuser.spread.shape, (*fuser.shape.shape, 3), (*fuser.noise.shape, 3)]
        if weights.shape[1:] != (count, count) or biases.shape[1:] != (count,) or set(shapes) != {(count, 3)}:
            raise ValueError("tensors of the fusion have unexpected shapes")
        return fuser

    def normalised(self, scores: npt.NDArray[np.floating]) -> FloatArray:
        """Scores (N, M) on a common footing: ranks among the reference scores (4.6), or scaled by its quantiles."""
        return normalised(scores, self.reference, self.ranks)

    def fuse(self, scores: npt.NDArray[np.floating]) -> Fused:
        """Fuse scores (N, M), each in its member's own unit."""
        parts = [self._fuse(scores[first : first + _CHUNK]) for first in range(0, max(len(scores), 1), _CHUNK)]
        return Fused(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.uncertainty for part in parts]),
            np.concatenate([part.weights for part in parts]),
        )

    def _fuse(self, scores: npt.NDArray[np.floating]) -> Fused:
        x = self.normalised(scores)
        weights = self.weights(x)
        z = np.clip((weights * x).sum(axis=1), 0.0, 1.0)
        return Fused(z, self.uncertainty(z), weights)

    def weights(self, x: FloatArray) -> FloatArray:
        """The encoder: weights (N, M) for normalised scores (N, M)."""
        hidden = 2 * x - 1
        last = len(self.layers) - 1
        for index, (weight, bias) in enumerate(self.layers):
            hidden = hidden @ weight.T + bias
            if index < last:
                hidden = np.maximum(hidden, SLOPE * hidden)
        hidden = np.exp(hidden - hidden.max(axis=1, keepdims=True))
        return np.asarray(hidden / hidden.sum(axis=1, keepdims=True), np.float32)

    def uncertainty(self, z: FloatArray) -> FloatArray:
        """Standard deviation of z (N,): what all members together can tell, and the prior.

        Every member adds the square of its slope over the variance of its noise.
        """
        z = z[:, None]
        a, b = self.response[:, 0], self.response[:, 1]
        slope = a * np.exp(a * (z - b))
        scale = (self.spread[:, 0] * z + self.spread[:, 1]) * z + self.spread[:, 2]
        variance = scale**2 * (1 - 2 / np.pi * self.shape**2 / (1 + self.shape**2)) + self.noise**2
        precision = (slope**2 / variance).sum(axis=1)
        return np.asarray(1 / np.sqrt(_PRIOR + precision), np.float32)


def normalised(scores: npt.NDArray[np.floating], reference: FloatArray, ranks: bool) -> FloatArray:
    """Scores (N, M) to ranks in 0..1 among reference quantiles (M, K), or scaled so that LOW and HIGH are 0 and 1."""
    grid = np.linspace(0, 1, reference.shape[1])
    columns = []
    for column, table in zip(np.asarray(scores).T, reference, strict=True):
        if ranks:
            columns.append(np.interp(column, table, grid))
            continue
        low, high = np.interp([LOW, HIGH], grid, table)
        columns.append(np.clip((column - low) / max(high - low, 1e-9), -REACH, 1 + REACH))
    return np.stack(columns, axis=1).astype(np.float32)


def reference_quantiles(scores: npt.NDArray[np.floating], count: int = 257) -> FloatArray:
    """Quantiles of each column of scores (N, M), in even steps: float32 (M, count)."""
    return np.asarray(np.quantile(scores, np.linspace(0, 1, count), axis=0).T, np.float32)
