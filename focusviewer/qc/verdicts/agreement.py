"""Agreement of two readers on the slides that both have given a verdict on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from focusviewer.qc.verdicts.judgement import Verdict


@dataclass(frozen=True)
class Agreement:
    """Two readers side by side.

    Attributes
    ----------
    slides : int
        With a verdict of both.
    same : int
        Of these, with the same verdict.
    kappa : float or None
        Cohen's kappa: 1 for full agreement, 0 for what chance alone would give. None where it is not defined: no
        slide in common, or both gave one and the same verdict to all of them, so that chance would agree as well.
    """

    slides: int
    same: int
    kappa: float | None


def agreement(first: Mapping[str, Verdict], second: Mapping[str, Verdict]) -> Agreement:
    """Compare two readers' verdicts by fingerprint; slides with a verdict of only one do not count.

    kappa = (p_o - p_e) / (1 - p_e) of Cohen, "A coefficient of agreement for nominal scales", 1960: p_o is the part of
    the slides with the same verdict, p_e what is expected from how often each reader gives each verdict.
    """
    pairs = [(first[slide], second[slide]) for slide in first.keys() & second.keys()]
    total, same = len(pairs), sum(one == other for one, other in pairs)
    ones, others = [one for one, _ in pairs], [other for _, other in pairs]
    # Whole numbers as long as possible: total^2 times p_e
    expected = sum(ones.count(verdict) * others.count(verdict) for verdict in Verdict)
    if expected == total * total:
        return Agreement(total, same, None)
    return Agreement(total, same, (same * total - expected) / (total * total - expected))


def pairs_of(readers: Mapping[str, Mapping[str, Verdict]]) -> list[tuple[str, str, Agreement]]:
    """Every two readers who have a slide in common, by name."""
    names = sorted(readers)
    found = [
        (one, other, agreement(readers[one], readers[other]))
        for number, one in enumerate(names)
        for other in names[number + 1 :]
    ]
    return [item for item in found if item[2].slides]
