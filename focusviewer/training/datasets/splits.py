"""Splits by patient or slide: no group is ever on both sides, and the same seed gives the same split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SIDES = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
"""Shares of the groups: those of the FocusPath experiments of Wang 2024 (60 / 20 / 20)."""

SEED = 20


def split_groups(
    groups: Iterable[str], seed: int = SEED, shares: tuple[float, float, float] = SHARES
) -> dict[str, str]:
    """Which side each group (patient, slide, well) is on.

    The groups are put in an order that depends only on their names and the seed, and cut by the shares. With three
    groups or more every side gets one; with two the validation side stays empty; a single group trains.

    Parameters
    ----------
    groups : iterable of str
    seed : int
    shares : three floats
        Of training, validation and test.

    Returns
    -------
    dict
        Group -> ``train``, ``validation`` or ``test``.
    """
    names = sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    total = len(names)
    test = round(total * shares[2])
    validation = round(total * shares[1])
    if total >= 2:
        test = max(test, 1)
    if total >= 3:
        validation = max(validation, 1)
    validation = min(validation, max(total - test - 1, 0))
    edges = (total - test - validation, total - test)
    return {
        name: SIDES[0] if index < edges[0] else SIDES[1] if index < edges[1] else SIDES[2]
        for index, name in enumerate(names)
    }
