"""MaxPol kernels: FIR derivative filters that are maximally flat at zero and at the highest frequency.

Derivation (Hosseini and Plataniotis, *Derivative kernels: numerics and applications*, IEEE TIP 2017). A symmetric
filter ``h[-l..l]`` has the response ``H(w) = sum_k h[k] exp(-i w k)``, whose m-th derivative at zero is
``(-i)^m sum_k k^m h[k]``. To take the n-th derivative up to some frequency and let nothing through beyond it, H must
follow ``(i w)^n`` at zero and vanish at pi, both to the highest order that 2l + 1 taps allow:

    sum_k (-k)^m h[k]       = n! if m = n else 0     for m = 0 .. 2l - P
    sum_k (-1)^k k^m h[k]   = 0                      for m = 0 .. P - 1

These are 2l + 1 linear equations. The cut-off falls as the number P of them that is spent at pi grows; P = 0 is the
full band. Even orders have ``h[-k] = h[k]`` and odd ones ``h[-k] = -h[k]``, so half of the equations hold of
themselves. The system is a pair of Vandermonde matrices, hopeless in floating point for long filters; it is solved in
fractions, exactly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from math import factorial, gamma

import numpy as np
import numpy.typing as npt

Taps = npt.NDArray[np.float64]
Response = Callable[[Taps], Taps]


@functools.cache
def _maxpol(order: int, half: int, flat: int) -> tuple[float, ...]:
    even = order % 2 == 0
    start = 0 if even else 1  # h[0] = 0 in odd filters
    taps = range(start, half + 1)
    parity = 0 if even else 1
    at_pi = range(parity, flat, 2)
    at_zero = range(parity, parity + 2 * (len(taps) - len(at_pi)), 2)
    twice = {k: 1 if k == 0 else 2 for k in taps}
    rows = [[Fraction(twice[k] * (-k) ** m) for k in taps] for m in at_zero]
    rows += [[Fraction(twice[k] * (-1) ** k * k**m) for k in taps] for m in at_pi]
    wanted = [Fraction(factorial(order) if m == order else 0) for m in at_zero] + [Fraction(0)] * len(at_pi)
    right = [float(value) for value in _solve(rows, wanted)]
    if even:
        return (*right[:0:-1], *right)
    return (*(-value for value in reversed(right)), 0.0, *right)


def maxpol(order: int, half: int, flat: int) -> Taps:
    """The MaxPol kernel.

    Parameters
    ----------
    order : int
        Derivative.
    half : int
        l: the kernel has 2l + 1 taps.
    flat : int
        P: equations spent at the highest frequency, the more the lower the cut-off; less than 2l + 1 - order.

    Returns
    -------
    float64 (2 * half + 1,), to be convolved with.
    """
    return np.array(_maxpol(order, half, flat))


def _solve(matrix: list[list[Fraction]], wanted: list[Fraction]) -> list[Fraction]:
    """Gauss and Jordan, in fractions."""
    rows = [[*row, value] for row, value in zip(matrix, wanted, strict=True)]
    for column in range(len(rows)):
        pivot = next(index for index in range(column, len(rows)) if rows[index][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = rows[column][column]
        rows[column] = [value / lead for value in rows[column]]
        for index, row in enumerate(rows):
            if index != column and row[column]:
                factor = row[column]
                rows[index] = [a - factor * b for a, b in zip(row, rows[column], strict=True)]
    return [row[-1] for row in rows]


def response(taps: Taps, frequency: Taps) -> npt.NDArray[np.complex128]:
    """Frequency response of an odd number of taps at angular frequencies (rad per pixel)."""
    half = len(taps) // 2
    return np.asarray(np.exp(-1j * frequency[:, None] * np.arange(-half, half + 1)) @ taps)


def generalised_gaussian(scale: float, shape: float, half: int = 16) -> Taps:
    """``exp(-|x / A|^shape)`` that sums to 1, with A such that its standard deviation is ``scale`` pixels."""
    width = scale * np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    taps = np.exp(-((np.abs(np.arange(-half, half + 1)) / width) ** shape))
    return np.asarray(taps / taps.sum())


def inverse_kernel(transfer: Response, cutoff: float, terms: int, half: int, flat: int) -> Taps:
    """A symmetric kernel with the response ``1 / transfer - 1`` at low frequencies and none at high ones.

    The inverse of an even transfer function is a power series in w^2. Its coefficients are fitted to
    ``1 / transfer(w) - 1 = sum_n c_n (-1)^n w^(2n)``, n = 1 .. terms, by least squares over ``0 .. cutoff``; there
    being no constant term, flat parts of an image give nothing. Replacing each ``(i w)^(2n)`` by the MaxPol kernel of
    that order turns the series into ``sum_n c_n d_2n``, which stops at the kernels' cut-off where the series would
    blow up noise.
    """
    frequency = np.linspace(0, cutoff, 200)[1:]
    wanted = 1 / transfer(frequency) - 1
    powers = np.stack([(-1.0) ** n * frequency ** (2 * n) for n in range(1, terms + 1)], axis=1)
    coefficients = np.linalg.lstsq(powers, wanted, rcond=None)[0]
    return np.asarray(sum(c * maxpol(2 * n, half, flat) for n, c in enumerate(coefficients, 1)))
