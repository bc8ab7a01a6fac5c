"""Painting a focus map with a brush: each place gets the focus that was painted there, live."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QPainter, QUndoStack

from focusviewer.app.painting.box import PaintBox
from focusviewer.app.painting.edits import clear_edit, forget, last_edit, stroke_edit, take_back
from focusviewer.app.painting.ring import BrushRing
from focusviewer.app.painting.state import PaintingState
from focusviewer.app.painting.strokes import PaintedMap, Painting, Stroke, load_painting, save_painting
from focusviewer.app.refocus.controller import RefocusController
from focusviewer.app.refocus.panel import RefocusPanel
from focusviewer.app.services.jobs import Jobs, Lane
from focusviewer.app.services.undo import UndoStacks
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.tools import PointerAction, PointerEvent, Tool, ToolBox
from focusviewer.app.viewer.viewport import Viewport
from focusviewer.refocus.provenance import z_text

MODE = "paint"


class Brush(Tool):
    """Paints focus where the mouse is dragged."""

    name = "focus brush"

    def __init__(self, controller: PaintController) -> None:
        self._controller = controller

    def handle(self, event: PointerEvent) -> bool:
        """Paint with the left button."""
        return self._controller.handle(event)

    def paint(self, painter: QPainter, document: Document, ratio: float) -> None:
        """Paint the ring on the pictures of the slide that is refocused."""
        if self._controller.paints_on(document):
            self._controller.ring.ratio = ratio
            self._controller.ring.paint(painter, document.view)


class PaintController(QObject):
    """Turns drags over the pictures into strokes while the mode is ``paint``; one drag is one item to undo."""

    saved = Signal(object)
    failed = Signal(str)

    def __init__(
        self,
        jobs: Jobs,
        viewport: Viewport,
        refocus: RefocusController,
        panel: RefocusPanel,
        tools: ToolBox,
        undo: UndoStacks,
    ) -> None:
        super().__init__()
        self._jobs, self._viewport, self._refocus = jobs, viewport, refocus
        self._tools, self._undo = tools, undo
        self.state = PaintingState()
        self.box = PaintBox(self.state)
        panel.set_paint_box(self.box)
        self._is_drawing = False
        self.ring = BrushRing(viewport.font())
        self._brush = Brush(self)
        self.painting = Painting()
        self._paintings: dict[str, Painting] = {}  # of slides that are not shown now, by fingerprint
        self._document: Document | None = None
        refocus.display.painting_source = self.snapshot
        refocus.mode_changed.connect(self._mode_changed)
        refocus.state.events.target_um.connect(self._show_brush)
        self.state.events.radius_um.connect(self._show_brush)
        self.state.events.softness.connect(self._show_brush)
        undo.indexChanged.connect(self._show_painting)  # the stack's index changes only after the command's own undo
        self.box.undo_requested.connect(self.undo)
        self.box.clear_requested.connect(self.clear)

    @property
    def is_on(self) -> bool:
        """Whether a drag paints."""
        return self._refocus.state.mode == MODE and self._refocus.state.can_refocus

    def snapshot(self) -> PaintedMap:
        """What is painted now; unpainted places have the focus of the plane that is shown."""
        document = self._refocus.document
        return self.painting.snapshot(document.plane_um if document is not None else 0.0)

    # --- strokes -------------------------------------------------------------------------------------------

    def handle(self, event: PointerEvent) -> bool:
        """Paint with the left button; all other events are left to the picture."""
        if event.action is PointerAction.LEAVE:
            self._move_ring(None)
            return False
        if not self.is_on or not self.paints_on(event.document):
            return False
        left = event.button == Qt.MouseButton.LeftButton
        self._move_ring(event.place)
        if event.action in (PointerAction.PRESS, PointerAction.DOUBLE) and left:
            self._begin(event.place)
            return True
        if event.action is PointerAction.MOVE and self._is_drawing:
            self.painting.extend(*event.place)
            self._changed()
            return True
        if event.action is PointerAction.RELEASE and left and self._is_drawing:
            self._is_drawing = False
            return True
        return False

    def paints_on(self, document: Document) -> bool:
        """Whether a picture shows the slide that is refocused, and not another one beside it."""
        mine = self._refocus.document
        return mine is not None and document.pyramid is mine.pyramid

    def _begin(self, place: tuple[float, float]) -> None:
        stack = self._stack()
        if stack is not None:
            stroke = Stroke((place,), self._radius_px(), self._refocus.state.target_um, self.state.softness)
            stack.push(stroke_edit(self.painting, stroke, self._edited))
            self._is_drawing = True

    def paint_middle(self) -> None:
        """Put a dab of paint in the middle of the picture (for the keyboard: move there with the arrow keys)."""
        view = self._viewport.view
        if self.is_on and view is not None:
            place = view.to_slide(view.width / 2, view.height / 2)
            self._move_ring(place)
            self._begin(place)
            self._is_drawing = False

    @Slot()
    def undo(self) -> None:
        """Take back the last stroke, also of those that were loaded, or that all were cleared."""
        stack = self._stack()
        if not self.is_on or stack is None:
            return
        edit = last_edit(stack, self.painting)
        if edit is not None:
            take_back(stack, edit)
        else:
            self.painting.undo()
            self._edited(self.painting)

    @Slot()
    def clear(self) -> None:
        """Take back all strokes."""
        stack = self._stack()
        if stack is not None and not self.painting.is_empty:
            stack.push(clear_edit(self.painting, self._edited))

    def _stack(self) -> QUndoStack | None:
        """The undo stack of the slide that is refocused."""
        document = self._refocus.document
        return None if document is None else self._undo.of(document.slide.fingerprint)

    def _edited(self, painting: Painting) -> None:
        """A stroke was begun or undone, or all were, here or from the undo stack."""
        if painting is self.painting:
            self._is_drawing = False  # a stroke that is being drawn ends
            self._changed()

    def _changed(self) -> None:
        self._show_painting()
        self._refocus.look_again()

    @Slot()
    def _show_painting(self) -> None:
        stack = self._stack()
        edited = stack is not None and last_edit(stack, self.painting) is not None
        self.state.can_undo = edited or len(self.painting) > 0
        self.state.is_empty = self.painting.is_empty

    # --- the brush -----------------------------------------------------------------------------------------

    def _radius_px(self) -> float:
        document = self._refocus.document
        return self.state.radius_um / ((document.mpp if document is not None else None) or 1.0)

    def _move_ring(self, place: tuple[float, float] | None) -> None:
        if place != self.ring.place:
            self.ring.place = place
            self._show_brush()

    def _show_brush(self) -> None:
        ring = self.ring
        ring.radius, ring.softness = self._radius_px(), self.state.softness
        ring.text = z_text(self._refocus.state.target_um)
        self._tools.updated.emit()

    @Slot(str)
    def _mode_changed(self, mode: str) -> None:
        document = self._refocus.document
        self._is_drawing = False  # a stroke ends with the mode, and with the slide
        if document is not self._document:
            if self._document is not None:
                self._paintings[self._document.pyramid.fingerprint] = self.painting
            self._document = document
            kept = None if document is None else self._paintings.pop(document.pyramid.fingerprint, None)
            self.painting = kept if kept is not None else Painting()
            self._show_painting()
        view = self._viewport.view
        on = mode == MODE and view is not None
        self.ring.place = view.to_slide(view.width / 2, view.height / 2) if on and view is not None else None
        if on:
            self._tools.use(self._brush)
        else:
            self._tools.put_away(self._brush)
        self._show_brush()

    # --- files ---------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Save what is painted on the part of the slide that is on screen."""
        document, area = self._refocus.document, self._refocus.studies.area
        if document is None or area is None:
            self.failed.emit("There is nothing painted to save. Paint a focus map first.")
            return
        painted = self.snapshot()
        facts = {"source": document.name, "fingerprint": area.fingerprint, "mpp": document.mpp}
        self._jobs.start(
            f"save {path}",
            lambda job: save_painting(path, painted, area.box, facts),
            lane=Lane.FILES,
            title=f"Saving {path.name}",
            done=lambda _: self.saved.emit(path),
            failed=self.failed.emit,
            essential=True,
        )

    def load(self, path: Path) -> None:
        """Load a painting and continue with it."""
        document = self._refocus.document

        def done(painting: Painting) -> None:
            if document is not None and self._refocus.document is document:
                self._refocus.enter(MODE)
                self._replace(painting)

        self._jobs.start(
            f"load {path}", lambda job: load_painting(path), lane=Lane.FILES, done=done, failed=self.failed.emit
        )

    def _replace(self, painting: Painting) -> None:
        stack = self._stack()
        if stack is not None:
            forget(stack, self.painting)
        self.painting = painting
        self._edited(painting)
