"""TIFF slides and stacks: tiles read straight from the file and decoded here."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import DamagedError, Level, Region, Slide, SlideInfo, UnsureError
from focusviewer.slides.cache import TileCache
from focusviewer.slides.pixels import PixelFormat, white
from focusviewer.slides.readers.rawfile import FileArray, RawFile, fingerprint
from focusviewer.slides.readers.tiff.layout import Layout, read_layout
from focusviewer.slides.readers.tiff.metadata import plane_positions, tag_properties, usable
from focusviewer.slides.readers.tiff.pages import (
    ArrayPage,
    BlankPage,
    MergedPage,
    PageImage,
    TiledPage,
    page_format,
    set_range,
)

_TILE_CACHE_BYTES = 64 << 20
_ICC_TAG = 34675


class TiffSlide(Slide):
    """A TIFF file: pyramids, focal stacks and plain images; see :func:`open_tiff`."""

    def __init__(self, path: Path) -> None:
        import tifffile

        # Its complaints about odd files would reach the terminal; ours say the same in words.
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)
        self._raw = RawFile(path)
        self._cache = TileCache(_TILE_CACHE_BYTES)
        try:
            if self._raw.size < 1 << 32:  # larger ones of Hamamatsu keep their offsets in a way of their own
                check_complete(self._raw, path.name)
            with tifffile.TiffFile(path) as tif:
                self._build(tif, path)
        except BaseException:
            self._raw.close()
            raise

    def _build(self, tif: Any, path: Path) -> None:
        layout = read_layout(tif)
        stack = [[_image(page, self._raw, self._cache) for page in row] for row in _pages(layout)]
        if layout.contiguous:
            stack = [self._contiguous(layout, path)]
        _check_data(stack, self._raw.size, path.name)
        biggest = max((page.tile_nbytes for row in stack for page in row if isinstance(page, TiledPage)), default=0)
        self._cache.resize(max(_TILE_CACHE_BYTES, 2 * biggest))  # strips can be whole images
        set_range([page for page in stack[-1]])
        for row in stack[:-1]:
            for page, judged in zip(row, stack[-1], strict=True):
                page.format = judged.format if not isinstance(page, BlankPage) else page.format
        positions, known, order = plane_positions(layout.stated.z_um, len(stack[0]))
        self._images = [[row[i] for i in order] for row in stack]
        self._sides = {name: int(page.offset) for name, page in layout.associated.items()}
        self.info = self._describe(layout, path, positions, known)

    def _describe(self, layout: Layout, path: Path, positions: tuple[float, ...], known: bool) -> SlideInfo:
        first, base = layout.first, self._images[0][0]
        stated, mpp = usable(layout.stated, first)
        icc = first.tags.get(_ICC_TAG)
        levels = tuple(
            Level(row[0].width, row[0].height, (base.width / row[0].width + base.height / row[0].height) / 2)
            for row in self._images
        )
        return SlideInfo(
            path=path,
            format=layout.format,
            vendor=layout.vendor,
            levels=levels,
            stated_mpp=stated,
            mpp=mpp,
            objective_power=layout.stated.objective_power,
            planes_um=positions,
            z_step_known=known,
            properties={**tag_properties(first), **layout.stated.properties},
            associated=tuple(sorted(self._sides)),
            icc_profile=bytes(icc.value) if icc is not None and isinstance(icc.value, bytes) else None,
            fingerprint=fingerprint(path),
        )

    def _contiguous(self, layout: Layout, path: Path) -> list[PageImage]:
        spec, page = layout.contiguous, layout.first
        assert spec is not None
        shape, dtype = tuple(page.shape), np.dtype(spec.dtype)
        nbytes = int(np.prod(shape)) * dtype.itemsize
        planes: list[PageImage] = []
        for plane in range(spec.planes):
            offset = spec.offset + plane * spec.plane_stride
            if offset + nbytes > self._raw.size:
                raise truncated(path.name, offset + nbytes, self._raw.size)
            array = FileArray(self._raw, offset, dtype, shape, planar=_is_planar(page, shape))
            planes.append(ArrayPage(array, page_format(page)))
        return planes

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`; corners of coarse levels are rounded to whole pixels."""
        images = self._images
        self._raw.check_open()
        image = images[region.level][region.plane]
        downsample = self.levels[region.level].downsample
        out = white(region.height, region.width)
        try:
            image.read_into(out, int(np.floor(region.x / downsample + 0.5)), int(np.floor(region.y / downsample + 0.5)))
        except SlideError:
            raise
        except Exception as error:  # codecs raise many kinds
            raise SlideError(
                f"Cannot read part of {self.name}",
                f"{error or type(error).__name__}",
                "The file is probably damaged there; other parts stay usable.",
            ) from error
        return out

    def read_associated(self, name: str) -> RGB:
        """See :meth:`Slide.read_associated`."""
        import tifffile

        offset = self._sides[name]
        try:
            with tifffile.TiffFile(self.path) as tif:
                page = next(p for p in (q.aspage() for q in _every_page(tif)) if int(p.offset) == offset)
                pixels = _channels_last(page.asarray(), page)
                jpeg = int(page.compression) in (6, 7)  # tifffile has turned these into RGB
                form = PixelFormat() if jpeg else page_format(page)
                return form.rgb(pixels)
        except Exception as error:
            raise SlideError(f"Cannot read the {name} image of {self.name}", str(error)) from error

    def close(self) -> None:
        """Release the file."""
        self._raw.close()
        self._cache.clear()
        self._images = []


def open_tiff(path: Path) -> Slide:
    """Open a TIFF file.

    Raises
    ------
    UnsureError
        When another reader should try.
    SlideError
        When the file is known to be damaged.
    """
    import tifffile

    try:
        return TiffSlide(path)
    except tifffile.TiffFileError as error:
        raise SlideError(
            f"Cannot open {path.name}", f"not a sound TIFF file ({error})", "Copy it again from its source."
        ) from error


def _every_page(tif: Any) -> list[Any]:
    series = [page for one in tif.series for page in one.pages if page is not None]
    return [*tif.pages, *series]


def _pages(layout: Layout) -> list[list[Any]]:
    return [] if layout.contiguous else layout.levels


def _image(page: Any, raw: RawFile, cache: TileCache) -> PageImage:
    if page is None:
        return BlankPage(1, 1)
    if isinstance(page, list):
        return MergedPage(tuple(_image(one, raw, cache) for one in page))
    if int(page.imagedepth) > 1 or int(page.tiledepth or 1) > 1:
        raise UnsureError("volume tiles")
    if not page.is_tiled and page.is_memmappable and int(page.bitspersample) % 8 == 0:
        start, dtype = int(page.dataoffsets[0]), page.dtype.newbyteorder(page.parent.byteorder)
        end = start + int(np.prod(page.shape)) * dtype.itemsize
        if end > raw.size:
            raise truncated(raw.path.name, end, raw.size)
        shape = tuple(page.shape)
        return ArrayPage(FileArray(raw, start, dtype, shape, planar=_is_planar(page, shape)), page_format(page))
    return TiledPage(page, raw, cache)


def _is_planar(page: Any, shape: tuple[int, ...]) -> bool:
    """Whether the samples of a pixel lie apart: (samples, H, W)."""
    return int(page.planarconfig) == 2 and int(page.samplesperpixel) > 1 and len(shape) == 3


def _channels_last(array: Any, page: Any) -> Any:
    return np.moveaxis(array, 0, -1) if _is_planar(page, array.shape) else array


def _check_data(stack: list[list[PageImage]], size: int, name: str) -> None:
    """Refuse a file whose tiles lie beyond its end; give missing planes their size."""
    for row in stack:
        known = next((page for page in row if not isinstance(page, BlankPage)), None)
        for page in row:
            if isinstance(page, TiledPage) and page.data_end > size:
                raise truncated(name, page.data_end, size)
            if isinstance(page, BlankPage) and known is not None:
                page.width, page.height, page.format = known.width, known.height, known.format


def truncated(name: str, needed: int, size: int) -> DamagedError:
    """The error for a file that ends too early."""
    return DamagedError(
        f"Cannot open {name}",
        f"the file is cut off: it has {size:,} bytes, and its image data needs at least {needed:,}",
        "Copy it again from its source.",
    )


def check_complete(raw: RawFile, name: str) -> None:
    """Follow the chain of pages to its end.

    Raises
    ------
    DamagedError
        If a page of the chain lies beyond the end of the file.
    """
    head = raw.read_at(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    word, count_format, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    at = 8 if big else 4
    width, count_width = struct.calcsize(word), struct.calcsize(count_format)
    seen: set[int] = set()
    while True:
        data = raw.read_at(at, width)
        if len(data) < width:
            raise truncated(name, at + width, raw.size)
        offset = struct.unpack(order + word, data)[0]
        if offset == 0 or offset in seen:
            return
        seen.add(offset)
        data = raw.read_at(offset, count_width)
        if len(data) < count_width:
            raise truncated(name, offset + count_width, raw.size)
        at = offset + count_width + struct.unpack(order + count_format, data)[0] * entry
