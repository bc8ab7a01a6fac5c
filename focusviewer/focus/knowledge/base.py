"""What the knowledge-based models share: filters over the whole image, one score for every window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.focus.measures.base import STRIDE, WINDOW, Gray, to_gray

_ROWS = 4  # rows of windows filtered at a time: bounds memory and costs little, since bands overlap by one window


class KnowledgeModel(FocusModel):
    """A knowledge-based model: filters with a limited reach, and one number for each window.

    Subclasses say how far their filters reach (``halo_px``) and give :meth:`band_scores`. What a window is given
    depends on its own pixels and ``halo_px`` more around it, so the pieces of a slide score as the whole does.
    """

    absolute = False
    window_px, stride_px = WINDOW, STRIDE

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        halo = (self.halo_px, self.halo_px)
        return self.score_with_halo(np.pad(image, (halo, halo, (0, 0)), mode="symmetric"), mpp)

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image with ``halo_px`` more pixels on every side."""
        rows, cols = ((side - 2 * self.halo_px - WINDOW) // STRIDE + 1 for side in image.shape[:2])
        if rows < 1 or cols < 1:
            raise ValueError(f"image {image.shape[:2]} is smaller than a window of {WINDOW} px")
        width = STRIDE * (cols - 1) + WINDOW + 2 * self.halo_px
        scores = np.empty((rows, cols), np.float32)
        for row in range(0, rows, _ROWS):
            count = min(_ROWS, rows - row)
            height = STRIDE * (count - 1) + WINDOW + 2 * self.halo_px
            band = to_gray(image[row * STRIDE : row * STRIDE + height, :width])
            scores[row : row + count] = self.band_scores(band, count, cols)
        return ScoreGrid(scores, WINDOW, STRIDE)

    @abstractmethod
    def band_scores(self, gray: Gray, rows: int, cols: int) -> npt.NDArray[np.floating]:
        """Blur of some rows of windows.

        Parameters
        ----------
        gray : float32 (H, W)
            In [0, 1]; the windows with ``halo_px`` more on every side, and no more.

        Returns
        -------
        (rows, cols), larger is blurrier
        """


def windows(rows: int, cols: int) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Every window's place in the grid, and its pixels in an image without halo."""
    for row, col in np.ndindex(rows, cols):
        y, x = row * STRIDE, col * STRIDE
        yield (row, col), (slice(y, y + WINDOW), slice(x, x + WINDOW))
