"""The confidence of a whole region, put together from its tiles."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.confidence import Confidence, confidence
from focusviewer.refocus.regions.layout import Tile


class Notes:
    """Collects the engine's notes on the tiles of a region; an observer of ``refocus_view``."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __call__(
        self, tile: Tile, encoded: Encoded, images: list[RGB], rendered: RGB, target_um: float | FloatMap
    ) -> None:
        """Take the notes of one tile."""
        self.look(encoded)

    def look(self, encoded: Encoded) -> None:
        """Take the notes of one encoded view."""
        self.notes += [note for note in encoded.notes if note not in self.notes]


class Assessment(Notes):
    """Collects the confidence of the tiles of a region; an observer of ``refocus_view``.

    Parameters
    ----------
    width, height : int
        Size of the region in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._map = np.ones((height, width), np.float32)
        self._beyond = np.zeros((height, width), np.float32)
        self._area = self._error = self._residual = self._background = 0.0

    def __call__(
        self, tile: Tile, encoded: Encoded, images: list[RGB], rendered: RGB, target_um: float | FloatMap
    ) -> None:
        """Assess one tile."""
        super().__call__(tile, encoded, images, rendered, target_um)
        found = confidence(encoded, images, rendered, target_um)
        part = self._map[tile.y[0] : tile.y[1], tile.x[0] : tile.x[1]]
        np.minimum(part, tile.core(found.map), out=part)  # where tiles overlap, the more careful one counts
        if found.overshoot is not None:
            beyond = self._beyond[tile.y[0] : tile.y[1], tile.x[0] : tile.x[1]]
            np.maximum(beyond, tile.core(found.overshoot), out=beyond)
        area = float(part.size)
        self._area += area
        self._error += area * 10 ** (-found.reblur_db / 10)
        self._residual += area * found.residual_energy
        self._background = max(self._background, found.background_change)

    def result(self) -> Confidence:
        """Confidence of the region: means by area (of the squared error, for the decibels), and the largest change.

        A region without a synthesised tile is as certain as a scan.
        """
        if self._area == 0:
            return Confidence(99.0, self._map, 0.0, 0.0)
        decibel = -10 * float(np.log10(self._error / self._area))
        return Confidence(decibel, self._map, self._residual / self._area, self._background, self._beyond)
