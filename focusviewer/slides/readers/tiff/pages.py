"""One image of a TIFF file, read piecewise: tiles, strips, or an array that lies in the file as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, Mask
from focusviewer.slides.base import UnsureError
from focusviewer.slides.cache import TileCache
from focusviewer.slides.pixels import (
    CMYK,
    MIN_IS_WHITE,
    PALETTE,
    PHOTO_RGB,
    YCBCR,
    PixelFormat,
    Raw,
    value_range,
    white,
)
from focusviewer.slides.readers.rawfile import FileArray, RawFile

JPEG, JPEG2000_YCBCR, JPEG2000_RGB, JPEG2000 = 7, 33003, 33005, 34712
_JPEG2000_KINDS = (JPEG2000_YCBCR, JPEG2000_RGB, JPEG2000)
_READABLE = (MIN_IS_WHITE, 1, PHOTO_RGB, PALETTE, CMYK, YCBCR)


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
        self.compression = int(page.compression)
        self.deep = page.dtype is not None and page.dtype.itemsize > 1
        self.format = page_format(page)
        self.is_empty = not (any(self._counts) and any(self._offsets))
        self._decode = self._decoder(page)

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

    def _decoder(self, page: Any) -> Callable[[bytes, int], Raw | None]:
        samples, bits = int(page.samplesperpixel), int(page.bitspersample)
        plain = bits == 8 and samples in (1, 3) and self._layers == 1
        if plain and page.is_tiled and self.compression == JPEG and not page.jpegheader:
            return _jpeg_decoder(page, samples)
        if plain and page.is_tiled and self.compression in _JPEG2000_KINDS:
            return self._jpeg2000_decoder(samples)
        if plain and page.is_tiled and self.compression == 1 and int(page.predictor) == 1:
            shape = (self.tile_height, self.tile_width, samples)
            return lambda data, _index: np.frombuffer(data, np.uint8, int(np.prod(shape))).reshape(shape)
        decode, tables, header = page.decode, page.jpegtables, page.jpegheader
        special: dict[str, Any] = {"jpegtables": tables, "jpegheader": header} if tables or header else {}

        def generic(data: bytes, index: int) -> Raw | None:
            segment = decode(data, index, **special)[0]
            if segment is None:
                return None
            image: Raw = segment[0]
            return image[..., 0] if image.shape[-1] == 1 else image

        return generic

    def _jpeg2000_decoder(self, samples: int) -> Callable[[bytes, int], Raw | None]:
        from imagecodecs import jpeg2k_decode

        for offset, count in zip(self._offsets, self._counts, strict=True):
            if count:
                _check_codestream(self._raw.read_at(offset, 128), samples)
                break
        if self.compression == JPEG2000_YCBCR and samples == 3:
            return lambda data, _index: ycbcr_to_rgb(jpeg2k_decode(data, numthreads=1))
        return lambda data, _index: jpeg2k_decode(data, numthreads=1)

    def sample(self) -> list[Raw]:
        """See :meth:`PageImage.sample`."""
        middle = self._columns * (self._rows // 2) + self._columns // 2
        total = self._columns * self._rows
        picks = range(total) if total * self.tile_nbytes <= 48 << 20 else sorted({middle, total // 4, 3 * total // 4})
        parts = [self._raw_tile(index) for index in picks]
        return [part for part in parts if part is not None]


def page_format(page: Any) -> PixelFormat:
    """Pixel format of a tifffile page (the value range is still open).

    Raises
    ------
    UnsureError
        For colour models that this reader does not convert.
    """
    photometric = int(page.photometric)
    if photometric not in _READABLE:
        raise UnsureError(f"photometric interpretation {photometric}")
    if photometric == YCBCR and int(page.compression) not in (6, JPEG, *_JPEG2000_KINDS):
        raise UnsureError("YCbCr samples without JPEG")
    extra = tuple(int(code) for code in page.extrasamples)
    alpha = {1: "premultiplied", 2: "straight"}.get(extra[0], "") if extra else ""
    colormap = None
    if photometric == PALETTE:
        table = np.asarray(page.colormap)
        colormap = np.ascontiguousarray((table >> 8 if table.max() > 255 else table).astype(np.uint8).T)
    return PixelFormat(photometric, alpha, colormap)


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


def _jpeg_decoder(page: Any, samples: int) -> Callable[[bytes, int], Raw | None]:
    from imagecodecs import jpeg8_decode

    tables = page.jpegtables
    if samples == 1:
        return lambda data, _index: jpeg8_decode(data, tables=tables)
    declared = "YCBCR" if int(page.photometric) == YCBCR else "RGB"

    def decode(data: bytes, _index: int) -> Raw:
        # Aperio stores RGB without a marker, and the page is right; a stream that names its own colour space
        # (JFIF, Adobe) is right against the page, which some writers fill in wrongly.
        space = None if declared == "RGB" and data[2:4] in (b"\xff\xe0", b"\xff\xee") else declared
        image: Raw = jpeg8_decode(data, tables=tables, colorspace=space, outcolorspace="RGB")
        return image

    return decode


def _check_codestream(data: bytes, samples: int) -> None:
    """Look at the SIZ marker of a JPEG 2000 codestream; subsampled colour is left to other readers."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise UnsureError("not a plain JPEG 2000 codestream")
    count = int.from_bytes(data[start + 40 : start + 42], "big")
    components = data[start + 42 : start + 42 + 3 * count]
    if count != samples or any(components[3 * i : 3 * i + 3] != b"\x07\x01\x01" for i in range(count)):
        raise UnsureError("JPEG 2000 components of unequal size or depth")


def ycbcr_to_rgb(ycc: npt.NDArray[np.uint8]) -> RGB:
    """Full-range YCbCr (ITU-T T.871) to RGB, uint8 (H, W, 3)."""
    y, cb, cr = (ycc[..., i].astype(np.float32) for i in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)
