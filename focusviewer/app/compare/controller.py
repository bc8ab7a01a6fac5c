"""Comparing the scan with the refocused picture, another plane or another slide: wipe, split, flicker."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter

from focusviewer.app.compare.bar import CompareBar
from focusviewer.app.compare.views import REFOCUSED, WAYS, WIPE_STEP, Link, Way, beside, contents, unit_of
from focusviewer.app.compare.wipe import WipeHandle
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import SlideController
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.viewport import Viewport

PEEK_KEY = Qt.Key.Key_Space


class CompareController(QObject):
    """Shows two pictures at one place; ``way_changed`` tells how."""

    way_changed = Signal(str)

    def __init__(
        self,
        tiles: TileSource,
        viewport: Viewport,
        splitter: QSplitter,
        slides: SlideController,
        refocus: RefocusController,
        bar: CompareBar,
    ) -> None:
        super().__init__()
        self._viewport, self._slides, self._refocus, self.bar = viewport, slides, refocus, bar
        self.way: Way = "off"
        self.content = REFOCUSED
        self.handle = WipeHandle(viewport)
        self.second = Viewport(tiles)
        self.second.setAccessibleName("Second slide picture")
        self.second.minimap.visible = False  # one is enough
        self.second.hide()
        splitter.addWidget(self.second)
        self._document: Document | None = None
        self._link: Link | None = None
        self._leading = False
        self._peeking = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._flick)
        self._set_rate(bar.rate.value())
        self.handle.moved.connect(self._wiped)
        bar.content_chosen.connect(self.show_content)
        bar.linked.connect(self._set_linked)
        bar.rate_changed.connect(self._set_rate)
        bar.closed.connect(self.stop)
        viewport.view_changed.connect(self._first_moved)
        self.second.view_changed.connect(self._second_moved)
        self.second.plane_turned.connect(self._turn_second)
        slides.documents_changed.connect(self._documents_changed)
        refocus.patch_changed.connect(self.refresh)
        for port in (viewport, self.second):
            port.installEventFilter(self)

    # --- ways ----------------------------------------------------------------------------------------------

    def toggle(self, way: Way, on: bool = True) -> None:
        """Compare in this way, or no more."""
        if on:
            self.set_way(way)
        elif way == self.way:
            self.set_way("off")

    @Slot()
    def stop(self) -> None:
        """Compare no more."""
        self.set_way("off")

    def set_way(self, way: Way) -> None:
        """Compare in a way, one of WAYS."""
        assert way in WAYS
        if way == self.way:
            return
        self.way = way
        self.bar.show_way(way)
        self.handle.setVisible(way == "wipe")
        self.handle.place()
        self._peeking = False
        if way == "flicker":
            self._timer.start()
        else:
            self._timer.stop()
        self._show_second()
        self.refresh()
        self._lift_or_veil()
        self.way_changed.emit(way)

    def move_wipe(self, steps: int) -> None:
        """Move the line of the wipe by small steps."""
        if self.way == "wipe":
            self.handle.set_part(self.handle.part + steps * WIPE_STEP)

    def next_content(self) -> None:
        """Let the second picture show the next of what it can."""
        if self.way == "split" and self.bar.content.count():
            index = (self.bar.content.currentIndex() + 1) % self.bar.content.count()
            self.bar.content.setCurrentIndex(index)
            self.show_content(self.bar.content.itemData(index))

    def acting(self) -> Viewport:
        """The picture that keys work on: the second one when it has the focus."""
        return self.second if self.second.isVisible() and self.second.hasFocus() else self._viewport

    # --- which picture is seen where -----------------------------------------------------------------------

    def _lift_or_veil(self) -> None:
        patch = self._viewport.patch
        patch.wipe = self.handle.part if self.way == "wipe" and not self._peeking else None
        beside_it = self.way == "split" and self.content == REFOCUSED
        patch.veiled = self._peeking or beside_it
        self.second.patch.veiled = self._peeking
        self._viewport.update()
        self.second.update()

    @Slot(float)
    def _wiped(self, part: float) -> None:
        self._lift_or_veil()

    @Slot()
    def _flick(self) -> None:
        if self._peeking:
            return
        self._viewport.patch.veiled = not self._viewport.patch.veiled
        self._viewport.update()

    @Slot(float)
    def _set_rate(self, hertz: float) -> None:
        self._timer.setInterval(round(1000 / hertz))

    @Slot()
    def refresh(self) -> None:
        """Another refocused picture, or none, is on screen."""
        shown = self.way == "split" and self.content == REFOCUSED
        if shown:
            self.second.patch.take(self._viewport.patch)
            self._follow_plane()
        else:
            self.second.patch.clear()
        self.second.update()
        self.bar.show_state(self._viewport.patch.image is not None or (self.way == "split" and not shown))

    def _follow_plane(self) -> None:
        first, second = self._viewport.document, self.second.document
        if first is not None and second is not None and first.pyramid is second.pyramid:
            self.second.set_plane(first.view.plane)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """While the peek key is held, the scan is shown."""
        kind = event.type()
        if isinstance(event, QKeyEvent) and event.key() == PEEK_KEY and (self._peeking or not event.modifiers()):
            if not event.isAutoRepeat() and kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
                self.peek(kind == QEvent.Type.KeyPress)
            return True
        if kind == QEvent.Type.FocusOut:
            self.peek(False)
        return super().eventFilter(watched, event)

    def peek(self, on: bool) -> None:
        """Show the scan everywhere, or again what is being compared."""
        if on != self._peeking:
            self._peeking = on
            self._lift_or_veil()

    # --- the second picture --------------------------------------------------------------------------------

    @Slot(str)
    def show_content(self, key: str) -> None:
        """Show something else in the second picture: see :func:`contents`."""
        self.content = key
        self._show_second()
        self.refresh()
        self._lift_or_veil()

    def _show_second(self) -> None:
        document = self._slides.current
        split = self.way == "split" and document is not None
        self.second.setVisible(split)
        if not split or document is None:
            self._link = None
            self.second.show_document(None)
            return
        found = contents(document, self._slides.documents)
        if self.content not in [item.key for item in found]:
            self.content = REFOCUSED
        self.bar.show_contents(found, self.content)
        shown = beside(document, self.content, self._slides.documents)
        self._leading = True  # the new picture takes its place; it does not move the first
        self.second.show_document(shown)
        self._leading = False
        self._set_linked(self.bar.link.isChecked())

    @Slot(bool)
    def _set_linked(self, on: bool) -> None:
        first, second = self._viewport.document, self.second.document
        if not on or first is None or second is None:
            self._link = None
            return
        self._link = Link.between(first.view, second.view, unit_of(first, second))

    def _move(self, leader: Viewport, follower: Viewport) -> None:
        link, a, b = self._link, leader.view, follower.view
        if self._leading or link is None or a is None or b is None:
            return
        if leader is self._viewport:
            link.lead(a, b)
        else:
            link.follow(b, a)
        self._leading = True
        follower.changed()
        self._leading = False

    @Slot()
    def _first_moved(self) -> None:
        if self.content == REFOCUSED and self.way == "split":
            self._follow_plane()
        self._move(self._viewport, self.second)

    @Slot()
    def _second_moved(self) -> None:
        self._move(self.second, self._viewport)

    @Slot(int)
    def _turn_second(self, steps: int) -> None:
        document = self.second.document
        if document is None or self.content == REFOCUSED:
            return
        plane = min(max(document.view.plane + steps, 0), len(document.planes_um) - 1)
        self.second.set_plane(plane)
        if self.content.startswith("plane"):
            self.content = f"plane {plane}"
            self.bar.content.setCurrentIndex(max(0, self.bar.content.findData(self.content)))

    def show_document(self, document: Document | None) -> None:
        """The first picture shows another slide, or the same in another scale."""
        if document is not self._document and self.content.startswith("plane"):
            self.content = REFOCUSED
        self._document = document
        self._show_second()
        self.refresh()

    @Slot()
    def _documents_changed(self) -> None:
        """A slide was opened or closed: the choice is another, and a closed one is shown no longer."""
        document = self._slides.current
        if self.way != "split" or document is None:
            return
        known = {other.pyramid.fingerprint for other in self._slides.documents}
        shown = self.second.document
        if shown is not None and shown.pyramid.fingerprint not in known:
            self.show_content(REFOCUSED)
        else:
            self.bar.show_contents(contents(document, self._slides.documents), self.content)
