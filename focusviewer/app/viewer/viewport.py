"""The picture: a widget that paints the tiles and layers of one slide and turns mouse and keys into views."""

from __future__ import annotations

import math
from time import perf_counter

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from focusviewer.app.services.tiles import TileSource
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.layers.heatmap import HeatmapLayer, MarkLayer
from focusviewer.app.viewer.layers.minimap import Minimap
from focusviewer.app.viewer.layers.paint_stats import PaintStats
from focusviewer.app.viewer.layers.patch import Badge, PatchLayer, paint_badges
from focusviewer.app.viewer.layers.scale_bar import ScaleBar
from focusviewer.app.viewer.layers.tiles import TileLayer
from focusviewer.app.viewer.panning import PanGesture
from focusviewer.app.viewer.tile_requests import TileRange, tiles_on_screen, tiles_to_load
from focusviewer.app.viewer.tools import PointerAction, PointerEvent, ToolBox
from focusviewer.app.viewer.view import View, snap_scale, step_scale
from focusviewer.slides import TileKey

REST_MS = 150
FAST_PIXELS = 5_000_000  # larger viewports scale roughly while moving and smoothly at rest
NOTCH = 120.0


class Viewport(QWidget):
    """Shows one document.

    Signals
    -------
    view_changed : the visible part, scale or plane has changed
    rested : the view has not changed for 150 ms
    completed : every visible tile is on screen at its proper zoom
    pointed : (x, y) level-0 pixel under the cursor; NaN when it left
    plane_turned : (steps) the user asks for another plane
    """

    view_changed = Signal()
    rested = Signal()
    completed = Signal()
    pointed = Signal(float, float)
    plane_turned = Signal(int)

    def __init__(self, tiles: TileSource, tools: ToolBox | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles = tiles
        self.tools = tools if tools is not None else ToolBox(self)
        self.document: Document | None = None
        self.stats = PaintStats()
        self.inertia = False
        self.welcome = "Drop a slide here, or press Ctrl+O to open one"
        self.tile_layer = TileLayer(tiles)
        self.heatmap = HeatmapLayer()
        self.patch = PatchLayer()
        self.mark = MarkLayer()
        self.scale_bar = ScaleBar()
        self.minimap = Minimap()
        self.badge = Badge()
        self.is_complete = False
        self.painted = False
        self._keys: list[TileKey] = []
        self._range: TileRange | None = None
        self._moving = False
        self._panning = PanGesture(self, self)
        self._turned = 0.0
        self._rest_timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest_timer.timeout.connect(self._rest)
        tiles.arrived.connect(self._tile_arrived)
        tiles.failed.connect(self._tile_arrived)
        tiles.retried.connect(self._request_again)
        self.tools.changed.connect(self._tool_changed)
        self.tools.updated.connect(self.update)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Slide picture")

    # --- documents and views -------------------------------------------------------------------------------

    @property
    def ratio(self) -> float:
        """Screen pixels per logical pixel."""
        return self.devicePixelRatioF()

    @property
    def view(self) -> View | None:
        """The current view, None without a slide."""
        return self.document.view if self.document else None

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(900, 700)

    def show_document(self, document: Document | None) -> None:
        """Show another slide, where it was left (or wholly, the first time)."""
        if self.document is not None and self.document is not document:
            self.tiles.stop_loading(self.document.pyramid, id(self))
        self.document = document
        self.heatmap.image = None
        self.mark.rect = None
        self.patch.clear()
        self.tile_layer.previous_plane = None
        self._panning.stop()
        self._range = None
        if document is not None:
            document.view.resize(*self._screen_size())
            if document.fresh:
                document.fresh = False
                document.view.fit()
        self.changed()

    def changed(self) -> None:
        """Request the tiles of the new view, and say that it has changed."""
        self._moving = self.document is not None
        self.is_complete = False
        if self._moving:
            self._rest_timer.start()
        else:
            self._rest_timer.stop()
        self._request()
        self.view_changed.emit()
        self.update()

    def set_plane(self, plane: int) -> None:
        """Show another focal plane; the last one stays on screen where tiles are missing."""
        if self.document is None or plane == self.document.view.plane:
            return
        if not 0 <= plane < len(self.document.planes_um):
            return
        self.tile_layer.previous_plane = self.document.view.plane
        self.document.view.plane = plane
        self.changed()

    def zoom_by(self, notches: float, at: QPointF | None = None) -> None:
        """Zoom by wheel notches around a screen position (the middle if not given)."""
        if self.view is None:
            return
        if at is None:
            at = QPointF(self.view.width / 2, self.view.height / 2)
        self.view.zoom_at(at.x(), at.y(), step_scale(self.view.scale, notches))
        self.changed()

    def zoom_to(self, scale: float) -> None:
        """Zoom to a scale around the middle."""
        if self.view is None:
            return
        self.view.zoom_at(self.view.width / 2, self.view.height / 2, scale)
        self.changed()

    def fit(self) -> None:
        """Show the whole slide."""
        if self.view is not None:
            self.view.fit()
            self.changed()

    def go_to(self, x: float, y: float, scale: float | None = None) -> None:
        """Centre a level-0 pixel."""
        if self.view is not None:
            self.view.go_to(x, y, scale)
            self.changed()

    def go_to_rect(self, x: float, y: float, width: float, height: float) -> None:
        """Show a level-0 rectangle and outline it."""
        if self.view is not None:
            self.mark.rect = (x, y, width, height)
            self.view.fit_rect(x, y, width, height)
            self.view.go_to(self.view.cx, self.view.cy, snap_scale(self.view.scale, 0.25))
            self.changed()

    def pan_fraction(self, dx: float, dy: float) -> None:
        """Look further by a fraction of the viewport (positive: right, down)."""
        if self.view is not None:
            self.view.pan_by(-dx * self.view.width, -dy * self.view.height)
            self.changed()

    def pan_pixels(self, dx: float, dy: float) -> None:
        """Move the picture by screen pixels."""
        if self.view is not None:
            self.view.pan_by(dx, dy)
            self.changed()

    def _screen_size(self) -> tuple[int, int]:
        return round(self.width() * self.ratio), round(self.height() * self.ratio)

    # --- tiles ---------------------------------------------------------------------------------------------

    def _request(self) -> None:
        document = self.document
        if document is None:
            self._keys = []
            return
        wanted = TileRange.of(document)
        if wanted == self._range:
            return
        self._range = wanted
        self._keys = tiles_on_screen(document, wanted.zoom)
        top = self.tiles.coarsest_key(document.pyramid, wanted.plane)
        self.tiles.request(document.pyramid, tiles_to_load(document, wanted.zoom, top, self._keys), id(self))

    @Slot(object)
    def _tile_arrived(self, key: TileKey) -> None:
        if self.document is not None and key.slide == self.document.pyramid.fingerprint:
            self.update()

    @Slot(str)
    def _request_again(self, fingerprint: str) -> None:
        if self.document is not None and fingerprint == self.document.pyramid.fingerprint:
            self._range = None
            self.changed()

    @Slot()
    def _rest(self) -> None:
        self._moving = False
        if self.document is not None:
            self.update()
            self.rested.emit()

    # --- painting ------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint tiles, layers and read-outs."""
        started = perf_counter()
        painter = QPainter(self)
        ratio = self.ratio
        painter.scale(1 / ratio, 1 / ratio)
        width, height = self._screen_size()
        painter.fillRect(0, 0, width, height, self.surround())
        self.painted = True
        if self.document is None:
            self._paint_welcome(painter, width, height)
            return
        missing = self._paint_slide(painter)
        self._paint_readouts(painter)
        painter.end()
        self.stats.add(1000 * (perf_counter() - started))
        if missing == 0 and not self.is_complete:
            self.is_complete = True
            self.tile_layer.previous_plane = None
            self.completed.emit()

    def surround(self) -> QColor:
        """Colour around the slide: neutral, so that stains look as they are."""
        dark = self.palette().color(QPalette.ColorRole.Window).lightness() < 128
        return QColor(38, 40, 44) if dark else QColor(214, 217, 221)

    def _paint_slide(self, painter: QPainter) -> int:
        assert self.document is not None
        view = self.document.view
        rough = self._moving and view.width * view.height > FAST_PIXELS
        enlarged = view.scale >= 4  # single pixels are meant to be seen then
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not rough and not enlarged)
        missing = self.tile_layer.paint(painter, view, self.document.pyramid, self._keys)
        self.patch.paint(painter, view)
        self.heatmap.paint(painter, view)
        for overlay in (*self.tools.overlays, self.tools.active):
            if overlay is not None:
                overlay.paint(painter, self.document, self.ratio)
        return missing

    def _paint_readouts(self, painter: QPainter) -> None:
        assert self.document is not None
        view, font, ratio = self.document.view, QFont(self.font()), self.ratio
        self.patch.paint_frame(painter, view)
        if self.heatmap.visible:  # the regions are the map's
            self.mark.paint(painter, view)
        if self.minimap.visible:
            thumb = self.tiles.get(self.tiles.coarsest_key(self.document.pyramid, view.plane))
            self.minimap.paint(painter, view, thumb, self.heatmap, ratio)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.scale_bar.visible:
            self.scale_bar.paint(painter, view, self.document.slide.info.mpp_x, font, ratio)
        scan = self.document.plane_text if len(self.document.planes_um) > 1 else ""
        corner = self.minimap.rect(view, ratio) if self.minimap.visible else QRect(view.width, 0, 0, 0)
        paint_badges(painter, self.badge, self.patch, view, scan, corner, font, ratio)

    def _paint_welcome(self, painter: QPainter, width: int, height: int) -> None:
        font = QFont(self.font())
        font.setPixelSize(round(17 * self.ratio))
        painter.setFont(font)
        colour = self.palette().color(QPalette.ColorRole.WindowText)
        colour.setAlpha(150)
        painter.setPen(colour)
        painter.drawText(QRectF(0, 0, width, height), Qt.AlignmentFlag.AlignCenter, self.welcome)

    # --- mouse, wheel, keys --------------------------------------------------------------------------------

    @Slot()
    def _tool_changed(self) -> None:
        if self.tools.active is None:
            self.unsetCursor()
        else:
            self.setCursor(self.tools.active.cursor)
        self.update()

    def _is_taken(self, action: PointerAction, event: QMouseEvent) -> bool:
        """Whether the tool in use takes what the mouse did; the minimap is no place to work on."""
        document, at = self.document, self._screen(event.position())
        if document is None or (action is PointerAction.PRESS and self.minimap.contains(document.view, self.ratio, at)):
            return False
        place = document.view.to_slide(at.x(), at.y())
        return self.tools.offer(PointerEvent(action, place, event.button(), event.modifiers(), document))

    def _screen(self, point: QPointF) -> QPointF:
        return point * self.ratio

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the middle of the picture in the middle."""
        if self.view is not None:
            whole = abs(self.view.scale / self.view.fit_scale - 1) < 1e-3
            self.view.resize(*self._screen_size())
            if whole:
                self.view.fit()
            self.changed()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; with Ctrl, go through the focal planes."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if not delta or self.view is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._turned += delta / NOTCH  # touchpads turn by small parts of a notch
            self._turned, steps = math.modf(self._turned)
            if steps:
                self.plane_turned.emit(int(steps))
        else:
            self.zoom_by(delta / NOTCH, self._screen(event.position()))
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Pinch to zoom."""
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
            and self.view is not None
        ):
            at = self._screen(event.position())
            self.view.zoom_at(at.x(), at.y(), self.view.scale * (1 + event.value()))
            self.changed()
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag, or go where the minimap was clicked."""
        if self._is_taken(PointerAction.PRESS, event):
            return
        self._panning.stop()
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton) and self.view is not None:
            self._panning.press(self._screen(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the picture; tell what is under the cursor."""
        if self._is_taken(PointerAction.MOVE, event):
            return
        if self.view is not None:
            at = self._screen(event.position())
            self._panning.move(at)
            self.pointed.emit(*self.view.to_slide(at.x(), at.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the drag, gliding on if the user has chosen so."""
        if self._is_taken(PointerAction.RELEASE, event):
            return
        self._panning.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Zoom in one octave at the cursor (with Shift: out)."""
        if self._is_taken(PointerAction.DOUBLE, event):
            return
        if self.view is None or event.button() != Qt.MouseButton.LeftButton:
            return
        at = self._screen(event.position())
        if self.minimap.contains(self.view, self.ratio, at):
            return
        factor = 0.5 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 2.0
        self.view.zoom_at(at.x(), at.y(), snap_scale(self.view.scale * factor, 0.1))
        self.changed()

    def leaveEvent(self, event: QEvent) -> None:
        """Clear the read-outs of the cursor."""
        if self.document is not None:
            nowhere, none = (math.nan, math.nan), Qt.KeyboardModifier.NoModifier
            self.tools.offer(PointerEvent(PointerAction.LEAVE, nowhere, Qt.MouseButton.NoButton, none, self.document))
        self.pointed.emit(math.nan, math.nan)
