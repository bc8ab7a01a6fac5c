"""What is refocused, to which focus and from which planes; no Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from psygnal import Signal, SignalGroupDescriptor

from focusviewer.app.refocus.area import KNOB_MODES, resting_mode, snapped_um, z_range
from focusviewer.core.registry import AnyEntry
from focusviewer.refocus.base import MAX_PLANES

SWEEP_UM = 2.0
"""How far a sweep goes either way, unless the user says otherwise."""


@dataclass
class RefocusState:
    """The truth of the Refocus panel.

    Attributes
    ----------
    turned : Signal
        The user has turned the knob with :meth:`turn`, perhaps to where it was already. Not emitted when the knob
        is moved with :meth:`move` for another reason (another plane, Auto, a sweep).
    is_on : bool
        Whether the user has switched refocusing on.
    mode : str
        One of :data:`focusviewer.app.refocus.area.MODES`.
    planes_um : tuple of float
        The acquired planes of the slide.
    plane_um : float
        Focus of the acquired plane that is shown.
    target_um : float
        Where the knob stands: the focus that is asked for, or that the brush paints.
    engines : tuple of AnyEntry
        All engines, also those whose weights are missing; empty until they have been listed.
    engine : str
        Name of the engine that is chosen; empty until they have been listed.
    manual_sources : bool
        Whether the user chooses the planes to work from.
    checked : tuple of int
        The planes that are checked for that.
    obstacle : str
        Why the view cannot be refocused; empty when it can.
    offers_scale : bool
        Whether giving the slide a scale would help.
    status : str
        The line about the picture and the work on the next one.
    synthesised : bool
        Whether the picture is computed, not scanned.
    offers_all_in_focus : bool
        Whether Auto has found that one focus leaves much of the view out.
    sweep_low_um, sweep_high_um : float
        Ends of a sweep.
    playing : bool
        Whether the focus is being swept.
    guess_um : float or None
        Where the tissue of a view of one plane is believed to lie: what Auto has found there, or the engine's estimate.
    likely_um : (lowest, highest) or None
        Between which positions most of that tissue may lie.
    confidence : str
        The line that says how well the picture agrees with the scan.
    confidence_shown : bool
        Whether the places where it does not agree are marked.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()
    turned: ClassVar[Signal] = Signal()

    is_on: bool = False
    mode: str = resting_mode((0.0,))
    planes_um: tuple[float, ...] = (0.0,)
    plane_um: float = 0.0
    target_um: float = 0.0
    engines: tuple[AnyEntry, ...] = ()
    engine: str = ""
    manual_sources: bool = False
    checked: tuple[int, ...] = (0,)
    obstacle: str = "Open a slide first."
    offers_scale: bool = False
    status: str = ""
    synthesised: bool = False
    offers_all_in_focus: bool = False
    sweep_low_um: float = -SWEEP_UM
    sweep_high_um: float = SWEEP_UM
    playing: bool = False
    guess_um: float | None = None
    likely_um: tuple[float, float] | None = None
    confidence: str = ""
    confidence_shown: bool = False

    @property
    def can_refocus(self) -> bool:
        """Whether refocusing is on and nothing stands against it."""
        return self.is_on and not self.obstacle

    @property
    def range_um(self) -> tuple[float, float]:
        """Ends of the knob."""
        return z_range(self.planes_um)

    @property
    def knob_um(self) -> float | None:
        """The focus of the picture in the modes where the knob sets it; None in the others."""
        return self.target_um if self.mode in KNOB_MODES else None

    @property
    def resting_mode(self) -> str:
        """The mode in which the knob is turned unless another is chosen."""
        return resting_mode(self.planes_um)

    @property
    def sources(self) -> tuple[int, ...]:
        """Planes that were chosen by hand, no more than an engine takes; empty: the nearest to the focus."""
        return self.checked[:MAX_PLANES] if self.manual_sources else ()

    def show_slide(self, planes_um: tuple[float, ...], plane_um: float) -> None:
        """Another slide is shown, at one of its planes: what was chosen for the last one is forgotten."""
        self.manual_sources = False
        self.planes_um = planes_um
        self.checked = tuple(range(min(len(planes_um), MAX_PLANES)))
        self.show_plane(plane_um)
        low, high = self.range_um
        self.sweep_low_um = round(max(low, plane_um - SWEEP_UM), 1)
        self.sweep_high_um = round(min(high, plane_um + SWEEP_UM), 1)

    def show_plane(self, plane_um: float) -> None:
        """Another of the acquired planes is shown: the knob stands there."""
        self.plane_um = plane_um
        self.move(plane_um)

    def move(self, z_um: float) -> None:
        """Move the knob for a reason other than the user's turning it."""
        self.target_um = snapped_um(z_um, self.planes_um)

    def turn(self, z_um: float) -> None:
        """Turn the knob as the user: a sweep ends, and the knob sets the focus of the picture, or of the brush."""
        self.playing = False
        self.move(z_um)
        if self.mode not in (*KNOB_MODES, "paint"):
            self.mode = self.resting_mode
        self.turned.emit()

    def turn_by(self, step_um: float) -> None:
        """Turn the knob a little, as the user, within its range."""
        low, high = self.range_um
        here = round(self.target_um, 2)  # as it is read
        there = min(max(here + step_um, low), high)
        if there != here:
            self.turn(there)

    def show_scan(self) -> None:
        """Turn the knob to the plane that is shown, if it can be turned."""
        if self.can_refocus:
            self.turn(self.plane_um)

    def check(self, plane: int, on: bool) -> None:
        """Check a plane to work from, or take its check mark away."""
        others = set(self.checked) - {plane}
        self.checked = tuple(sorted(others | {plane} if on else others))

    def offer_engines(self, entries: Sequence[AnyEntry], wanted: str, default: str) -> None:
        """List the engines and choose one: ``wanted`` if it is available, else ``default``, else the first."""
        names = [entry.name for entry in entries]
        usable = {entry.name for entry in entries if entry.available}
        chosen = wanted if wanted in usable else default
        self.engine = chosen if chosen in names else (names[0] if names else "")
        self.engines = tuple(entries)
