"""Going through a worklist from slide to slide, and on a slide from blurred region to blurred region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.worklist.lines import Line
from focusviewer.app.worklist.state import WorklistState


class WorklistNavigator(QObject):
    """Opens the slides of the list one after the other, and goes to their blurred regions."""

    failed = Signal(str)

    def __init__(
        self,
        state: WorklistState,
        slides: SlideController,
        viewport: Viewport,
        messages: MessageBar,
        open_paths: Callable[[Sequence[Path]], None],
    ) -> None:
        super().__init__()
        self._state, self._slides, self._viewport = state, slides, viewport
        self._messages, self._open_paths = messages, open_paths
        self._opening: Line | None = None  # the slide that is being opened
        self._documents: list[Document] = []  # opened from here: closed when the next one opens
        slides.opened.connect(self._slide_opened)

    def _needed_line(self) -> Line | None:
        """The selected slide; if there is none, a message says so."""
        if self._state.line is None:
            self.failed.emit(self._state.why_no_line)
        return self._state.line

    # --- slides --------------------------------------------------------------------------------------------

    def step(self, by: int, accept: Callable[[Line], bool] = lambda line: True) -> None:
        """Open the next (or previous) slide of the list that is accepted."""
        listed, line = self._state.listing.listed, self._state.line
        places = [number for number, other in enumerate(listed) if line and other.fingerprint == line.fingerprint]
        start = places[0] if places else (-1 if by > 0 else len(listed))
        ahead = listed[start + 1 :] if by > 0 else listed[:start][::-1]
        for other in ahead:
            if accept(other):
                self.open_slide(other.fingerprint)
                return
        if self._needed_line() is not None:
            self._messages.show_message("The list ends here." if by > 0 else "The list begins here.", "info")

    def next_to_do(self) -> None:
        """Open the next slide that the reader has not judged."""
        self.step(1, lambda line: line.mine is None)

    @Slot(str)
    def open_slide(self, fingerprint: str = "") -> None:
        """Open a slide of the list (the selected one without a fingerprint), with its stored map."""
        line = self._state.listing.lines.get(fingerprint) if fingerprint else self._needed_line()
        if line is None:
            return
        self._state.select(line.fingerprint)
        for document in self._slides.documents:  # also if it was opened under another path
            if document.slide.fingerprint == line.fingerprint:
                self._slides.show(document)
                return
        self._opening = line
        self._open_paths([line.row.facts.path])

    @Slot(object)
    def _slide_opened(self, document: Document) -> None:
        line = self._opening
        if line is None or document.path != line.row.facts.path:
            return
        self._opening = None
        if document.slide.fingerprint != line.fingerprint:
            text = f"{line.name} is another file than the one that was judged; its map and regions do not fit it."
            self._messages.show_message(text, "warning")
        for earlier in self._documents:
            self._slides.close(earlier)
        self._documents = [document]

    # --- regions -------------------------------------------------------------------------------------------

    def step_region(self, by: int) -> None:
        """Go to the next or previous blurred region of the slide, from the worst to the least."""
        line = self._needed_line()
        if line is None:
            return
        if line.hidden:
            self._messages.show_message("Blinded: regions can be seen when you have given your verdict.", "info")
        elif line.fingerprint != self._state.on_screen:
            self.open_slide()
        elif not line.regions:
            self._messages.show_message(f"{line.name} has no blurred region.", "info")
        else:
            count, region = len(line.regions), self._state.region
            first = 0 if by > 0 else count - 1
            self.go_to_region(first if region < 0 else (region + by) % count)

    @Slot(int)
    def go_to_region(self, number: int) -> None:
        """Show a blurred region of the selected slide and outline it."""
        line = self._state.line
        if line is None or not 0 <= number < len(line.regions):
            return
        if line.fingerprint != self._state.on_screen:
            self.open_slide()
            return
        self._state.region = number
        region = line.regions[number]
        self._viewport.go_to_rect(region.x, region.y, region.width, region.height)
