"""Where there is tissue on a slide, and where artefacts: by colour and density of a low-resolution picture.

Sharpness plays no part, so blurred tissue counts as tissue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray, Mask
from focusviewer.core.errors import SlideError
from focusviewer.focus.resample import read_scaled
from focusviewer.focus.tissue.appearance import Appearance
from focusviewer.focus.tissue.artefacts import dilate, erode, find_artefacts, find_pen
from focusviewer.focus.tissue.fluorescence import FLUORESCENCE_PX, glowing, looks_fluorescent
from focusviewer.slides import Slide

_COARSEST_PX = 2048  # longest side of the picture the mask is made of
_DOWNSAMPLE = 16.0  # for slides that fit
_FINEST_PX = 64  # shortest side below which small images are looked at more closely
_PIECE_PX = 4096  # level-0 pixels along a piece when a slide has no small levels

_USUAL_MPP = 0.25  # for sizes of artefacts where the slide's scale is not known
_FINEST_DOWNSAMPLE, _FINE_PX, _MOST_FINER = 2.0, 1024, 8  # artefacts are thin: small slides are looked at closely

_FINE_READ_PX = 4_000_000

_OFF_GRAY = 0.2  # of the density: difference of channels that tells such stain from dust and rims
_TINT = 0.045  # difference of optical density between channels that stain has and glass has not
_FAINT_TINT = 0.02  # enough where there is density or texture as well
_DENSITY = 0.16
_GRAY_DENSITY = 0.06  # the same on slides without colour, where density is all there is
_TEXTURE = 5.0  # local spread in gray levels of 255
_GRAY_TEXTURE = 3.0
_DARK = 12.0  # gray level of what lies outside a round field of view (left out with its rim)


class Areas:
    """Means of a picture over boxes: pixel (r, c) covers ``downsample`` level-0 pixels each way."""

    def __init__(self, picture: Mask | FloatArray, downsample: float) -> None:
        self.downsample, self.shape = downsample, picture.shape
        padded = np.pad(picture.astype(np.float64), ((1, 0), (1, 0)))
        self._integral = padded.cumsum(axis=0).cumsum(axis=1)

    def mean(
        self, x0: npt.ArrayLike, y0: npt.ArrayLike, x1: npt.ArrayLike, y1: npt.ArrayLike
    ) -> npt.NDArray[np.float64]:
        """Mean over level-0 boxes; what lies outside the slide does not count.

        Parameters
        ----------
        x0, y0, x1, y1 : float or arrays that broadcast
            Corners in level-0 pixels.

        Returns
        -------
        float64, of the broadcast shape
        """
        rows, cols = self.shape
        left, right = (np.clip(np.rint(np.asarray(x) / self.downsample), 0, cols).astype(int) for x in (x0, x1))
        top, bottom = (np.clip(np.rint(np.asarray(y) / self.downsample), 0, rows).astype(int) for y in (y0, y1))
        # Boxes smaller than a pixel take the one they lie in.
        left, top = np.minimum(left, cols - 1), np.minimum(top, rows - 1)
        right, bottom = np.maximum(right, left + 1), np.maximum(bottom, top + 1)
        total = self._integral
        inside = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        return np.asarray(inside / ((right - left) * (bottom - top)))


@dataclass(frozen=True)
class TissueMask:
    """Tissue on a coarse grid, and what lies on the slide that no focus model can score.

    Attributes
    ----------
    mask : bool (H, W)
        Tissue; a pixel covers ``downsample`` level-0 pixels each way.
    artefacts : mapping of kind to bool (h, w)
        Pen, dust, rims and folds (see :mod:`focusviewer.focus.tissue.artefacts`), on a grid of their own: small slides
        are looked at more closely.
    stain : float32 (h, w) or None
        Mean optical density above glass, on the grid of the artefacts; None on slides without colour.
    fine_downsample : float
        Level-0 pixels along a pixel of that grid.
    fluorescence : bool
        Whether the slide looks like fluorescence: tissue is then what glows, and no artefacts are looked for.
    """

    mask: Mask
    downsample: float
    artefacts: Mapping[str, Mask] = field(default_factory=dict)
    stain: FloatArray | None = None
    fine_downsample: float = 1.0
    fluorescence: bool = False

    @cached_property
    def areas(self) -> Areas:
        """For the part of boxes that is tissue."""
        return Areas(self.mask, self.downsample)

    @cached_property
    def artefact_areas(self) -> Areas | None:
        """For the part of boxes that artefacts cover; None where nobody has looked for them."""
        if not self.artefacts:
            return None
        return Areas(np.logical_or.reduce(list(self.artefacts.values())), self.fine_downsample)

    @cached_property
    def stain_areas(self) -> Areas | None:
        """For the mean density of boxes."""
        return None if self.stain is None else Areas(self.stain, self.fine_downsample)

    def fraction(
        self, x0: npt.ArrayLike, y0: npt.ArrayLike, x1: npt.ArrayLike, y1: npt.ArrayLike
    ) -> npt.NDArray[np.float64]:
        """Part of level-0 boxes that is tissue (see :meth:`Areas.mean`)."""
        return self.areas.mean(x0, y0, x1, y1)


def tissue_mask(slide: Slide, *, plane: int = 0, mpp: float | None = None) -> TissueMask:
    """Find the tissue of a slide, and the artefacts on it.

    Parameters
    ----------
    mpp : float, optional
        Pixel size of level 0 in um, where the file does not say it.

    Raises
    ------
    SlideError
        If the low-resolution picture cannot be read.
    """
    width, height = slide.dimensions
    downsample = max(_DOWNSAMPLE, max(width, height) / _COARSEST_PX)
    downsample = max(1.0, min(downsample, min(width, height) / _FINEST_PX))
    finer = _finer(slide, downsample)
    try:
        fine = _overview(slide, plane, downsample / finer)
    except SlideError:  # a finer level with a damaged part: the coarser one must do
        finer = 1
        fine = _overview(slide, plane, downsample)
    if looks_fluorescent(_thinned(fine)):
        return TissueMask(_cleaned(glowing(_averaged(fine, finer))), downsample, fluorescence=True)
    known = mpp if mpp is not None else slide.mpp
    um_per_px = (known if known is not None else _USUAL_MPP) * downsample / finer
    appearance = Appearance.at(fine)
    if appearance.colourless:
        return TissueMask(find_tissue(_averaged(fine, finer), um_per_px * finer), downsample)
    artefacts = find_artefacts(appearance.density, appearance.texture, _resembles_tissue(appearance), um_per_px)
    if finer > 1:
        tissue = find_tissue(_averaged(fine, finer), um_per_px * finer)
    else:
        tissue = _tissue_of(appearance, um_per_px, artefacts["pen"])
    stain = np.maximum(appearance.density.mean(axis=0), 0)
    return TissueMask(tissue, downsample, artefacts, stain, downsample / finer)


def _finer(slide: Slide, downsample: float) -> int:
    """How many times finer than the tissue artefacts are looked for: where that costs little reading."""
    longest = max(slide.dimensions)
    finest = max(1.0, min(_FINEST_DOWNSAMPLE, longest / 256), longest / _FINE_PX)
    level = slide.levels[slide.best_level(finest)]
    if level.width * level.height > _FINE_READ_PX:
        finest = max(finest, slide.levels[slide.best_level(downsample)].downsample)
    return max(1, min(int(downsample / finest), _MOST_FINER))


def _averaged(picture: RGB, factor: int) -> RGB:
    """The picture ``factor`` times smaller, by averaging; what is left over at the far edges is averaged too."""
    if factor == 1:
        return picture
    height, width = picture.shape[:2]
    rows, cols = -(-height // factor), -(-width // factor)
    padded = np.pad(picture, ((0, rows * factor - height), (0, cols * factor - width), (0, 0)), mode="edge")
    means = padded.reshape(rows, factor, cols, factor, 3).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(np.rint(means), np.uint8)


def _overview(slide: Slide, plane: int, downsample: float) -> RGB:
    """The whole plane at a scale, in pieces, so that slides with only a full-size level fit in memory."""
    width, height = (max(1, round(side / downsample)) for side in slide.dimensions)
    level = slide.levels[slide.best_level(downsample)]
    piece = max(1, int(_PIECE_PX * level.downsample / downsample))
    picture = np.empty((height, width, 3), np.uint8)
    for y in range(0, height, piece):
        for x in range(0, width, piece):
            box = (x, y, min(width, x + piece), min(height, y + piece))
            picture[box[1] : box[3], box[0] : box[2]] = read_scaled(slide, plane, downsample, box)
    return picture


def find_tissue(picture: RGB, um_per_px: float = _USUAL_MPP * _DOWNSAMPLE) -> Mask:
    """Tissue in a low-resolution picture, pen marks left out.

    Parameters
    ----------
    picture : uint8 (H, W, 3)
        Bright field, about 1 to 50 um per pixel.
    um_per_px : float
        Pixel size of the picture.

    Returns
    -------
    bool (H, W)
    """
    return _tissue_of(Appearance.at(picture), um_per_px)


def _tissue_of(appearance: Appearance, um_per_px: float, pen: Mask | None = None) -> Mask:
    tissue = _resembles_tissue(appearance)
    tissue &= ~dilate(erode(appearance.gray < _DARK, 2), 5)
    if not appearance.colourless:
        tissue &= ~(find_pen(appearance.density, appearance.texture, tissue, um_per_px) if pen is None else pen)
    return _cleaned(tissue)


def _cleaned(tissue: Mask) -> Mask:
    """Without gaps and specks of a few pixels."""
    closed = erode(dilate(tissue, 2), 2)
    return dilate(erode(closed, 1), 1)


def _thinned(picture: RGB) -> RGB:
    """Every so manieth pixel, enough to count gray levels in."""
    step = max(1, max(picture.shape[:2]) // FLUORESCENCE_PX)
    return picture[::step, ::step]


def _resembles_tissue(appearance: Appearance) -> Mask:
    average, tint = appearance.density.mean(axis=0), np.ptp(appearance.density, axis=0)
    if appearance.colourless:
        return np.asarray((average > _GRAY_DENSITY) | (appearance.texture > _GRAY_TEXTURE))
    # Dust, bubbles and coverslip edges are dark or textured too, but gray.
    tissue = (tint > _TINT) & (average > 0.01)
    tissue |= (tint > _FAINT_TINT) & ((average > _DENSITY) | (appearance.texture > _TEXTURE))
    if appearance.colour_poor:
        tissue |= (average > _GRAY_DENSITY) & (tint > _OFF_GRAY * average)
    return np.asarray(tissue)
