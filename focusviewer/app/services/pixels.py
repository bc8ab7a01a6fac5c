"""Pixels on their way between readers, engines and the screen; every function here may run in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QImage

from focusviewer.core.arrays import RGB
from focusviewer.core.caches import LockedLRUCache
from focusviewer.core.cancel import stop_if
from focusviewer.slides import DisplayPyramid, TileKey


def to_qimage(rgb: RGB) -> QImage:
    """Copy RGB uint8 (H, W, 3) pixels into a Format_RGB32 image, the one Qt paints fastest."""
    rgb = np.ascontiguousarray(rgb)
    height, width = rgb.shape[:2]
    return QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).convertToFormat(
        QImage.Format.Format_RGB32
    )


def rgba_to_qimage(rgba: npt.NDArray[np.uint8]) -> QImage:
    """Copy straight RGBA uint8 (H, W, 4) pixels into a premultiplied image."""
    rgba = np.ascontiguousarray(rgba)
    height, width = rgba.shape[:2]
    return QImage(rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).convertToFormat(
        QImage.Format.Format_ARGB32_Premultiplied
    )


def from_qimage(image: QImage) -> RGB:
    """Copy an image into RGB uint8 (H, W, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


class ImageCache(LockedLRUCache[TileKey, QImage]):
    """Least-recently-used images, bounded in bytes; safe to use from any thread."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, QImage.sizeInBytes)


def read_rect(
    pyramid: DisplayPyramid,
    zoom: int,
    rect: tuple[int, int, int, int],
    plane: int,
    cached: Callable[[TileKey], RGB | None] | None = None,
    cancel: threading.Event | None = None,
) -> RGB:
    """Pixels of a rectangle of one zoom, put together from the same tiles the viewport paints.

    Parameters
    ----------
    rect : (x0, y0, x1, y1)
        In pixels of the zoom, inside the slide.
    cached : callable, optional
        Gives tiles that are already in memory.
    cancel : threading.Event, optional
        Looked at before every tile.

    Raises
    ------
    SlideError
        If a tile cannot be decoded.
    CancelledError
        If ``cancel`` is set.
    """
    x0, y0, x1, y1 = rect
    size = pyramid.tile_px
    out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
    for row in range(y0 // size, (y1 - 1) // size + 1):
        for col in range(x0 // size, (x1 - 1) // size + 1):
            stop_if(cancel)
            key = TileKey(pyramid.fingerprint, zoom, col, row, plane)
            tile = cached(key) if cached else None
            if tile is None:
                tile = pyramid.read_tile(key)
            left, top = col * size, row * size
            a, b = max(x0, left), max(y0, top)
            c, d = min(x1, left + tile.shape[1]), min(y1, top + tile.shape[0])
            out[b - y0 : d - y0, a - x0 : c - x0] = tile[b - top : d - top, a - left : c - left]
    return out
