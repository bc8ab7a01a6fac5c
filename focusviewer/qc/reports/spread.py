"""How a night's slides spread over what verdicts are made from: where thresholds cut, and how many lie close."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

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


def spread_section(rows: Sequence[SlideRow], rules: Rules) -> str:
    """HTML with a histogram of every measure, coloured by the program's verdict; lines mark the rules' thresholds.

    Thresholds are drawn where all verdicts were made by these rules. Empty for a slide or two.
    """
    results = [row.result for row in rows if row.result is not None and row.result.features.absolute]
    if len(results) <= _FEW:
        return ""
    limits = rules.thresholds if all(item.judgement.rules == rules.label for item in results) else None
    figures = "".join(f"<figure>{_histogram(results, name, limits)}</figure>" for name in MEASURES)
    return (
        '<section id="spread"><h2>How the slides spread</h2>'
        f'<p class="soft">{len(results)} slides by the program\'s verdict; dashed lines are the thresholds of REVIEW '
        f'and RESCAN.</p><div class="spread">{figures}</div></section>'
    )


def _histogram(results: Sequence[Result], name: str, limits: Thresholds | None) -> str:
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
    base, width = _TOP + _HEIGHT, _BINS * _BAR
    parts = [f'<text x="{_LEFT}" y="11">{escape(words)}</text>']
    for column in range(_BINS):
        y = float(base)
        for verdict, found in counts.items():
            height = _HEIGHT * int(found[column]) / most
            if height:
                y -= height
                tip = f"{edges[column]:.3g} to {edges[column + 1]:.3g}: {found[column]} {verdict.value}"
                parts.append(
                    f'<rect class="{verdict.value}" x="{_LEFT + column * _BAR}" y="{y:.1f}" width="{_BAR - 1}" '
                    f'height="{height:.1f}" fill="currentColor"><title>{tip}</title></rect>'
                )
    for mark in marks:
        x = _LEFT + width * mark / top
        parts.append(f'<path class="grid" stroke-dasharray="3 2" d="M{x:.1f} {_TOP}V{base}"/>')
    parts.append(f'<path class="grid" d="M{_LEFT} {base}H{_LEFT + width}"/>')
    for place, label in ((0.0, "0"), (1.0, f"{top:.3g}")):
        parts.append(f'<text x="{_LEFT + width * place:g}" y="{base + 13}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{_LEFT - 4}" y="{_TOP + 8}" text-anchor="end">{most}</text>')
    size = f"{_LEFT + width + 20} {base + 18}"
    return f'<svg viewBox="0 0 {size}" role="img" aria-label="{escape(words)}">{"".join(parts)}</svg>'
