"""Comparing the scan with the refocused picture, another plane or another slide: wipe, split, flicker."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter

from focusviewer.app.compare.bar import CompareBar
from focusviewer.app.compare.state import CompareState
from focusviewer.app.compare.views import REFOCUSED, WIPE_STEP, Link, contents, pixel_sizes, second_document
from focusviewer.app.compare.wipe import WipeHandle
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.services.binding import follow
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.tools import ToolBox
from focusviewer.app.viewer.viewport import Viewport

PEEK_KEY = Qt.Key.Key_Space


class CompareController(QObject):
    """Shows two pictures at one place, in the mode of its state."""

    def __init__(
        self,
        tiles: TileSource,
        viewport: Viewport,
        splitter: QSplitter,
        slides: SlideController,
        refocus: RefocusController,
        tools: ToolBox,
    ) -> None:
        super().__init__()
        self._viewport, self._slides = viewport, slides
        self.state = CompareState()
        self.bar = CompareBar(self.state)
        self.handle = WipeHandle(viewport, self.state)
        self.second = Viewport(tiles, tools)
        self.second.setAccessibleName("Second slide picture")
        self.second.minimap.visible = False  # one is enough
        self.second.hide()
        splitter.addWidget(self.second)
        self._document: Document | None = None
        self._link: Link | None = None
        self._is_syncing = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._flicker)
        events = self.state.events
        events.mode.connect(self._mode_changed)
        events.content.connect(self._content_changed)
        events.linked.connect(self._link_pictures)
        events.wipe.connect(self._update_overlay)
        events.shows_scan.connect(self._update_overlay)
        events.peeking.connect(self._peeking_changed)
        follow(self.state, "rate_hz", self._set_rate)
        viewport.view_changed.connect(self._first_moved)
        self.second.view_changed.connect(self._second_moved)
        self.second.plane_turned.connect(self._turn_second)
        slides.documents_changed.connect(self._documents_changed)
        refocus.patch_changed.connect(self.refresh)
        for picture in (viewport, self.second):
            picture.installEventFilter(self)

    # --- modes ---------------------------------------------------------------------------------------------

    @Slot()
    def stop(self) -> None:
        """Compare no more."""
        self.state.mode = "off"

    def _mode_changed(self) -> None:
        self.state.peeking = self.state.shows_scan = False
        if self.state.mode == "flicker":
            self._timer.start()
        else:
            self._timer.stop()
        self._show_second()
        self.refresh()
        self._update_overlay()

    def move_wipe(self, steps: int) -> None:
        """Move the line of the wipe by small steps."""
        if self.state.mode == "wipe":
            self.state.move_wipe(steps * WIPE_STEP)

    def next_content(self) -> None:
        """Let the second picture show the next of what it can."""
        document = self._slides.current
        if self.state.mode == "split" and document is not None:
            keys = [item.key for item in contents(document, self._slides.documents)]
            at = keys.index(self.state.content) if self.state.content in keys else -1
            self.state.content = keys[(at + 1) % len(keys)]

    def toggle_link(self) -> None:
        """Move the pictures together, or each by itself."""
        self.state.linked = not self.state.linked

    def active_viewport(self) -> Viewport:
        """The picture that the keys work on: the second one when it has the keyboard focus."""
        return self.second if self.state.mode == "split" and self.second.hasFocus() else self._viewport

    # --- which picture is seen where -----------------------------------------------------------------------

    @property
    def _shows_refocused(self) -> bool:
        """Whether the refocused view is the second picture."""
        return self.state.mode == "split" and self.state.content == REFOCUSED

    def _update_overlay(self) -> None:
        """Show the refocused pixels over the scan, or hide them, as the comparison asks."""
        state, patch = self.state, self._viewport.patch
        patch.wipe = state.wipe if state.mode == "wipe" and not state.peeking else None
        patch.hidden = state.peeking or state.shows_scan or self._shows_refocused
        self.second.patch.hidden = state.peeking
        self._viewport.update()
        self.second.update()

    @Slot()
    def _flicker(self) -> None:
        if not self.state.peeking:
            self.state.shows_scan = not self.state.shows_scan

    def _peeking_changed(self) -> None:
        self.state.shows_scan = False  # a flicker goes on with the refocused picture
        self._update_overlay()

    def _set_rate(self, hertz: float) -> None:
        self._timer.setInterval(round(1000 / hertz))

    @Slot()
    def refresh(self) -> None:
        """Another refocused picture, or none, is on screen."""
        shown = self._shows_refocused
        if shown:
            self.second.patch.copy_from(self._viewport.patch)
            self._follow_plane()
        else:
            self.second.patch.clear()
        self.second.update()
        is_other = self.state.mode == "split" and not shown
        self.bar.show_hint(self._viewport.patch.image is not None or is_other)

    def _follow_plane(self) -> None:
        first, second = self._viewport.document, self.second.document
        if first is not None and second is not None and first.pyramid is second.pyramid:
            self.second.set_plane(first.view.plane)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """While the peek key is held, the scan is shown."""
        kind = event.type()
        if isinstance(event, QKeyEvent) and event.key() == PEEK_KEY and (self.state.peeking or not event.modifiers()):
            if not event.isAutoRepeat() and kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                self.state.peeking = kind == QEvent.Type.KeyPress
            return True
        if kind == QEvent.Type.FocusOut:
            self.state.peeking = False
        return super().eventFilter(watched, event)

    # --- the second picture --------------------------------------------------------------------------------

    def _content_changed(self) -> None:
        self._show_second()
        self.refresh()
        self._update_overlay()

    def _show_second(self) -> None:
        document = self._slides.current
        split = self.state.mode == "split" and document is not None
        self.second.setVisible(split)
        if not split or document is None:
            self._link = None
            self.second.show_document(None)
            return
        found = contents(document, self._slides.documents)
        if self.state.content not in [item.key for item in found]:
            self.state.content = REFOCUSED  # which shows it
            return
        self.bar.show_contents(found, self.state.content)
        shown = second_document(document, self.state.content, self._slides.documents)
        self._is_syncing = True  # the new picture takes its place; it does not move the first
        self.second.show_document(shown)
        self._is_syncing = False
        self._link_pictures()

    def _link_pictures(self) -> None:
        first, second = self._viewport.document, self.second.document
        if not self.state.linked or first is None or second is None:
            self._link = None
            return
        self._link = Link.between(first.view, second.view, pixel_sizes(first, second))

    def _move(self, leader: Viewport, follower: Viewport) -> None:
        link, a, b = self._link, leader.view, follower.view
        if self._is_syncing or link is None or a is None or b is None:
            return
        if leader is self._viewport:
            link.move_second(a, b)
        else:
            link.move_first(b, a)
        self._is_syncing = True
        follower.changed()
        self._is_syncing = False

    @Slot()
    def _first_moved(self) -> None:
        if self._shows_refocused:
            self._follow_plane()
        self._move(self._viewport, self.second)

    @Slot()
    def _second_moved(self) -> None:
        self._move(self.second, self._viewport)

    @Slot(int)
    def _turn_second(self, steps: int) -> None:
        document = self.second.document
        if document is None or self.state.content == REFOCUSED:
            return
        plane = min(max(document.view.plane + steps, 0), len(document.planes_um) - 1)
        self.second.set_plane(plane)
        if not self.state.content.startswith("plane"):
            return
        with self.state.events.content.blocked():  # it is shown already, and stays where it was moved to
            self.state.content = f"plane {plane}"
        self.bar.show_content(self.state.content)

    def show_document(self, document: Document | None) -> None:
        """The first picture shows another slide, or the same in another scale."""
        if document is not self._document and self.state.content.startswith("plane"):
            self.state.content = REFOCUSED
        self._document = document
        self._show_second()
        self.refresh()

    @Slot()
    def _documents_changed(self) -> None:
        """A slide was opened or closed: the choice is another, and a closed one is shown no longer."""
        document = self._slides.current
        if self.state.mode != "split" or document is None:
            return
        known = {other.pyramid.fingerprint for other in self._slides.documents}
        shown = self.second.document
        if shown is not None and shown.pyramid.fingerprint not in known:
            self.state.content = REFOCUSED
        else:
            self.bar.show_contents(contents(document, self._slides.documents), self.state.content)
