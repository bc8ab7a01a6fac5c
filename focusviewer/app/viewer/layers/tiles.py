"""The slide itself, painted from its tiles."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter

from focusviewer.app.viewer.view import View
from focusviewer.slides import DisplayPyramid, TileKey

EMPTY = QColor(236, 237, 239)
HATCHED = QBrush(QColor(110, 116, 124, 170), Qt.BrushStyle.BDiagPattern)


class Images(Protocol):
    """Where tile images come from."""

    def get(self, key: TileKey) -> QImage | None:
        """The image of a tile, or None."""
        ...

    def is_bad(self, key: TileKey) -> bool:
        """Whether the tile cannot be decoded."""
        ...


def span(origin: int, start: float, length: float, factor: float) -> tuple[int, int]:
    """Screen start and length of a part of the picture; neighbours meet without gap or overlap."""
    a = origin + round(start * factor)
    return a, origin + round((start + length) * factor) - a


def _hatch(painter: QPainter, target: QRect) -> None:
    """Mark a tile that cannot be read, whatever stands in for it."""
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    painter.fillRect(target, HATCHED)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)


class TileLayer:
    """The slide itself: the tiles of one zoom; where one is missing, a coarser or finer one, or the last plane's."""

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
                bad = self.images.is_bad(key)
                missing += not bad
                self._paint_substitute(painter, view, pyramid, key, target)
                if bad:
                    _hatch(painter, target)
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
