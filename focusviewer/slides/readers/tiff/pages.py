"""One image of a TIFF file, read piecewise: tiles, strips, or an array that lies in the file as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, Mask
from focusviewer.slides.base import UnsupportedError, UnsureError
from focusviewer.slides.cache import TileCache
from focusviewer.slides.pixels import (
    CMYK,
    MIN_IS_WHITE,
    PALETTE,
    PHOTO_RGB,
    YCBCR,
    PixelFormat,
    Raw,
    full_range,
    value_range,
    white,
)
from focusviewer.slides.readers.rawfile import FileArray, RawFile
from focusviewer.slides.readers.tiff.decoding import (
    HEAD_BYTES,
    YCBCR_CODECS,
    check_tile_memory,
    decoder,
    describe,
    sample_bits,
)

_READABLE = (MIN_IS_WHITE, 1, PHOTO_RGB, PALETTE, CMYK, YCBCR)
_WHOLE_BYTES, _SAMPLED_BYTES = 48 << 20, 24 << 20
"""To find the range of deep samples, a page of that size (as RGB) is looked at as a whole, of a larger one a part."""
_FEWEST_TILES = 16


class PageImage(ABC):
    """A two-dimensional image that can be read piecewise, in its own pixels."""

    width: int
    height: int
    format: PixelFormat
    deep = False
    """Whether samples have more than 8 bits, so that their range has to be found."""
    is_empty = False
    """Whether the file holds nothing of it: a plane that was never written."""

    def read_into(self, out: RGB, x: int, y: int) -> None:
        """Paint the part of the image that falls on ``out``, whose corner lies at pixel x, y; leave the rest."""
        height, width = out.shape[:2]
        x0, x1 = max(x, 0), min(x + width, self.width)
        y0, y1 = max(y, 0), min(y + height, self.height)
        if x1 > x0 and y1 > y0:
            self._paint(out[y0 - y : y1 - y, x0 - x : x1 - x], x0, y0)

    @abstractmethod
    def _paint(self, out: RGB, x: int, y: int) -> None:
        """Paint a part that lies inside the image."""

    @abstractmethod
    def sample(self) -> list[Raw]:
        """Some stored samples from the middle, to find their range."""


class ArrayPage(PageImage):
    """An image that can be sliced like an array (it lies in the file as it is, or is decoded already).

    Parameters
    ----------
    array : (H, W) or (H, W, samples), any dtype
    pixel_format : PixelFormat
    """

    def __init__(self, array: npt.NDArray[Any] | FileArray, pixel_format: PixelFormat) -> None:
        self.height, self.width = array.shape[:2]
        self.array, self.format = array, pixel_format
        self.deep = array.dtype.itemsize > 1

    def _paint(self, out: RGB, x: int, y: int) -> None:
        rows = max(1, (8 << 20) // max(out.shape[1], 1))  # bounds the memory of conversions
        for top in range(0, out.shape[0], rows):
            part = out[top : top + rows]
            part[:] = self.format.rgb(self.array[y + top : y + top + len(part), x : x + part.shape[1]])

    def sample(self) -> list[Raw]:
        """See :meth:`PageImage.sample`."""
        step = max(1, int((self.width * self.height) ** 0.5 // 1000))
        return [self.array[::step, ::step]]


class BlankPage(PageImage):
    """A plane the file does not hold."""

    is_empty = True

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.format = width, height, PixelFormat()

    def _paint(self, out: RGB, x: int, y: int) -> None:
        out[:] = 255

    def sample(self) -> list[Raw]:
        """See :meth:`PageImage.sample`."""
        return []


class MergedPage(PageImage):
    """Three gray images that are the red, green and blue of one."""

    def __init__(self, channels: tuple[PageImage, ...]) -> None:
        self.channels = channels
        self.width, self.height, self.format = channels[0].width, channels[0].height, channels[0].format
        self.deep = channels[0].deep
        self.is_empty = any(channel.is_empty for channel in channels)

    def _paint(self, out: RGB, x: int, y: int) -> None:
        for index, channel in enumerate(self.channels):
            gray = np.full_like(out, 255)
            channel.read_into(gray, x, y)
            out[..., index] = gray[..., 0]

    def sample(self) -> list[Raw]:
        """See :meth:`PageImage.sample`."""
        return [part for channel in self.channels for part in channel.sample()]


class TiledPage(PageImage):
    """Tiles or strips of one TIFF page.

    8-bit JPEG and JPEG 2000 go straight to the codec, with the colour space the page declares; everything else
    goes through tifffile's decoder. Codecs and copies release the interpreter lock.

    Parameters
    ----------
    page : tifffile.TiffPage
    raw : RawFile
    cache : TileCache
        Shared by the pages of a file; keeps decoded tiles that a read used only in part.
    """

    def __init__(self, page: Any, raw: RawFile, cache: TileCache) -> None:
        self.width, self.height = int(page.imagewidth), int(page.imagelength)
        self._raw, self._cache = raw, cache
        self.tile_width = int(page.tilewidth if page.is_tiled else page.imagewidth)
        self.tile_height = int(page.tilelength if page.is_tiled else page.rowsperstrip)
        self.tile_height = min(self.tile_height, self.height) if not page.is_tiled else self.tile_height
        self._columns = -(-self.width // self.tile_width)
        self._rows = -(-self.height // self.tile_height)
        self._offsets: tuple[int, ...] = tuple(page.dataoffsets)
        self._counts: tuple[int, ...] = tuple(page.databytecounts)
        self._layers = int(page.samplesperpixel) if int(page.planarconfig) == 2 else 1
        if min(len(self._offsets), len(self._counts)) < self._columns * self._rows * self._layers:
            raise UnsureError("the page lists fewer tiles than its size needs")
        self._lent: Mask | None = None
        self._make: Callable[[int], RGB] = lambda _index: white(self.tile_height, self.tile_width)
        self.deep = page.dtype is not None and page.dtype.itemsize > 1
        self.format = page_format(page)
        self.is_empty = not (any(self._counts) and any(self._offsets))
        check_tile_memory(page, self.tile_width, self.tile_height, raw.path.name)
        first = next((offset for offset, count in zip(self._offsets, self._counts, strict=True) if count), None)
        self._decode = decoder(page, b"" if first is None else raw.read_at(first, HEAD_BYTES), raw.path.name)

    @cached_property
    def held(self) -> Mask:
        """Which tiles the file holds: bool (rows, columns)."""
        needed = self._layers * self._rows * self._columns
        there = (np.asarray(self._counts[:needed]) != 0) & (np.asarray(self._offsets[:needed]) != 0)
        return np.asarray(there.reshape(self._layers, self._rows, self._columns).all(axis=0))

    @property
    def shown(self) -> Mask:
        """Which tiles have pixels, held or made: bool (rows, columns)."""
        return self.held if self._lent is None else self.held | self._lent

    def lend(self, lacking: Mask, make: Callable[[int], RGB]) -> None:
        """Have tiles that the file lacks made elsewhere: uint8 (tile_height, tile_width, 3) by index."""
        self._lent, self._make = lacking, make

    @property
    def raw(self) -> RawFile:
        """The file it lies in."""
        return self._raw

    @property
    def data_end(self) -> int:
        """Offset of the last byte that the page's tiles need."""
        return max((o + c for o, c in zip(self._offsets, self._counts, strict=True) if c), default=0)

    @property
    def tile_nbytes(self) -> int:
        """Size of a decoded tile as RGB."""
        return self.tile_width * self.tile_height * 3

    def _paint(self, out: RGB, x: int, y: int) -> None:
        height, width = out.shape[:2]
        for row in range(y // self.tile_height, -(-(y + height) // self.tile_height)):
            top = row * self.tile_height
            y0, y1 = max(y, top), min(y + height, top + self.tile_height)
            for column in range(x // self.tile_width, -(-(x + width) // self.tile_width)):
                left = column * self.tile_width
                x0, x1 = max(x, left), min(x + width, left + self.tile_width)
                # A tile that is used up at once need not be remembered.
                partial = (x1 - x0) * (y1 - y0) < self.tile_width * self.tile_height
                tile = self._tile(row * self._columns + column, remember=partial)
                if tile is None:
                    out[y0 - y : y1 - y, x0 - x : x1 - x] = 255
                    continue
                part = tile[y0 - top : y1 - top, x0 - left : x1 - left]
                out[y0 - y : y0 - y + part.shape[0], x0 - x : x0 - x + part.shape[1]] = part

    def _tile(self, index: int, *, remember: bool) -> RGB | None:
        lent = self._lent is not None and bool(self._lent.flat[index])
        if not remember and not lent:
            raw = self._raw_tile(index)
            return None if raw is None else self.format.rgb(raw)
        key = (id(self), index)
        tile = self._cache.get(key)
        if tile is None:
            raw = None if lent else self._raw_tile(index)
            if raw is None and not lent:
                return None
            tile = self._make(index) if raw is None else self.format.rgb(raw)
            self._cache.put(key, tile)
        return tile

    def _raw_tile(self, index: int) -> Raw | None:
        """Stored samples of a tile (H, W) or (H, W, samples), or None where the file holds nothing."""
        if self._layers == 1:
            return self._segment(index)
        layers = [self._segment(index + layer * self._columns * self._rows) for layer in range(self._layers)]
        present = [layer for layer in layers if layer is not None]
        if len(present) < len(layers):
            return None
        return np.stack([layer.reshape(layer.shape[:2]) for layer in present], axis=-1)

    def _segment(self, index: int) -> Raw | None:
        offset, count = self._offsets[index], self._counts[index]
        if count == 0 or offset == 0:
            return None
        data = self._raw.read_whole(offset, count)
        return self._decode(data, index)

    def sample(self) -> list[Raw]:
        """See :meth:`PageImage.sample`."""
        found: list[Raw] = []
        for index in self._picks():
            with suppress(Exception):  # a damaged tile is told when it is looked at; the range comes from the others
                part = self._raw_tile(index)
                if part is not None:
                    found.append(self._inside(index, part))
        return found

    def _inside(self, index: int, part: Raw) -> Raw:
        """What of a tile lies inside the image, without the filling at its right and lower edges."""
        row, column = divmod(index, self._columns)
        return part[: self.height - row * self.tile_height, : self.width - column * self.tile_width]

    def _picks(self) -> Iterable[int]:
        """Tiles that stand for the whole page: all of a small one, else the most telling of each part and of all.

        Compressed, tiles with cells are larger than those of even ground and smaller than those of noise; stored ones
        are all alike, and of those the middle one of each part is taken.
        """
        total = self._columns * self._rows
        if total * self.tile_nbytes <= _WHOLE_BYTES:
            return range(total)
        usual = sorted(self._counts)[len(self._counts) // 2]
        stored = min(self._counts) == max(self._counts)
        budget = max(_FEWEST_TILES, _SAMPLED_BYTES * (4 if stored else 1) // self.tile_nbytes)

        def telling(index: int) -> int:
            filled = index % self._columns == self._columns - 1 or index // self._columns == self._rows - 1
            return 0 if filled else abs(self._counts[index] - usual)

        parts = _parts(self._columns, self._rows, budget if stored else budget // 2)
        picks = {max(part, key=telling) for part in parts}
        if not stored:
            picks |= set(sorted(range(total), key=telling)[-(budget // 4) :])
            picks |= set(sorted(range(total), key=lambda index: self._counts[index])[-(budget // 4) :])
        return sorted(picks)


def _parts(columns: int, rows: int, most: int) -> list[list[int]]:
    """A grid of tiles cut into at most so many parts: indices of tiles, the middle ones first."""
    across = max(1, min(columns, round((most * columns / rows) ** 0.5)))
    down = max(1, min(rows, most // across))
    parts = []
    for row in range(down):
        lines = range(row * rows // down, (row + 1) * rows // down)
        for column in range(across):
            cells = [
                y * columns + x
                for y in lines
                for x in range(column * columns // across, (column + 1) * columns // across)
            ]
            middle = len(cells) // 2
            parts.append(cells[middle:] + cells[:middle])
    return parts


def page_format(page: Any) -> PixelFormat:
    """Pixel format of a tifffile page (the value range is still open).

    Raises
    ------
    UnsureError
        For colour models that this reader does not convert.
    """
    photometric = int(page.photometric)
    if photometric not in _READABLE or (photometric == YCBCR and int(page.compression) not in YCBCR_CODECS):
        raise UnsupportedError(f"{describe(page)}, whose colours this program does not convert")
    dtype, bits = np.dtype(page.dtype or np.uint8), sample_bits(page)
    if dtype.kind not in "buif":
        raise UnsupportedError(f"{describe(page)}, whose samples are no plain numbers")
    extra = tuple(int(code) for code in page.extrasamples)
    alpha = {1: "premultiplied", 2: "straight"}.get(extra[0], "") if extra else ""
    if photometric == PALETTE:
        table = np.asarray(page.colormap)
        if table.ndim != 2 or len(table) != 3:
            raise UnsureError("a palette without colours")
        colormap = np.ascontiguousarray((table >> 8 if table.max() > 255 else table).astype(np.uint8).T)
        return PixelFormat(photometric, alpha, colormap)
    # Bits are decoded to truth values by one codec, to 0 and 1 by another.
    stored = np.dtype(np.int8 if dtype.kind == "i" else np.uint8)
    low, high = full_range(stored, bits) if bits <= 8 and dtype.kind != "f" else (None, None)
    return PixelFormat(photometric, alpha, None, low, high)


def set_range(pages: list[PageImage]) -> None:
    """Find the value range of deep samples over several pages and give them all the same."""
    if not any(page.deep for page in pages) or pages[0].format.photometric == PALETTE:
        return
    picked = pages if len(pages) <= 3 else [pages[0], pages[len(pages) // 2], pages[-1]]
    samples = [part for page in picked for part in page.sample()]
    colour = bool(samples) and samples[0].ndim == 3 and samples[0].shape[2] >= 3
    low, high = value_range(samples, colour)
    if low is None:
        return
    for page in pages:
        for part in page.channels if isinstance(page, MergedPage) else (page,):
            part.format = PixelFormat(part.format.photometric, part.format.alpha, None, low, high)
