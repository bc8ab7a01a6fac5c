"""Where there is tissue on a slide: told by colour and density from a low-resolution picture, pen marks left out.

Sharpness plays no part, so blurred tissue counts as tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.focus.resample import read_scaled
from focusviewer.slides import RGB, Slide

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

_COARSEST_PX = 2048  # longest side of the picture the mask is made of
_DOWNSAMPLE = 16.0  # for slides that fit
_FINEST_PX = 64  # shortest side below which small images are looked at more closely
_PIECE_PX = 4096  # level-0 pixels along a piece when a slide has no small levels

_COLOURLESS = 10.0  # spread of the channels (gray levels) that a picture without colour does not reach
_TINT = 0.045  # difference of optical density between channels that stain has and glass has not
_FAINT_TINT = 0.02  # enough where there is density or texture as well
_DENSITY = 0.16
_GRAY_DENSITY = 0.06  # the same on slides without colour, where density is all there is
_TEXTURE = 5.0  # local spread in gray levels of 255
_GRAY_TEXTURE = 3.0
_DARK = 12.0  # gray level of what lies outside a round field of view (left out with its rim)
_STAIN_SHARE = 0.75  # pen colours on more than this part of the tissue are the stain's, if they have texture
_STAIN_TEXTURE = 8.0


@dataclass(frozen=True)
class TissueMask:
    """Tissue on a coarse grid: pixel (r, c) of ``mask`` covers ``downsample`` level-0 pixels each way."""

    mask: Mask
    downsample: float

    @cached_property
    def _integral(self) -> npt.NDArray[np.int64]:
        padded = np.pad(self.mask.astype(np.int64), ((1, 0), (1, 0)))
        return np.asarray(padded.cumsum(axis=0).cumsum(axis=1))

    def fraction(
        self, x0: npt.ArrayLike, y0: npt.ArrayLike, x1: npt.ArrayLike, y1: npt.ArrayLike
    ) -> npt.NDArray[np.float64]:
        """Part of level-0 boxes that is tissue; what lies outside the slide does not count.

        Parameters
        ----------
        x0, y0, x1, y1 : float or arrays that broadcast
            Corners in level-0 pixels.

        Returns
        -------
        float64, of the broadcast shape
        """
        rows, cols = self.mask.shape
        left, right = (np.clip(np.rint(np.asarray(x) / self.downsample), 0, cols).astype(int) for x in (x0, x1))
        top, bottom = (np.clip(np.rint(np.asarray(y) / self.downsample), 0, rows).astype(int) for y in (y0, y1))
        # Boxes smaller than a mask pixel still look at the one they lie in.
        left, top = np.minimum(left, cols - 1), np.minimum(top, rows - 1)
        right, bottom = np.maximum(right, left + 1), np.maximum(bottom, top + 1)
        total = self._integral
        inside = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        return np.asarray(inside / ((right - left) * (bottom - top)))


def tissue_mask(slide: Slide, *, plane: int = 0) -> TissueMask:
    """Find the tissue of a slide.

    Raises
    ------
    SlideError
        If the low-resolution picture cannot be read.
    """
    width, height = slide.dimensions
    downsample = max(_DOWNSAMPLE, max(width, height) / _COARSEST_PX)
    downsample = max(1.0, min(downsample, min(width, height) / _FINEST_PX))
    return TissueMask(find_tissue(_overview(slide, plane, downsample)), downsample)


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


def find_tissue(picture: RGB) -> Mask:
    """Tissue in a low-resolution picture.

    Parameters
    ----------
    picture : uint8 (H, W, 3)
        Bright field, about 1 to 50 um per pixel.

    Returns
    -------
    bool (H, W)
    """
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)  # reductions over channels run far faster
    gray, chroma = planes.mean(axis=0), np.ptp(planes, axis=0)
    smooth = _box(planes, 1)
    colourless = float(np.percentile(chroma, 99)) < _COLOURLESS
    density = np.log10((_glass(planes, gray, chroma)[:, None, None] + 1) / (smooth + 1))
    average, tint = density.mean(axis=0), np.ptp(density, axis=0)
    texture = _spread(gray)
    if colourless:
        tissue = (average > _GRAY_DENSITY) | (texture > _GRAY_TEXTURE)
    else:
        # Dust, bubbles and coverslip edges are dark or textured too, but gray.
        tissue = (tint > _TINT) & (average > 0.01)
        tissue |= (tint > _FAINT_TINT) & ((average > _DENSITY) | (texture > _TEXTURE))
    tissue &= ~_dilate(_erode(gray < _DARK, 2), 5)
    if not colourless:
        tissue &= ~_pen(density, texture, tissue)
    closed = _erode(_dilate(tissue, 2), 2)
    return _dilate(_erode(closed, 1), 1)


def _glass(planes: Floats, gray: Floats, chroma: Floats) -> Floats:
    """Colour of empty glass: the brightest common gray, or near-white when there is none: float32 (3,)."""
    near_white = np.full(3, 240, np.float32)
    pale = (gray > 140) & (chroma < 40)
    counts = np.bincount((gray[pale] / 2).astype(np.int64), minlength=129).astype(float)
    counts = np.convolve(counts, np.ones(5), mode="same")
    common = np.flatnonzero(counts > max(0.25 * counts.max(), 0.005 * gray.size))
    if not common.size:
        return near_white
    near = pale & (np.abs(gray - np.float32(2 * common[-1])) < 6)
    if not near.any():
        return near_white
    return np.array([np.median(plane[near]) for plane in planes], np.float32)


def _pen(density: Floats, texture: Floats, tissue: Mask) -> Mask:
    """Marker pen: colours no usual stain has, in areas, not specks.

    Green and blue inks let less red than green through, by far; red ink lets red through and stops green and blue
    almost alike (eosin stops green mainly, DAB stops some red too); black ink stops all alike.
    """
    red, green = density[0], density[1]
    shade = np.ptp(density, axis=0)
    inks = (  # ink, its faint edge and how far that reaches, size of specks that are no ink (blood is as red)
        (red - green > 0.18, red - green > 0.03, 12, 1),
        (_is_red(density, 0.25, 0.35, 0.72), _is_red(density, 0.04, 0.35, 0.68), 4, 2),
        ((density.min(axis=0) > 0.65) & (shade < 0.22), (green > 0.05) & (shade < 0.1), 12, 1),
    )
    result = np.zeros_like(tissue)
    for ink, faint, reach, speck in inks:
        share = (faint & tissue).sum() / max(1, tissue.sum())
        if share > _STAIN_SHARE and np.median(texture[ink | faint]) > _STAIN_TEXTURE:
            continue  # a blue or red stain: ink neither covers whole slides nor has structure
        area = _dilate(_erode(ink, speck), speck + 1)
        for _ in range(reach):
            area |= _dilate(area, 1) & faint
        result |= _dilate(area, 1)
    return result


def _is_red(density: Floats, least: float, red_share: float, blue_share: float) -> Mask:
    red, green, blue = density
    return np.asarray((green > least) & (red < red_share * green) & (blue > blue_share * green))


def _box(values: Floats, radius: int) -> Floats:
    """Mean over squares of ``2 * radius + 1`` pixels of the last two axes, edges repeated."""
    for axis in (-2, -1):
        pads = [(0, 0)] * values.ndim
        pads[axis] = (radius, radius)
        padded = np.pad(values, pads, mode="edge")
        total = values.copy()
        for shift in range(2 * radius + 1):
            if shift != radius:
                total += _shifted(padded, shift, values.shape[axis], axis)
        values = total / np.float32(2 * radius + 1)
    return values


def _shifted(padded: npt.NDArray[Any], shift: int, length: int, axis: int) -> npt.NDArray[Any]:
    return padded[..., shift : shift + length, :] if axis == -2 else padded[..., shift : shift + length]


def _spread(gray: Floats) -> Floats:
    """Standard deviation over 5x5 pixels."""
    centred = gray - np.float32(gray.mean())
    return np.asarray(np.sqrt(np.maximum(_box(centred * centred, 2) - _box(centred, 2) ** 2, 0)))


def _dilate(mask: Mask, radius: int) -> Mask:
    for axis in (-2, -1):
        padded = np.pad(mask, [(radius, radius) if a == axis else (0, 0) for a in (-2, -1)])
        mask = mask.copy()
        for shift in range(2 * radius + 1):
            if shift != radius:
                mask |= _shifted(padded, shift, mask.shape[axis], axis)
    return mask


def _erode(mask: Mask, radius: int) -> Mask:
    return ~_dilate(~mask, radius)
