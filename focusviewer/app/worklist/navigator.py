"""The way through a worklist: from slide to slide, and on a slide from blurred region to blurred region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Slot

from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.verdict_panel import VerdictPanel


class Desk(Protocol):
    """What is selected and listed."""

    @property
    def line(self) -> Line | None:
        """The selected slide; without one the reader is told why."""

    @property
    def shown(self) -> list[Line]:
        """The listed slides, in order."""

    def line_of(self, fingerprint: str) -> Line | None:
        """A slide of the worklist."""

    def is_on_screen(self, line: Line) -> bool:
        """Whether a slide is the one in the picture."""

    def select(self, fingerprint: str) -> None:
        """Turn to a slide."""

    def need_line(self) -> Line | None:
        """The selected slide; if there is none, the reader is told so."""


class Walk(QObject):
    """Opens the slides of the list one after the other, and goes to their regions."""

    def __init__(
        self,
        desk: Desk,
        slides: SlideController,
        viewport: Viewport,
        verdicts: VerdictPanel,
        messages: MessageBar,
        open_paths: Callable[[Sequence[Path]], None],
    ) -> None:
        super().__init__()
        self._desk, self._slides, self._viewport = desk, slides, viewport
        self._verdicts, self._messages, self._open_paths = verdicts, messages, open_paths
        self._wanted: Line | None = None  # its slide is being opened
        self._opened: list[Document] = []  # from here: closed again when the next one is
        self._region = -1
        slides.opened.connect(self._slide_opened)
        verdicts.region_chosen.connect(self.go_to_region)

    def reset(self) -> None:
        """Begin with the worst region again: another slide is selected."""
        self._region = -1

    # --- slides --------------------------------------------------------------------------------------------

    def step(self, by: int, accept: Callable[[Line], bool] = lambda line: True) -> None:
        """Open the next (or previous) slide of the list that is accepted."""
        shown, line = self._desk.shown, self._desk.line
        places = [number for number, other in enumerate(shown) if line and other.fingerprint == line.fingerprint]
        start = places[0] if places else (-1 if by > 0 else len(shown))
        ahead = shown[start + 1 :] if by > 0 else shown[:start][::-1]
        for other in ahead:
            if accept(other):
                self.open_slide(other.fingerprint)
                return
        if self._desk.need_line() is not None:
            self._messages.show_message("The list ends here." if by > 0 else "The list begins here.", "info")

    def next_to_do(self) -> None:
        """Open the next slide that the reader has not judged."""
        self.step(1, lambda line: line.mine is None)

    @Slot(str)
    def open_slide(self, fingerprint: str = "") -> None:
        """Open a slide of the list (the selected one without a fingerprint), with its stored map."""
        line = self._desk.line_of(fingerprint) if fingerprint else self._desk.need_line()
        if line is None:
            return
        self._desk.select(line.fingerprint)
        for document in self._slides.documents:  # also if it was opened under another path
            if document.slide.fingerprint == line.fingerprint:
                self._slides.show(document)
                return
        self._wanted = line
        self._open_paths([line.row.facts.path])

    @Slot(object)
    def _slide_opened(self, document: Document) -> None:
        wanted = self._wanted
        if wanted is None or document.path != wanted.row.facts.path:
            return
        self._wanted = None
        if document.slide.fingerprint != wanted.fingerprint:
            text = f"{wanted.name} is another file than the one that was judged; its map and regions do not fit it."
            self._messages.show_message(text, "warning")
        for earlier in self._opened:
            self._slides.close(earlier)
        self._opened = [document]

    # --- regions -------------------------------------------------------------------------------------------

    def step_region(self, by: int) -> None:
        """Go to the next or previous blurred region of the slide, from the worst to the least."""
        line = self._desk.need_line()
        if line is None:
            return
        if line.hidden:
            self._messages.show_message("Blinded: regions can be seen when you have given your verdict.", "info")
        elif not self._desk.is_on_screen(line):
            self.open_slide()
        elif not line.regions:
            self._messages.show_message(f"{line.name} has no blurred region.", "info")
        else:
            count = len(line.regions)
            first = 0 if by > 0 else count - 1
            self.go_to_region(first if self._region < 0 else (self._region + by) % count)

    @Slot(int)
    def go_to_region(self, number: int) -> None:
        """Show a blurred region of the selected slide and outline it."""
        line = self._desk.line
        if line is None or not 0 <= number < len(line.regions):
            return
        if not self._desk.is_on_screen(line):
            self.open_slide()
            return
        self._region = number
        region = line.regions[number]
        self._verdicts.show_region(number)
        self._viewport.go_to_rect(region.x, region.y, region.width, region.height)
