"""Sparse coding: a block as a sum of a few atoms of a dictionary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray

_CHUNK = 4096  # signals coded at a time, so that their correlations with all atoms stay in the cache


def omp(signals: FloatArray, dictionary: FloatArray, atoms: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Orthogonal matching pursuit, many signals at once.

    In each round a signal takes the atom that its residual resembles most, and all its coefficients are fitted anew
    (Pati et al. 1993), here through the Gram matrix of the dictionary (Rubinstein et al. 2008).

    Parameters
    ----------
    signals : float32 (n, d)
    dictionary : float32 (d, K)
        Columns of length 1.
    atoms : int
        Atoms for each signal.

    Returns
    -------
    intp (n, atoms) and float32 (n, atoms): which atoms, and how much of each.
    """
    gram = dictionary.T @ dictionary
    parts = [_omp(signals[at : at + _CHUNK], dictionary, gram, atoms) for at in range(0, len(signals), _CHUNK)]
    if not parts:
        return np.empty((0, atoms), np.intp), np.empty((0, atoms), np.float32)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _omp(
    signals: FloatArray, dictionary: FloatArray, gram: FloatArray, atoms: int
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    count, rows = len(signals), np.arange(len(signals))
    first = signals @ dictionary
    correlation = first.copy()
    chosen = np.zeros((count, atoms), np.intp)
    taken = np.zeros(first.shape, bool)
    weights = np.zeros((count, 0), np.float32)
    for step in range(atoms):
        chosen[:, step] = np.where(taken, -1, np.abs(correlation)).argmax(axis=1)
        taken[rows, chosen[:, step]] = True
        own = chosen[:, : step + 1]
        system = gram[own[:, :, None], own[:, None, :]] + np.float32(1e-6) * np.eye(step + 1, dtype=np.float32)
        weights = np.linalg.solve(system, first[rows[:, None], own][..., None])[..., 0]
        if step + 1 < atoms:
            correlation = first - np.einsum("nk,nkj->nj", weights, gram[own])
    return chosen, weights.astype(np.float32)


def decode(chosen: npt.NDArray[np.intp], weights: FloatArray, dictionary: FloatArray) -> FloatArray:
    """What the codes of :func:`omp` stand for: float32 (n, d)."""
    return np.asarray(np.einsum("nk,nkd->nd", weights, dictionary.T[chosen]))
