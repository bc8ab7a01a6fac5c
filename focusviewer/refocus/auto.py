"""The sharpest focus of a view, found by rendering it and measuring the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.cancel import stop_if
from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser
from focusviewer.refocus.blur_map import blur_model

COARSE_UM = 1.0
FINE_UM = 0.125
MARGIN = 0.2
"""A synthesised picture must be sharper than the scan by this much, in levels of 0.25 um, to be preferred."""


def best_z(engine: Refocuser, encoded: Encoded, low_um: float, high_um: float, cancel: Event | None = None) -> float:
    """Target at which the rendered view has the lowest blur score, or where an engine that ``finds_focus`` says.

    Parameters
    ----------
    engine : Refocuser
    encoded : Encoded
        From :meth:`Refocuser.encode` of this engine.
    low_um, high_um : float
        Ends of the search, um.
    cancel : threading.Event, optional
        Looked at before every picture.

    Returns
    -------
    float
        um. A plane's own position unless a synthesised picture is clearly sharper than it: what is sharp already
        stays as it was scanned.

    Raises
    ------
    CancelledError
        If ``cancel`` is set.
    """
    return best_z_of_places(engine, [encoded], low_um, high_um, cancel)


def best_z_of_places(
    engine: Refocuser, places: Sequence[Encoded], low_um: float, high_um: float, cancel: Event | None = None
) -> float:
    """As :func:`best_z`, the one target for several places of a view: their mean blur score counts."""

    def score(z_um: float) -> float:
        stop_if(cancel)
        return float(np.mean([blur_score(engine.render(encoded, z_um), encoded.mpp) for encoded in places]))

    planes_um = places[0].planes_um
    guess_um = float(np.median([encoded.best_z_um for encoded in places]))
    if len(planes_um) == 1:
        if engine.finds_focus:
            return round(float(np.clip(guess_um, low_um, high_um)), 6)
        # Beyond the deepest tissue all is blurred again: a measure that takes blurred noise for sharp is not asked.
        high_um = min(high_um, planes_um[0] + max(float(encoded.blur_um.max()) for encoded in places))
    return search(score, planes_um, guess_um, low_um, high_um)


def search(
    score: Callable[[float], float], planes_um: tuple[float, ...], guess_um: float, low_um: float, high_um: float
) -> float:
    """Coarse-to-fine search for the lowest score, a guess among the first tries; see :func:`best_z`.

    With one plane only its positive side is searched, where the tissue lies by convention; of a stack only the
    surroundings of its sharpest plane.
    """
    known: dict[float, float] = {}
    if len(planes_um) == 1:
        low_um = max(low_um, planes_um[0])

    def at(z_um: float) -> float:
        key = round(float(np.clip(z_um, low_um, high_um)), 6)  # finer than what is taken for an acquired plane
        if key not in known:
            known[key] = score(key)
        return known[key]

    scan = min(planes_um, key=lambda plane: (at(plane), plane))
    low_um, high_um = max(low_um, scan - MAX_Z_UM), min(high_um, scan + MAX_Z_UM)
    guess_um = float(np.clip(guess_um, low_um, high_um))
    best = min([float(step) for step in np.arange(low_um, high_um + 1e-6, COARSE_UM)] + [guess_um, scan], key=at)
    step = COARSE_UM / 2
    while step >= FINE_UM:
        best = min([best, best - step, best + step], key=at)
        step /= 2
    best = round(float(np.clip(best, low_um, high_um)), 6)
    return best if at(best) < at(scan) - MARGIN else float(scan)


def blur_score(pixels: RGB, mpp: float) -> float:
    """Blur of a view, uint8 (H, W, 3), in levels of 0.25 um: the measure used throughout the program."""
    return blur_model().score(pixels, mpp)
