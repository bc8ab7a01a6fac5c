"""What the viewport paints: each layer is a small class with one ``paint(painter, view)``.

Painters arrive scaled to screen (device) pixels, so layers never think about HiDPI.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from focusviewer.app.viewer import scales
from focusviewer.app.viewer.view import View
from focusviewer.slides import DisplayPyramid, TileKey

HUD_BACK = QColor(20, 24, 30, 190)
HUD_TEXT = QColor(245, 247, 250)
ACCENT = QColor(255, 176, 32)
EMPTY = QColor(236, 237, 239)
HATCH = QColor(30, 34, 42, 200)

_HATCH_PX = 6.0  # side of a window on the screen from which it is hatched


class Images(Protocol):
    """Where tile images come from."""

    def get(self, key: TileKey) -> QImage | None:
        """The image of a tile, or None."""
        ...

    def is_bad(self, key: TileKey) -> bool:
        """Whether the tile cannot be had at all."""
        ...


def span(origin: int, start: float, length: float, factor: float) -> tuple[int, int]:
    """Screen start and length of a stretch of picture; neighbours meet without gap or overlap."""
    a = origin + round(start * factor)
    return a, origin + round((start + length) * factor) - a


class TileLayer:
    """The slide itself: finest tiles there are, coarser ones (or finer, or the last plane's) where they lack."""

    def __init__(self, images: Images) -> None:
        self.images = images
        self.previous_plane: int | None = None

    def paint(self, painter: QPainter, view: View, pyramid: DisplayPyramid, keys: list[TileKey]) -> int:
        """Paint the tiles of ``keys``; returns how many of them were not there yet."""
        missing = 0
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        for key in keys:
            image = self.images.get(key)
            target = self.target(view, pyramid, key)
            if image is None:
                missing += not self.images.is_bad(key)
                self._paint_substitute(painter, view, pyramid, key, target)
            elif image.width() == target.width() and image.height() == target.height():
                painter.drawImage(target.topLeft(), image)
            else:
                painter.drawImage(target, image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        return missing

    @staticmethod
    def target(view: View, pyramid: DisplayPyramid, key: TileKey) -> QRect:
        """Screen rectangle of a tile."""
        width, height = pyramid.size(key.zoom)
        size, factor = pyramid.tile_px, view.scale * 2.0**key.zoom
        ox, oy = view.origin
        x, w = span(ox, key.col * size, min(size, width - key.col * size), factor)
        y, h = span(oy, key.row * size, min(size, height - key.row * size), factor)
        return QRect(x, y, w, h)

    def _paint_substitute(
        self, painter: QPainter, view: View, pyramid: DisplayPyramid, key: TileKey, target: QRect
    ) -> None:
        if self.previous_plane is not None and self.previous_plane != key.plane:
            image = self.images.get(TileKey(key.slide, key.zoom, key.col, key.row, self.previous_plane))
            if image is not None:
                painter.drawImage(target, image)
                return
        if not self._paint_ancestor(painter, pyramid, key, target):
            painter.fillRect(target, EMPTY)
        self._paint_children(painter, view, pyramid, key)

    def _paint_ancestor(self, painter: QPainter, pyramid: DisplayPyramid, key: TileKey, target: QRect) -> bool:
        size = pyramid.tile_px
        width, height = pyramid.size(key.zoom)
        for zoom in range(key.zoom + 1, pyramid.n_zooms):
            step = zoom - key.zoom
            image = self.images.get(TileKey(key.slide, zoom, key.col >> step, key.row >> step, key.plane))
            if image is None:
                continue
            shrink = 2.0**-step
            x = ((key.col * size) % (size << step)) * shrink
            y = ((key.row * size) % (size << step)) * shrink
            w = min(size, width - key.col * size) * shrink
            h = min(size, height - key.row * size) * shrink
            painter.drawImage(QRectF(target), image, QRectF(x, y, w, h))
            return True
        return False

    def _paint_children(self, painter: QPainter, view: View, pyramid: DisplayPyramid, key: TileKey) -> None:
        if key.zoom == 0:
            return
        cols, rows = pyramid.grid(key.zoom - 1)
        for row in (2 * key.row, 2 * key.row + 1):
            for col in (2 * key.col, 2 * key.col + 1):
                if col >= cols or row >= rows:
                    continue
                child = TileKey(key.slide, key.zoom - 1, col, row, key.plane)
                image = self.images.get(child)
                if image is not None:
                    painter.drawImage(self.target(view, pyramid, child), image)


class HeatmapLayer:
    """A focus map over the slide; ``rect`` is its extent in level-0 pixels."""

    def __init__(self) -> None:
        self.image: QImage | None = None
        self.rect: tuple[float, float, float, float] = (0, 0, 0, 0)  # x, y, width, height
        self.hatched: npt.NDArray[np.float64] = np.empty((0, 4))  # boxes that cannot be judged, likewise
        self.opacity = 0.45
        self.visible = True

    def paint(self, painter: QPainter, view: View) -> None:
        """Blend the map over the picture; what cannot be judged is hatched, where there is room for it."""
        if self.image is None or not self.visible:
            return
        x, y, w, h = self.rect
        ox, oy = view.origin
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.setOpacity(self.opacity)
        target = QRectF(ox + x * view.scale, oy + y * view.scale, w * view.scale, h * view.scale)
        painter.drawImage(target, self.image)
        self._hatch(painter, view)
        painter.restore()

    def _hatch(self, painter: QPainter, view: View) -> None:
        boxes = self.hatched
        if not len(boxes) or boxes[0, 3] * view.scale < _HATCH_PX:
            return
        ox, oy = view.origin
        left, top, right, bottom = view.visible_rect()
        inside = (boxes[:, 0] < right) & (boxes[:, 0] + boxes[:, 2] > left)
        inside &= (boxes[:, 1] < bottom) & (boxes[:, 1] + boxes[:, 3] > top)
        painter.setOpacity(max(self.opacity, 0.6))
        painter.setBrushOrigin(QPointF(ox, oy))
        brush = QBrush(HATCH, Qt.BrushStyle.BDiagPattern)
        for x, y, w, h in boxes[inside]:
            painter.fillRect(QRectF(ox + x * view.scale, oy + y * view.scale, w * view.scale, h * view.scale), brush)


class MarkLayer:
    """A rectangle that points at something (a region chosen in a list), level-0 pixels."""

    def __init__(self) -> None:
        self.rect: tuple[float, float, float, float] | None = None

    def paint(self, painter: QPainter, view: View) -> None:
        """Outline the rectangle."""
        if self.rect is None:
            return
        x, y, w, h = self.rect
        left, top = view.to_screen(x, y)
        box = QRectF(left, top, w * view.scale, h * view.scale)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 160), 4), (ACCENT, 2)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(box)


def hud_box(painter: QPainter, box: QRectF, ratio: float, colour: QColor = HUD_BACK) -> None:
    """A rounded dark plate under text that must be readable on any tissue."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(box, 5 * ratio, 5 * ratio)


def hud_font(base: QFont, ratio: float, bold: bool = False) -> QFont:
    """The widget's font in screen pixels."""
    font = QFont(base)
    font.setPixelSize(round(12 * ratio))
    font.setBold(bold)
    return font


class ScaleBar:
    """A bar of a round length, lower left."""

    visible = True

    def paint(self, painter: QPainter, view: View, mpp: float | None, font: QFont, ratio: float) -> None:
        """Paint the bar with its length in um (or px when the scale is unknown)."""
        unit = (mpp or 1.0) / view.scale  # um, or level-0 px, per screen px
        length = scales.nice_length(160 * ratio * unit)
        text = f"{length:g} px" if mpp is None else scales.length_text(length)
        width = length / unit
        font = hud_font(font, ratio)
        metrics = QFontMetricsF(font)
        pad, thick = 9 * ratio, 3 * ratio
        box_w = max(width, metrics.horizontalAdvance(text)) + 2 * pad
        box_h = metrics.height() + thick + 5 * ratio + 1.4 * pad
        box = QRectF(12 * ratio, view.height - box_h - 12 * ratio, box_w, box_h)
        hud_box(painter, box, ratio)
        painter.setPen(HUD_TEXT)
        painter.setFont(font)
        text_box = QRectF(box.x(), box.y() + 0.5 * pad, box.width(), metrics.height())
        painter.drawText(text_box, Qt.AlignmentFlag.AlignCenter, text)
        bar = QRectF(box.center().x() - width / 2, box.bottom() - 0.7 * pad - thick, width, thick)
        painter.fillRect(bar, HUD_TEXT)


class Minimap:
    """The whole slide in the upper right corner, with the part that is shown."""

    LONG_SIDE = 190

    def __init__(self) -> None:
        self.visible = True
        self._picture: QImage | None = None
        self._made_of: tuple[object, ...] = ()

    def rect(self, view: View, ratio: float) -> QRect:
        """Where the minimap lies, in screen pixels."""
        side = min(self.LONG_SIDE * ratio, view.width * 0.3, view.height * 0.4)
        factor = side / max(view.slide_width, view.slide_height)
        w, h = max(1, round(view.slide_width * factor)), max(1, round(view.slide_height * factor))
        margin = round(12 * ratio)
        return QRect(view.width - w - margin, margin, w, h)

    def contains(self, view: View, ratio: float, point: QPointF) -> bool:
        """Whether a screen position lies on the minimap."""
        return self.visible and self.rect(view, ratio).contains(point.toPoint())

    def slide_point(self, view: View, ratio: float, point: QPointF) -> tuple[float, float]:
        """Level-0 pixel under a screen position on the minimap."""
        rect = self.rect(view, ratio)
        across, down = view.slide_width / rect.width(), view.slide_height / rect.height()
        return (point.x() - rect.x()) * across, (point.y() - rect.y()) * down

    def paint(self, painter: QPainter, view: View, thumb: QImage | None, heat: HeatmapLayer, ratio: float) -> None:
        """Paint slide, map and view rectangle."""
        rect = self.rect(view, ratio)
        frame = rect.adjusted(-1, -1, 0, 0)
        painter.drawImage(rect.topLeft(), self._composed(rect, view, thumb, heat))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(20, 24, 30, 200), 1))
        painter.drawRect(frame)
        # A narrow slide's minimap is a few pixels wide, so that its sides are not quite in proportion.
        across, down = rect.width() / view.slide_width, rect.height() / view.slide_height
        x0, y0, x1, y1 = view.visible_rect()
        box = QRectF(rect.x() + x0 * across, rect.y() + y0 * down, (x1 - x0) * across, (y1 - y0) * down)
        if box.width() * box.height() >= 0.98 * rect.width() * rect.height():
            return
        if box.width() < 6 * ratio or box.height() < 6 * ratio:  # a view too small to see: mark its middle
            box = QRectF(box.center() - QPointF(4, 4) * ratio, box.center() + QPointF(4, 4) * ratio)
        for colour, width in ((QColor(0, 0, 0, 150), 3 * ratio), (ACCENT, 1.5 * ratio)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(box)

    def _composed(self, rect: QRect, view: View, thumb: QImage | None, heat: HeatmapLayer) -> QImage:
        shown = heat.image if heat.visible else None
        made_of = (
            rect.width(),
            thumb.cacheKey() if thumb is not None else 0,
            shown.cacheKey() if shown is not None else 0,
            heat.opacity,
            heat.rect,
        )
        if self._picture is None or made_of != self._made_of:
            picture = QImage(rect.size(), QImage.Format.Format_RGB32)
            picture.fill(EMPTY)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if thumb is not None:
                smooth = Qt.TransformationMode.SmoothTransformation
                fitted = thumb.scaled(rect.size(), Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
                painter.drawImage(QPoint(0, 0), fitted)
            if shown is not None:
                across, down = rect.width() / view.slide_width, rect.height() / view.slide_height
                x, y, w, h = heat.rect
                painter.setOpacity(max(heat.opacity, 0.5))
                painter.drawImage(QRectF(x * across, y * down, w * across, h * down), shown)
            painter.end()
            self._picture, self._made_of = picture, made_of
        return self._picture
