"""What other thresholds would change in a worklist, without writing anything; no Qt here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from focusviewer.core.caches import LockedLRUCache
from focusviewer.core.cancel import stop_if
from focusviewer.core.errors import UserError
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.store import load_map
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import Judgement, Verdict, judgement_of
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import Result, SlideRow

MAPS_KEPT = 2000
"""Maps of windows are small: a slide of 25,000 px has about 40,000 numbers."""


@dataclass(frozen=True)
class ThresholdEffect:
    """What other thresholds would change.

    Attributes
    ----------
    judged, missing : int
        Slides that were judged anew; slides whose map could not be read, which stay out.
    moved : dict of fingerprint to Verdict
        The new verdicts of those that would get another one.
    steps : Counter of (old, new)
        How many go from which verdict to which.
    other_rules : str
        Rules the list was judged with, where they are not the ones that were moved.
    """

    judged: int = 0
    missing: int = 0
    moved: dict[str, Verdict] = field(default_factory=dict)
    steps: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    other_rules: str = ""


def moved_rules(rules: Rules, changes: Mapping[str, float]) -> Rules:
    """Rules with other default thresholds; overrides for a scanner or stain still win."""
    return replace(rules, version=f"{rules.version} changed", thresholds=replace(rules.thresholds, **changes))


def as_toml(changes: Mapping[str, float]) -> str:
    """The changed thresholds as a part of a rules file."""
    return "[defaults]\n" + "".join(f"{name} = {value:g}\n" for name, value in changes.items())


class ThresholdTrial:
    """Judges worklists anew from stored maps and features (any thread)."""

    def __init__(self) -> None:
        self._maps: LockedLRUCache[tuple[str, str, str], FocusMap] = LockedLRUCache(MAPS_KEPT)

    def run(
        self,
        rows: Iterable[SlideRow],
        folder: Path,
        rules: Rules,
        changes: Mapping[str, float],
        cancel: Event | None = None,
    ) -> ThresholdEffect:
        """Judge every row with changed thresholds.

        Raises
        ------
        CancelledError
            If the token ``cancel`` is set.
        """
        tried = moved_rules(rules, changes)
        judged = missing = 0
        moved: dict[str, Verdict] = {}
        steps: Counter[tuple[Verdict, Verdict]] = Counter()
        others: set[str] = set()
        for row in rows:
            stop_if(cancel)
            if row.result is None:
                continue
            found = self.judgement_of(row.result, folder, rules, tried)
            if found is None:
                missing += 1
                continue
            judged += 1
            old = row.result.judgement
            if old.rules != rules.label:
                others.add(old.rules)
            if found.verdict is not old.verdict:
                moved[row.facts.fingerprint] = found.verdict
                steps[old.verdict, found.verdict] += 1
        return ThresholdEffect(judged, missing, moved, steps, ", ".join(sorted(others)))

    def judgement_of(self, result: Result, folder: Path, rules: Rules, tried: Rules) -> Judgement | None:
        """The judgement of a slide by other rules; None if its map is needed and cannot be read."""
        facts, features = result.facts, result.features
        limits = tried.for_slide(facts.scanner, facts.stain)
        counted_with = rules.for_slide(facts.scanner, facts.stain).blurred_um
        if result.judgement.rules != rules.label or limits.blurred_um != counted_with:
            try:
                features = slide_features(self._map(result, folder), limits.blurred_um)
            except UserError:
                return None
        return judgement_of(features, tried, scanner=facts.scanner, stain=facts.stain)

    def _map(self, result: Result, folder: Path) -> FocusMap:
        key = (result.folder, result.model, result.model_version)
        found = self._maps.get(key)
        if found is None:
            found = load_map(folder / result.folder / "map.npz")
            self._maps.put(key, found)
        return found
