"""Pictures that are stored turned or mirrored: TIFF's Orientation (tag 274), which EXIF has in the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import Level, Region, Slide, UnsupportedError

Array = TypeVar("Array", bound=npt.NDArray[Any])

TAG = 274
"""The tag's number in TIFF and in EXIF."""

UPRIGHT = 1

# The picture to be shown has its x axis or y axis reversed, and, from 5 on, its axes exchanged before that.
_X_REVERSED, _Y_REVERSED, _FIRST_EXCHANGED = (2, 3, 6, 7), (3, 4, 7, 8), 5


def orientation(value: object) -> int:
    """A tag's value as an orientation from 1 to 8; 1 (upright) for anything else."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return UPRIGHT
    return number if 1 <= number <= 8 else UPRIGHT


def tiff_orientation(path: Path) -> int:
    """Orientation of the first page of a TIFF file; 1 where it cannot be read."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            return orientation(tif.pages.first.tags.valueof(TAG, UPRIGHT))
    except Exception:  # a damaged file upsets the parser in any way; its pixels may be fine
        return UPRIGHT


def exchanges_axes(turn: int) -> bool:
    """Whether width and height change places."""
    return turn >= _FIRST_EXCHANGED


def upright(picture: Array, turn: int) -> Array:
    """A view of stored pixels (H, W, ...) as they are to be shown.

    Parameters
    ----------
    picture : array (H, W, ...)
    turn : int
        Orientation, 1 to 8 (TIFF 6.0, page 36).

    Returns
    -------
    array (H, W, ...), or (W, H, ...) from orientation 5 on
    """
    shown: Any = picture.swapaxes(0, 1) if exchanges_axes(turn) else picture
    if turn in _X_REVERSED:
        shown = shown[:, ::-1]
    if turn in _Y_REVERSED:
        shown = shown[::-1]
    result: Array = shown
    return result


class OrientedSlide(Slide):
    """A slide whose pixels are stored turned or mirrored, shown upright.

    Parameters
    ----------
    inner : Slide
        Closed together with this one.
    turns : sequence of int
        Orientation of each plane.

    Raises
    ------
    UnsupportedError
        If the planes, once upright, differ in size.
    """

    def __init__(self, inner: Slide, turns: Sequence[int]) -> None:
        self._inner, self._turns = inner, tuple(turns)
        width, height = inner.dimensions
        exchanged = {exchanges_axes(turn) for turn in self._turns}
        if len(exchanged) > 1 and width != height:
            why = "a focal stack of which some planes are stored turned by 90 degrees and others are not"
            raise UnsupportedError(why, len(self._turns))
        levels, sides = inner.levels, inner.info.stated_mpp_xy
        if exchanged == {True}:
            levels = tuple(Level(level.height, level.width, level.downsample) for level in levels)
            sides = None if sides is None else sides[::-1]
        self.info = replace(inner.info, levels=levels, stated_mpp_xy=sides)

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`; corners of coarse levels are rounded to whole pixels."""
        level, turn = self.levels[region.level], self._turns[region.plane]
        x, y = (int(np.floor(value / level.downsample + 0.5)) for value in (region.x, region.y))
        width, height = region.width, region.height
        if turn in _X_REVERSED:
            x = level.width - x - width
        if turn in _Y_REVERSED:
            y = level.height - y - height
        if exchanges_axes(turn):
            x, y, width, height = y, x, height, width
        corner = round(x * level.downsample), round(y * level.downsample)
        stored = self._inner.read_region(Region(region.level, *corner, width, height, region.plane))
        return np.ascontiguousarray(upright(stored, turn))

    def read_associated(self, name: str) -> RGB:
        """See :meth:`Slide.read_associated`."""
        return self._inner.read_associated(name)

    def close(self) -> None:
        """Release the file."""
        self._inner.close()


def shown_upright(slide: Slide, turns: Sequence[int]) -> Slide:
    """The slide itself if all its planes are stored upright, else an :class:`OrientedSlide` around it.

    Raises
    ------
    UnsupportedError
        If the planes, once upright, differ in size; the slide is closed.
    """
    if all(turn == UPRIGHT for turn in turns):
        return slide
    try:
        return OrientedSlide(slide, turns)
    except UnsupportedError:
        slide.close()
        raise
