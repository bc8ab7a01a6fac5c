"""Confidence intervals by resampling whole slides, stacks or fields: crops of one slide are not independent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Interval(NamedTuple):
    """A confidence interval; both ends are NaN where none can be told."""

    low: float
    high: float


def bootstrap_interval(
    statistic: Callable[..., float],
    groups: npt.ArrayLike,
    *columns: npt.ArrayLike,
    seed: int = 0,
    n: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic when groups are drawn with replacement (Efron 1979; cluster bootstrap).

    Parameters
    ----------
    statistic : callable
        Takes the resampled columns, returns a float; draws for which it is NaN are left out.
    groups : (N,) of anything comparable
        The slide, stack or field that each sample belongs to.
    columns : arrays (N, ...)
        What the statistic takes, for instance scores and truth.
    seed, n, level
        Seed of the draws, their number, and the probability inside the interval.

    Returns
    -------
    Interval; NaN when there are fewer than three groups, from which no spread can be told.
    """
    names = np.asarray(groups).ravel()
    values = [np.asarray(column) for column in columns]
    if any(len(column) != names.size for column in values):
        raise ValueError("every column needs one value for each sample")
    _, index = np.unique(names, return_inverse=True)
    members = [np.flatnonzero(index == group) for group in range(int(index.max(initial=-1)) + 1)]
    if len(members) < 3:
        return Interval(float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(n):
        rows = np.concatenate([members[group] for group in rng.integers(0, len(members), len(members))])
        drawn.append(statistic(*(column[rows] for column in values)))
    finite = np.asarray(drawn)[np.isfinite(drawn)]
    if not finite.size:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
