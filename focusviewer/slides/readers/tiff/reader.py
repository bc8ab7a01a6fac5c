"""TIFF slides and stacks: tiles read straight from the file and decoded here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Level, Region, Slide, SlideInfo, UnsureError
from focusviewer.slides.cache import TileCache
from focusviewer.slides.pixels import white
from focusviewer.slides.readers.filepool import FilePool
from focusviewer.slides.readers.orientation import TAG as ORIENTATION
from focusviewer.slides.readers.orientation import UPRIGHT, orientation, shown_upright, upright
from focusviewer.slides.readers.rawfile import FileArray, RawFile, fingerprint
from focusviewer.slides.readers.tiff.absent import absent_remark, lend_finer_tiles, tile_count
from focusviewer.slides.readers.tiff.chain import check_chain, truncated
from focusviewer.slides.readers.tiff.decoding import sample_bits
from focusviewer.slides.readers.tiff.layout import Layout, read_layout
from focusviewer.slides.readers.tiff.metadata import stated_sizes, tag_properties
from focusviewer.slides.readers.tiff.ome_pages import missing_remark
from focusviewer.slides.readers.tiff.pages import (
    ArrayPage,
    BlankPage,
    MergedPage,
    PageImage,
    TiledPage,
    page_format,
    set_range,
)
from focusviewer.slides.readers.tiff.planes import held_planes

TILE_CACHE_BYTES, _LARGE_TILE_CACHE_BYTES = 64 << 20, 512 << 20
_ICC_TAG = 34675


class TiffSlide(Slide):
    """A TIFF file: pyramids, focal stacks and plain images, as they are stored; see :func:`open_tiff`.

    Attributes
    ----------
    turns : tuple of int
        Orientation of each plane.
    """

    turns: tuple[int, ...] = (UPRIGHT,)

    def __init__(self, path: Path) -> None:
        import tifffile

        # Its complaints about odd files would reach the terminal; ours say the same in words.
        logging.getLogger("tifffile").setLevel(logging.CRITICAL)
        self._raw: RawFile | FilePool
        self._raw = raw = RawFile(path)
        self._cache = TileCache(TILE_CACHE_BYTES)
        try:
            check_chain(raw, path.name)
            with tifffile.TiffFile(path) as tif:
                self._build(tif, path, raw)
        except BaseException:
            raw.close()
            raise

    def _build(self, tif: Any, path: Path, raw: RawFile) -> None:
        layout = read_layout(tif)
        try:
            self._lay_out(layout, path, raw)
        except UnsureError as error:
            error.planes = max(error.planes, sum(page is not None for page in layout.levels[0]))
            raise

    def _lay_out(self, layout: Layout, path: Path, raw: RawFile) -> None:
        stack = [[page_image(page, raw, self._cache) for page in row] for row in _pages(layout)]
        if layout.contiguous:
            stack = [_contiguous(layout, path, raw)]
        self._assemble(layout, stack, path, [path])

    def _assemble(self, layout: Layout, stack: list[list[PageImage]], path: Path, files: list[Path]) -> None:
        """Take over the images of all announced planes, ``stack[level][plane]``; those not held are left out."""
        held = [not page.is_empty for page in stack[0]]
        plan = held_planes(layout.stated.z_um, held if any(held) else [True] * len(held))
        if len(plan.order) < len(held):
            layout.remarks.append(missing_remark(len(held), len(plan.order), layout.missing_where))
        stack = [[row[i] for i in plan.order] for row in stack]
        # A level that one of the planes lacks is made from the finer ones, for all of them.
        stack = [row for row in stack if row is stack[0] or not any(isinstance(page, BlankPage) for page in row)]
        _check_data(stack)
        biggest = max((page.tile_nbytes for row in stack for page in row if isinstance(page, TiledPage)), default=0)
        # Strips can be whole images; one of them has to fit.
        self._cache.resize(max(TILE_CACHE_BYTES, biggest, min(2 * biggest, _LARGE_TILE_CACHE_BYTES)))
        set_range(stack[-1])
        for row in stack[:-1]:
            for page, judged in zip(row, stack[-1], strict=True):
                page.format = judged.format
        layout.remarks += _lend_tiles(stack)
        self._images = stack
        self.turns = _turns(layout, plan.order)
        self._sides = {name: int(page.offset) for name, page in layout.associated.items()}
        self.info = replace(
            self._describe(layout, path, files),
            planes_um=plan.positions,
            z_step_known=plan.known,
            missing_planes=len(held) - len(plan.order),
            missing_um=plan.missing,
            remarks=tuple(layout.remarks),
        )

    def _describe(self, layout: Layout, path: Path, files: list[Path]) -> SlideInfo:
        first, base = layout.first, self._images[0][0]
        sizes = stated_sizes(layout.stated, first)
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
            stated_mpp=sizes.stated,
            mpp=sizes.usable,
            stated_mpp_xy=sizes.sides,
            objective_power=layout.stated.objective_power,
            properties={**tag_properties(first), **layout.stated.properties},
            associated=tuple(sorted(self._sides)),
            icc_profile=bytes(icc.value) if icc is not None and isinstance(icc.value, bytes) else None,
            fingerprint=fingerprint(files),
        )

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
                raw = RawFile(self.path)
                try:
                    image = page_image(page, raw, self._cache)
                    out = white(image.height, image.width)
                    image.read_into(out, 0, 0)
                finally:
                    raw.close()
                return np.ascontiguousarray(upright(out, orientation(page.tags.valueof(ORIENTATION, UPRIGHT))))
        except SlideError:
            raise
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
        slide = TiffSlide(path)
        return shown_upright(slide, slide.turns)
    except tifffile.TiffFileError as error:
        raise SlideError(
            f"Cannot open {path.name}", f"not a sound TIFF file ({error})", "Copy it again from its source."
        ) from error


def _every_page(tif: Any) -> Iterator[Any]:
    yield from tif.pages
    for one in tif.series:
        yield from (page for page in one.pages if page is not None)


def _lend_tiles(stack: list[list[PageImage]]) -> list[str]:
    """Have tiles that levels lack made from finer ones, and say so, in one sentence for all planes."""
    lent = np.sum([lend_finer_tiles(levels) for levels in zip(*stack, strict=True)], axis=0)
    if not lent.any():
        return []
    totals = [sum(map(tile_count, row)) for row in stack]
    remark = absent_remark(lent.tolist(), totals)
    return [] if remark is None else [remark]


def _turns(layout: Layout, order: list[int]) -> tuple[int, ...]:
    """Orientation of each plane: that of its level 0, and where it has none, the first page's."""
    usual = orientation(layout.first.tags.valueof(ORIENTATION, UPRIGHT))
    found: list[int] = []
    for page in layout.levels[0]:
        first = page[0] if isinstance(page, list) else page
        found.append(usual if first is None else orientation(first.tags.valueof(ORIENTATION, usual)))
    return tuple(found[index] for index in order)


def _pages(layout: Layout) -> list[list[Any]]:
    return [] if layout.contiguous else layout.levels


def _contiguous(layout: Layout, path: Path, raw: RawFile) -> list[PageImage]:
    spec, page = layout.contiguous, layout.first
    assert spec is not None
    shape, dtype = tuple(page.shape), np.dtype(spec.dtype)
    nbytes = int(np.prod(shape)) * dtype.itemsize
    planes: list[PageImage] = []
    for plane in range(spec.planes):
        offset = spec.offset + plane * spec.plane_stride
        if offset + nbytes > raw.size:
            raise truncated(path.name, offset + nbytes, raw.size)
        array = FileArray(raw, offset, dtype, shape, planar=_is_planar(page, shape))
        planes.append(ArrayPage(array, page_format(page)))
    return planes


def page_image(page: Any, raw: RawFile, cache: TileCache) -> PageImage:
    """What reads a page (or three that are colour channels); None is a plane that is not there."""
    if page is None:
        return BlankPage(1, 1)
    if isinstance(page, list):
        return MergedPage(tuple(page_image(one, raw, cache) for one in page))
    if int(page.imagedepth) > 1 or int(page.tiledepth or 1) > 1:
        raise UnsureError("volume tiles")
    if not page.is_tiled and page.is_memmappable and sample_bits(page) % 8 == 0:
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


def _check_data(stack: list[list[PageImage]]) -> None:
    """Refuse a file whose tiles lie beyond its end."""
    for page in (page for row in stack for page in row):
        if isinstance(page, TiledPage) and page.data_end > page.raw.size:
            raise truncated(page.raw.path.name, page.data_end, page.raw.size)
