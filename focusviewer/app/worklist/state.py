"""The worklist that is open, what is listed and selected of it, and who reads it; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from focusviewer.app.worklist.lines import Choice, Line, Reader, choose, lines_of
from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.qc.verdicts.agreement import Agreement, pairs_of
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import VerdictRow

NOTHING_OPEN = "No worklist is open. Open one with File > Open worklist."
READ_ONLY = "This worklist can only be read where it lies: no verdicts or notes can be kept. Copy its folder to do so."
NOTHING_SELECTED = "Select a slide of the worklist first."

Pairs = tuple[tuple[str, str, Agreement], ...]


@dataclass(frozen=True, eq=False)  # a new listing is always shown: comparing all slides would only take time
class Listing:
    """The slides of a worklist as the reader may see them.

    Attributes
    ----------
    lines : mapping of fingerprint to Line
        All slides.
    listed : tuple of Line
        Those that pass the filter, in order.
    """

    lines: Mapping[str, Line] = field(default_factory=dict)
    listed: tuple[Line, ...] = ()

    @property
    def judged(self) -> int:
        """Number of slides that somebody has judged."""
        return sum(line.row.person is not None for line in self.lines.values())

    @property
    def mine(self) -> int:
        """Number of slides that the reader has judged."""
        return sum(line.mine is not None for line in self.lines.values())


@dataclass
class WorklistState:
    """The truth of the worklist in the window.

    Attributes
    ----------
    snapshot : Snapshot or None
        What was read last of the worklist that is open; None while none is.
    reader, blinded, revealed
        See :class:`focusviewer.app.worklist.lines.Reader`.
    choice : Choice
        Filter and order.
    listing : Listing
        What follows from all of these: see :meth:`list_slides`.
    selected : str
        Fingerprint of the slide that verdicts are about; empty for none.
    on_screen : str
        Fingerprint of the slide in the picture; empty for none.
    region : int
        Number of the blurred region that is looked at, from the worst; -1 for none.
    history : tuple of VerdictRow
        Every verdict ever given on the selected slide, oldest first.
    note, kept_note : str
        The note as it is being written, and as it was kept last.
    drafts : mapping of fingerprint to str
        Notes that wait for a verdict.
    advance : bool
        Whether the next slide is opened after a verdict.
    agreement : tuple of (one reader, another, Agreement)
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    snapshot: Snapshot | None = None
    reader: str = ""
    blinded: bool = False
    revealed: frozenset[str] = frozenset()
    choice: Choice = field(default_factory=Choice)
    listing: Listing = field(default_factory=Listing)
    selected: str = ""
    on_screen: str = ""
    region: int = -1
    history: tuple[VerdictRow, ...] = ()
    note: str = ""
    kept_note: str = ""
    drafts: Mapping[str, str] = field(default_factory=dict)
    advance: bool = False
    agreement: Pairs = ()

    # --- what follows from the fields ----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether a worklist is shown."""
        return self.snapshot is not None

    @property
    def is_read_only(self) -> bool:
        """Whether a worklist is open that verdicts cannot be written to."""
        return self.snapshot is not None and self.snapshot.read_only

    @property
    def folder(self) -> Path | None:
        """The folder of the worklist."""
        return None if self.snapshot is None else self.snapshot.folder

    @property
    def line(self) -> Line | None:
        """The selected slide."""
        return self.listing.lines.get(self.selected)

    @property
    def line_on_screen(self) -> Line | None:
        """The slide in the picture, if it is one of the worklist."""
        return self.listing.lines.get(self.on_screen)

    @property
    def why_no_line(self) -> str:
        """The message when a command needs a selected slide and there is none."""
        return NOTHING_SELECTED if self.is_open else NOTHING_OPEN

    @property
    def note_has_changed(self) -> bool:
        """Whether the note is another than the one that was kept."""
        return self.note != self.kept_note

    # --- changes of several fields -------------------------------------------------------------------------

    def open(self, snapshot: Snapshot) -> None:
        """Show a worklist that was opened."""
        self.selected = ""
        self.drafts, self.revealed = {}, frozenset()
        self.snapshot = snapshot

    def close(self) -> None:
        """Show no worklist any more."""
        self.selected = ""
        self.snapshot = None

    def change_reader(self, name: str) -> None:
        """Let somebody else read; nothing is known of what they have seen."""
        self.revealed = frozenset()
        self.reader = name

    def reveal(self, fingerprint: str) -> None:
        """Note that the reader has seen what was found on a slide."""
        self.revealed |= {fingerprint}

    def toggle_blinded(self) -> None:
        """Hide what was found on slides that the reader has not judged, or show it again."""
        self.blinded = not self.blinded

    def select(self, fingerprint: str) -> None:
        """Select a slide, if it is in the list; it is not opened."""
        if fingerprint != self.selected and fingerprint in self.listing.lines:
            self.region = -1
            self.selected = fingerprint

    def load_note(self) -> None:
        """Load the note of the selected slide: a draft, or the reader's note with the latest verdict."""
        person = None if self.line is None else self.line.row.person
        self.kept_note = person.note if person is not None and person.who == self.reader else ""
        self.note = self.drafts.get(self.selected, self.kept_note)

    def keep_note(self) -> str:
        """The note, to be written with a verdict on the selected slide; it counts as kept."""
        self.kept_note = self.note
        self.drafts = {key: note for key, note in self.drafts.items() if key != self.selected}
        return self.note.strip()

    def list_slides(self, would_be: Mapping[str, Verdict]) -> None:
        """Work out anew what the reader may see of every slide, and which slides are listed.

        Parameters
        ----------
        would_be : mapping of fingerprint to Verdict
            The program's verdicts with the thresholds that are tried, where they are others.
        """
        if self.snapshot is None:
            self.listing = Listing()
            return
        reader = Reader(self.reader, self.blinded, self.revealed)
        lines = {line.fingerprint: line for line in lines_of(self.snapshot, reader, would_be)}
        self.listing = Listing(lines, self._chosen(lines))

    def choose_listed(self) -> None:
        """Filter and order the slides anew, for another choice."""
        self.listing = replace(self.listing, listed=self._chosen(self.listing.lines))

    def _chosen(self, lines: Mapping[str, Line]) -> tuple[Line, ...]:
        return tuple(choose(lines.values(), self.choice, blinded=self.blinded))

    def compare_readers(self) -> None:
        """Work out anew how far the readers agree with each other and with the program."""
        if self.snapshot is None:
            self.agreement = ()
            return
        rows, readers = self.snapshot.rows, self.snapshot.readers
        program = {key: row.result.judgement.verdict for key, row in rows.items() if row.result is not None}
        # A blinded reader sees how the readers agree, but not their agreement with the program.
        self.agreement = tuple(pairs_of(readers if self.blinded else {**readers, "the program": program}))
