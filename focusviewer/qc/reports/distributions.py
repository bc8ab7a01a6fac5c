"""Distributions of the features that verdicts are made from, and how many slides lie close to the thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from focusviewer.qc.reports.markup import TEMPLATES
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, Thresholds
from focusviewer.qc.worklist.records import Result, SlideRow

MEASURES = {
    "blurred_fraction": ("blurred part of the tissue", "blurred_fraction"),
    "worst_decile_um": ("worst tenth of the tissue, µm", "worst_decile_um"),
    "cannot_tell_fraction": ("part that cannot be judged", "cannot_tell_fraction"),
}
"""Features by name: their words, and how the thresholds on them end."""

_BINS, _BAR, _HEIGHT = 32, 9, 84
_LEFT, _TOP = 30, 18
_FEW = 2  # slides have no distribution below this


@dataclass(frozen=True)
class Bar:
    """The slides of one verdict in one bin: a rectangle of the drawing, and the words under the pointer."""

    verdict: Verdict
    x: float
    y: float
    height: float
    words: str


@dataclass(frozen=True)
class Histogram:
    """One measure as it is drawn.

    Attributes
    ----------
    words : str
        What is measured.
    marks : tuple of float
        Where the thresholds of REVIEW and RESCAN lie in the drawing.
    top : float
        Value at the right end of the axis.
    most : int
        Slides in the fullest bin.
    """

    words: str
    bars: tuple[Bar, ...]
    marks: tuple[float, ...]
    top: float
    most: int


def distribution_section(rows: Sequence[SlideRow], rules: Rules) -> Markup:
    """HTML with a histogram of every measure, coloured by the program's verdict; lines mark the rules' thresholds.

    Thresholds are drawn where all verdicts were made by these rules. Empty for a slide or two.
    """
    results = [row.result for row in rows if row.result is not None and row.result.features.absolute]
    if len(results) <= _FEW:
        return Markup()
    limits = rules.thresholds if all(item.judgement.rules == rules.label for item in results) else None
    return TEMPLATES.render(
        "distributions.html",
        count=len(results),
        histograms=[_histogram(results, name, limits) for name in MEASURES],
        left=_LEFT,
        base=_TOP + _HEIGHT,
        top=_TOP,
        width=_BINS * _BAR,
        bar=_BAR,
    )


def _histogram(results: Sequence[Result], name: str, limits: Thresholds | None) -> Histogram:
    words, ending = MEASURES[name]
    values = np.array([float(getattr(item.features, name)) for item in results])
    marks = [] if limits is None else [float(getattr(limits, f"{step}_{ending}")) for step in ("review", "rescan")]
    top = float(max(values.max(), *(1.1 * mark for mark in marks), 1e-6))
    edges = np.linspace(0, top, _BINS + 1)
    counts = {
        verdict: np.histogram(values[[item.judgement.verdict is verdict for item in results]], edges)[0]
        for verdict in Verdict
    }
    most = int(np.sum(list(counts.values()), axis=0).max())
    places = tuple(_LEFT + _BINS * _BAR * mark / top for mark in marks)
    return Histogram(words, tuple(_bars(counts, edges, most)), places, top, most)


def _bars(counts: Mapping[Verdict, npt.NDArray[np.int64]], edges: npt.NDArray[np.float64], most: int) -> list[Bar]:
    """The bars of every bin, those of better verdicts below."""
    bars = []
    for column in range(_BINS):
        y = float(_TOP + _HEIGHT)
        for verdict, found in counts.items():
            height = _HEIGHT * int(found[column]) / most
            if height:
                y -= height
                words = f"{edges[column]:.3g} to {edges[column + 1]:.3g}: {found[column]} {verdict.value}"
                bars.append(Bar(verdict, _LEFT + column * _BAR, y, height, words))
    return bars
