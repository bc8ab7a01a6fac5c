"""How long the last frames took to paint."""

from __future__ import annotations

import numpy as np


class PaintStats:
    """A ring of paint times in milliseconds."""

    def __init__(self, frames: int = 600) -> None:
        self._ring = np.zeros(frames, np.float32)
        self.count = 0

    def add(self, milliseconds: float) -> None:
        """Note one frame."""
        self._ring[self.count % self._ring.size] = milliseconds
        self.count += 1

    def clear(self) -> None:
        """Start again."""
        self.count = 0

    def percentile(self, q: float) -> float:
        """Paint time (ms) that ``q`` percent of the noted frames stay under; 0 without frames."""
        frames = self._ring[: min(self.count, self._ring.size)]
        return float(np.percentile(frames, q)) if frames.size else 0.0
