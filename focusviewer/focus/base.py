"""The FocusModel interface: pixels in, blur score out; larger is blurrier everywhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap

ReadPart = Callable[[int, int, int, int], RGB]
"""Gives rows ``top .. bottom``, columns ``left .. right`` of a piece of a slide: uint8 (H, W, 3)."""

LEVEL_UM = 0.25
"""One focus level: the z step of the FocusPath data set, in um."""

MAX_UPSAMPLING = 1.2
"""Enlargement up to which a model's finer scale is still preferred."""

SAME_SCALE = 1.15
"""Pixel sizes within this factor count as the model's own: scanners called 40x lie between 0.22 and 0.28 um."""


@dataclass(frozen=True)
class ScoreGrid:
    """Scores of the full windows of an image: window (r, c) covers ``stride * r .. + window`` pixels.

    Attributes
    ----------
    scores : float32 (rows, cols)
        Blur per window.
    uncertainty : float32 (rows, cols) or None
        One standard deviation, in the unit of the scores; None when the model does not know it.
    members, weights : mapping of member model to float32 (rows, cols)
        Scores a fused model was made of, and how much each of them counted; empty for other models.
    """

    scores: FloatMap
    window_px: int
    stride_px: int
    uncertainty: FloatMap | None = None
    members: Mapping[str, FloatMap] = field(default_factory=dict)
    weights: Mapping[str, FloatMap] = field(default_factory=dict)


class FocusModel(ABC):
    """Scores how blurred windows of an image are.

    Attributes
    ----------
    name : str
        Registry name, e.g. ``focuslitenn-10``.
    absolute : bool
        True when scores are focus levels of 0.25 um (|z - z*|); False when only their order means something.
    window_px, stride_px : int
        Window and step, in pixels at the model's own scale.
    mpps : tuple of float
        Pixel sizes (um) the model is made for; empty when it takes any.
    halo_px : int
        How far the model looks beyond a window's edge; :meth:`score_with_halo` is given that many real pixels.
    block_windows : int
        Most windows along the side of a piece of a slide that is scored at once; memory sets it.
    strips : bool
        True when :meth:`score_piece` reads from the top down, and only what it needs: pieces can then be wide.
    version : str
        Changes when weights or code change the scores (part of the cache key of focus maps).
    """

    name: str
    absolute: bool = False
    window_px: int = 235
    stride_px: int = 130
    mpps: tuple[float, ...] = ()
    halo_px: int = 0
    block_windows: int = 28
    strips: bool = False
    version: str = "1"

    def parameters(self) -> int:
        """Number of trained parameters."""
        return 0

    @abstractmethod
    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image that is already at the model's scale.

        Parameters
        ----------
        image : uint8 (H, W, 3)
            At least one window large; smaller images are the caller's to pad.
        mpp : float or None
            Pixel size of ``image`` in um; picks between weights made for several scales.
        """

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score the windows of an image that carries ``halo_px`` more pixels on every side.

        Pieces of a slide scored this way give exactly the scores of the whole; :meth:`score_windows` makes up
        the halo by mirroring the image at its edges.
        """
        halo = self.halo_px
        return self.score_windows(image[halo : image.shape[0] - halo, halo : image.shape[1] - halo], mpp)

    def score_piece(
        self,
        read: ReadPart,
        size: tuple[int, int],
        mpp: float | None = None,
        wanted: npt.NDArray[np.bool_] | None = None,
    ) -> ScoreGrid:
        """Score windows of a piece that carries ``halo_px`` more pixels on every side, and is read as it goes.

        Models that work from the top down ask for few rows at a time, and for the columns they need: the pixels then
        never leave the processor's cache, and what no wanted window covers is not decoded.

        Parameters
        ----------
        read : callable (top, bottom, left, right)
            Gives pixels of the piece; to be asked from the top down.
        size : (height, width)
            Of the piece.
        wanted : bool (rows, cols), optional
            Windows that matter; the scores of others may be anything.
        """
        return self.score_with_halo(read(0, size[0], 0, size[1]), mpp)

    def start_thread(self) -> None:  # noqa: B027 - most models have nothing to do
        """Prepare the calling thread to be one of several that score side by side (called once in each)."""

    def score(self, image: RGB, mpp: float | None = None) -> float:
        """One blur score for an image: the mean over its windows.

        An image whose ``mpp`` is not the model's own is resampled first; one below a window is mirrored at its
        edges.
        """
        scale = self.scale_for(mpp)
        if scale != 1.0:
            from focusviewer.focus.resample import resample

            image = resample(image, scale)
        height, width = image.shape[:2]
        pad_y, pad_x = max(0, self.window_px - height), max(0, self.window_px - width)
        if pad_y or pad_x:
            pads = ((pad_y // 2, pad_y - pad_y // 2), (pad_x // 2, pad_x - pad_x // 2), (0, 0))
            image = np.pad(image, pads, mode="symmetric")
        return float(self.score_windows(image, self.model_mpp(mpp)).scores.mean())

    def model_mpp(self, slide_mpp: float | None) -> float | None:
        """The scale to work at on a slide of ``slide_mpp`` um: one of ``mpps``, or the slide's own.

        The nearest that needs no more than MAX_UPSAMPLING, since made-up pixels read as blur; the coarsest when
        all would need more.
        """
        if not self.mpps or slide_mpp is None:
            return slide_mpp
        real = [mpp for mpp in self.mpps if slide_mpp / mpp <= MAX_UPSAMPLING]
        if not real:
            return max(self.mpps)
        return min(real, key=lambda mpp: abs(np.log(mpp / slide_mpp)))

    def scale_for(self, slide_mpp: float | None) -> float:
        """Slide pixels per pixel of the model's scale; 1 (no resampling) within SAME_SCALE of it."""
        target = self.model_mpp(slide_mpp)
        if target is None or slide_mpp is None:
            return 1.0
        scale = float(target / slide_mpp)
        return 1.0 if 1 / SAME_SCALE <= scale <= SAME_SCALE else scale


@dataclass(frozen=True)
class FocusMap:
    """Blur per window on the slide grid, and how it was made.

    Attributes
    ----------
    blur : float32 (rows, cols)
        Score per window; focus levels of 0.25 um for absolute models; NaN where there is no tissue (or not yet
        done, or not readable, or where nothing can be told).
    x, y : float32 (cols,), (rows,)
        Level-0 pixel of each window's centre.
    window_px, stride_px : float
        Window and step in **level-0** pixels.
    mpp : float or None
        Pixel size of **level 0** in um that the map was made with.
    sides_um : (float, float) or None
        Sides of a level-0 pixel across and down, where it is not square and ``mpp`` is None.
    unreadable : int
        Windows with tissue whose pixels could not be decoded.
    uncertainty : float32 (rows, cols) or None
        One standard deviation in the unit of ``blur``, from models that know it.
    members, weights : mapping of member model to float32 (rows, cols)
        Scores a fused model was made of, in the members' own units, and how much each of them counted.
    cannot_tell : bool (rows, cols) or None
        Windows with something on them that no model can score: pen, dust, the rim of a bubble or the coverslip, a
        fold, nothing but fat or pale glass. ``blur`` is NaN there, so they are never called blurred.
    calibration : str
        Which calibration turned the scores into levels; empty when they are the model's own.
    fluorescence : bool
        Whether the slide looks like fluorescence: scores then rank its windows, and no calibration holds.
    """

    blur: FloatMap
    x: FloatMap
    y: FloatMap
    model: str
    model_version: str
    absolute: bool
    window_px: float
    stride_px: float
    mpp: float | None
    plane: int = 0
    seconds: float = 0.0
    decode_seconds: float = 0.0
    unreadable: int = 0
    uncertainty: FloatMap | None = None
    members: Mapping[str, FloatMap] = field(default_factory=dict)
    weights: Mapping[str, FloatMap] = field(default_factory=dict)
    cannot_tell: npt.NDArray[np.bool_] | None = None
    calibration: str = ""
    fluorescence: bool = False
    sides_um: tuple[float, float] | None = None

    @property
    def tissue(self) -> npt.NDArray[np.bool_]:
        """Windows that hold tissue and a score."""
        return np.isfinite(self.blur)

    @property
    def cell_mm2(self) -> float | None:
        """Area of the stride-sized middle of a window; None without a pixel size."""
        if self.mpp is not None:
            return (self.stride_px * self.mpp / 1000) ** 2
        return None if self.sides_um is None else self.stride_px**2 * self.sides_um[0] * self.sides_um[1] / 1e6

    def at(self, x_px: float, y_px: float) -> float:
        """Blur at a level-0 pixel: the nearest window's, NaN outside the grid."""
        nearest = self.window_at(x_px, y_px)
        return float("nan") if nearest is None else float(self.blur[nearest])

    def window_at(self, x_px: float, y_px: float) -> tuple[int, int] | None:
        """Row and column of the window nearest to a level-0 pixel; None outside the grid."""
        if not self.blur.size:
            return None
        col = int(np.argmin(np.abs(self.x - x_px)))
        row = int(np.argmin(np.abs(self.y - y_px)))
        if max(abs(self.x[col] - x_px), abs(self.y[row] - y_px)) > max(self.window_px, self.stride_px):
            return None
        return row, col
