"""The features of a whole slide that verdicts are made from, counted in its focus map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.focus.mapping.regions import blurred_windows, label_regions

WORST_PART = 0.1


@dataclass(frozen=True)
class SlideFeatures:
    """A slide in a few numbers.

    Attributes
    ----------
    tissue_found : bool
    tissue_mm2 : float or None
        Area of the windows with tissue, each counted with its stride-sized middle; None without a pixel size.
    tissue_windows : int
        Windows with tissue: those with a score, those that cannot be scored, and unreadable ones.
    blurred_fraction : float
        Part of the windows with a score that is blurred, 0..1.
    largest_region_mm2 : float or None
        The largest connected blurred region; None without a pixel size.
    median_um, worst_decile_um : float
        Distance from focus: the median window's, and the mean over the worst tenth.
    cannot_tell_fraction, unreadable_fraction : float
        Parts of the windows with tissue, 0..1.
    mpp : float or None
        Pixel size of level 0, um.
    absolute : bool
        Whether the scores are distances from focus at all.
    sides_um : (float, float) or None
        Sides of a level-0 pixel across and down, where it is not square and ``mpp`` is None.
    fluorescence : bool
        Whether the slide looks like fluorescence.
    missing_planes : int
        Focal planes that the file announces and does not hold.
    """

    tissue_found: bool
    tissue_mm2: float | None
    tissue_windows: int
    blurred_fraction: float
    largest_region_mm2: float | None
    median_um: float
    worst_decile_um: float
    cannot_tell_fraction: float
    unreadable_fraction: float
    mpp: float | None
    absolute: bool
    sides_um: Sequence[float] | None = None
    fluorescence: bool = False
    missing_planes: int = 0


def slide_features(focus_map: FocusMap, blurred_um: float, missing_planes: int = 0) -> SlideFeatures:
    """Count a focus map into features.

    Parameters
    ----------
    blurred_um : float
        Distance from focus from which a window is blurred, um.
    missing_planes : int
        Of the slide's stack.
    """
    scored = focus_map.blur[focus_map.tissue].astype(np.float64) * LEVEL_UM
    unknown = 0 if focus_map.cannot_tell is None else int(focus_map.cannot_tell.sum())
    windows = scored.size + unknown + focus_map.unreadable
    usable = scored.size > 0 and focus_map.absolute
    cell_mm2 = focus_map.cell_mm2
    largest = 0
    if usable:
        labels, count = label_regions(blurred_windows(focus_map, blurred_um / LEVEL_UM))
        largest = int(np.bincount(labels.ravel())[1:].max()) if count else 0
    worst = np.sort(scored)[-max(1, round(WORST_PART * scored.size)) :] if usable else np.zeros(1)
    return SlideFeatures(
        tissue_found=windows > 0,
        tissue_mm2=None if cell_mm2 is None else windows * cell_mm2,
        tissue_windows=windows,
        blurred_fraction=float((scored >= blurred_um).mean()) if usable else 0.0,
        largest_region_mm2=None if cell_mm2 is None else largest * cell_mm2,
        median_um=float(np.median(scored)) if usable else 0.0,
        worst_decile_um=float(worst.mean()),
        cannot_tell_fraction=unknown / windows if windows else 0.0,
        unreadable_fraction=focus_map.unreadable / windows if windows else 0.0,
        mpp=focus_map.mpp,
        absolute=focus_map.absolute,
        sides_um=focus_map.sides_um,
        fluorescence=focus_map.fluorescence,
        missing_planes=missing_planes,
    )
