"""The thresholds that are tried on a worklist; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from focusviewer.app.worklist.thresholds.roc import RocCurve
from focusviewer.app.worklist.thresholds.trial import ThresholdEffect
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules

SAME = 1e-9
"""Values that differ by less are the same threshold."""


@dataclass
class ThresholdPreviewState:
    """The truth of the preview of other thresholds.

    Attributes
    ----------
    shipped : Rules or None
        The program's own; None until they were read.
    rules : Rules or None
        What the thresholds are moved away from: the shipped rules, or a file of the user's.
    loaded : bool
        Whether the rules are a file of the user's, whose own effect is of interest.
    threshold : str
        Name of the threshold that the slider moves.
    changes : mapping of threshold to float
        Values other than those of the rules.
    waiting : bool
        Whether the effect of what is tried is still being worked out.
    effect : ThresholdEffect or None
        What was worked out last; None while nothing is tried.
    roc : RocCurve or None
        The program's scores against persons' verdicts; None while there are too few verdicts.
    can_plot : bool
        Whether the plotting library is loaded.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    shipped: Rules | None = None
    rules: Rules | None = None
    loaded: bool = False
    threshold: str = "blurred_um"
    changes: Mapping[str, float] = field(default_factory=dict)
    waiting: bool = False
    effect: ThresholdEffect | None = None
    roc: RocCurve | None = None
    can_plot: bool = False

    @property
    def tries_something(self) -> bool:
        """Whether anything is other than in the shipped rules."""
        return bool(self.changes) or self.loaded

    @property
    def value(self) -> float:
        """The chosen threshold as it is tried; 0 before there are rules."""
        return self.changes.get(self.threshold, self._ruled)

    @property
    def would_be(self) -> Mapping[str, Verdict]:
        """The program's verdicts with what is tried, by fingerprint, where they would be others."""
        return {} if self.effect is None else self.effect.moved

    @property
    def _ruled(self) -> float:
        return 0.0 if self.rules is None else float(getattr(self.rules.thresholds, self.threshold))

    def move(self, value: float) -> None:
        """Give the chosen threshold another value; with that of the rules it counts as not moved."""
        if self.rules is None:
            return
        changes = {name: other for name, other in self.changes.items() if name != self.threshold}
        if abs(value - self._ruled) > SAME:
            changes[self.threshold] = value
        self.changes = changes

    def take_shipped(self, rules: Rules) -> None:
        """Take the program's own rules, when they were read."""
        self.shipped = rules
        self.reset()

    def load(self, rules: Rules) -> None:
        """Try rules of the user's, with their thresholds as they are."""
        self.loaded = True  # before the changes are cleared, so that the preview never ends in between
        self.rules = rules
        self.changes = {}

    def reset(self) -> None:
        """Go back to the shipped rules."""
        self.rules = self.shipped
        self.changes = {}
        self.loaded = False
