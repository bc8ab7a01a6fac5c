"""Which pages of a TIFF file are the levels of the pyramid, the focal planes and the side images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from focusviewer.slides.base import UnsureError
from focusviewer.slides.files.limits import check_xml
from focusviewer.slides.readers.tiff import metadata as tiffmeta
from focusviewer.slides.readers.tiff import ome, ome_pages
from focusviewer.slides.readers.tiff.metadata import Stated
from focusviewer.slides.readers.tiff.ome_pages import SpreadError
from focusviewer.slides.readers.tiff.roles import is_level, page_roles, size_of


@dataclass
class Layout:
    """Pages by role.

    ``levels[level][plane]`` is one page, None (a plane the file does not hold) or a list of three pages that are
    the colour channels. ``contiguous`` is set for a stack that lies in the file as one array (ImageJ). ``remarks`` say
    what was dropped or guessed.
    """

    format: str
    vendor: str | None
    levels: list[list[Any]]
    stated: Stated = field(default_factory=Stated)
    associated: dict[str, Any] = field(default_factory=dict)
    contiguous: Contiguous | None = None
    remarks: list[str] = field(default_factory=list)
    missing_where: str = "its description announces them, the file does not hold them"

    @property
    def first(self) -> Any:
        """The first page of level 0."""
        page = next(page for page in self.levels[0] if page is not None)
        return page[0] if isinstance(page, list) else page


@dataclass
class Contiguous:
    """A stack stored as one uncompressed array of the given shape, axes (planes, H, W[, samples])."""

    offset: int
    dtype: str
    planes: int
    plane_stride: int


def read_layout(tif: Any) -> Layout:
    """Sort the pages of an open ``tifffile.TiffFile``.

    Raises
    ------
    UnsureError
        For dialects that another reader knows better.
    SpreadError
        For an OME-TIFF whose planes lie in several files.
    LimitError
        If the description would grow when it is read.
    """
    layout = _dialect(tif)
    layout.levels[1:] = sorted(layout.levels[1:], key=_width, reverse=True)
    return layout


def _width(row: list[Any]) -> int:
    page = next((page for page in row if page is not None), None)
    page = page[0] if isinstance(page, list) else page
    return 0 if page is None else int(page.imagewidth)


def _dialect(tif: Any) -> Layout:
    first = tif.pages[0]
    check_xml(tif.filename, first.description)
    software = str(first.software or "")
    if tif.is_ndpi:
        return _ndpi(tif)
    if tif.is_scn or tif.is_bif or tif.is_philips or "MedScan" in software or tif.is_mdgel or tif.is_lsm:
        raise UnsureError("a dialect that OpenSlide knows better")
    if tif.is_ome:
        return _ome(tif)
    if tif.is_imagej:
        return _imagej(tif)
    return _pages(tif)


def _pages(tif: Any) -> Layout:
    """Aperio, and TIFF without a dialect."""
    pages = [page.aspage() for page in tif.pages]
    described = next((page for page in pages if page.is_svs), None)
    aperio = described is not None
    roles = page_roles(pages, aperio=aperio, channels=bool(tif.is_qpi), z_um=tiffmeta.aperio_z_um)
    main, planes = roles.main, roles.levels[0]
    layout = Layout("Tiled TIFF" if main.is_tiled else "TIFF", None, roles.levels, associated=roles.sides)
    layout.remarks = roles.remarks
    if described is not None:
        layout.format, layout.vendor = "Aperio SVS", "aperio"
        layout.stated = tiffmeta.aperio(main.description if main.is_svs else described.description)
        layout.stated.z_um = tiffmeta.distinct([tiffmeta.aperio_z_um(page) for page in planes])
    elif len(planes) > 1:
        layout.format = "Multi-page TIFF"
    if len(roles.levels) == 1 and main.subifds:
        layout.levels += _sub_levels(planes)
    return layout


def _sub_levels(planes: list[Any]) -> list[list[Any]]:
    """Smaller versions of the planes kept in their SubIFDs: those that every plane has."""
    found: list[dict[tuple[int, int], Any]] = []
    for plane in planes:
        subs = [sub.aspage() for sub in plane.pages or ()]
        found.append({size_of(sub): sub for sub in subs if is_level(sub, plane, flagged=True)})
    shared = [size for size in found[0] if all(size in other for other in found)]
    return [[of_plane[size] for of_plane in found] for size in sorted(shared, reverse=True)]


def _from_series(series: Any) -> tuple[list[list[Any]], Contiguous | None]:
    """Levels and planes of a tifffile series; channels other than colour and times other than the first are left."""
    keyframe = series.keyframe
    inner = len(keyframe.axes)
    axes, shape = series.axes[:-inner], series.shape[:-inner]
    if series.axes[-inner:] != keyframe.axes or "Z" in keyframe.axes or "C" in keyframe.axes:
        raise UnsureError(f"axes {series.axes}")
    z_axis = next((axis for axis in "ZIQT" if axis in axes), None)
    planes = shape[axes.index(z_axis)] if z_axis else 1
    colours = 1
    if "C" in axes and shape[axes.index("C")] == 3 and keyframe.samplesperpixel == 1 and keyframe.dtype == "uint8":
        colours = 3
    if any(
        page is not None and page.parent.filehandle.path != keyframe.parent.filehandle.path for page in series.pages
    ):
        raise UnsureError("planes spread over several files")
    total = math.prod(shape)

    def index(plane: int, channel: int) -> int:
        flat = 0
        for axis, size in zip(axes, shape, strict=True):
            flat = flat * size + (plane if axis == z_axis else channel if axis == "C" else 0)
        return flat

    if len(series.pages) != total:
        if series.dataoffset is None or colours > 1:
            raise UnsureError("pages that are not laid out as the description says")
        nbytes = math.prod(keyframe.shape) * keyframe.dtype.itemsize
        stride = (index(1, 0) if planes > 1 else 1) * nbytes
        dtype = tuple_dtype(series)
        return [[keyframe] * planes], Contiguous(int(series.dataoffset), dtype, planes, stride)
    levels: list[list[Any]] = []
    for level in series.levels:
        row: list[Any] = []
        for plane in range(planes):
            group = [_page(level.pages[index(plane, channel)]) for channel in range(colours)]
            row.append(None if None in group else group[0] if colours == 1 else group)
        levels.append(row)
    return levels, None


def tuple_dtype(series: Any) -> str:
    """Numpy dtype of the stored bytes, with their byte order."""
    order = series.keyframe.parent.byteorder
    return str(series.dtype.newbyteorder(order).str)


def _page(page: Any) -> Any:
    return None if page is None else page.aspage()


def _ome(tif: Any) -> Layout:
    document = ome.read_document(tif.ome_metadata or "", str(tif.filename))
    if document is None:
        return _without(tif, "its OME-XML cannot be read")
    source = ome_pages.OwnFile(tif, document)
    own = [image for image in document.candidates() if any(source.holds(block) for block in image.blocks)]
    spread = own[:1] or [image for image in document.images if image.blocks]
    if document.metadata_file or any(not source.holds(block) for image in spread for block in image.blocks):
        raise SpreadError
    pages = ome_pages.find_pages(document, own, source)
    if pages is None:
        return _without(tif, "its OME-XML names no page of the file that holds pixels")
    layout = Layout("OME-TIFF", None, pages.levels, ome_pages.stated_by(document, pages), remarks=pages.remarks)
    for image in document.images:
        if image is not pages.image and image.side and image.blocks and image.side not in layout.associated:
            picture = ome_pages.find_pages(document, [image], source)
            if picture is not None and not isinstance(picture.levels[0][picture.held[0]], list):
                layout.associated[image.side] = picture.levels[0][picture.held[0]]
    return layout


def _without(tif: Any, why: str) -> Layout:
    """A file whose description is of no use: its pages tell planes and levels."""
    layout = _pages(tif)
    layout.remarks.append(f"{why}: planes and levels are taken from its pages, and the scale is not known from it")
    return layout


def _imagej(tif: Any) -> Layout:
    series = tif.series[0]
    levels, contiguous = _from_series(series)
    stated = tiffmeta.imagej(tif.imagej_metadata or {}, tif.pages[0])
    if "Z" not in series.axes and "I" not in series.axes:
        stated.z_um = None
    return Layout("ImageJ TIFF", None, levels, stated, contiguous=contiguous)


def _ndpi(tif: Any) -> Layout:
    """Hamamatsu files with several focal planes; those with one are left to OpenSlide."""
    pages = [page.aspage() for page in tif.pages]

    def tag(page: Any, code: int) -> float | None:
        found = page.tags.get(code)
        return None if found is None else float(found.value)

    stacks = tiffmeta.ndpi_planes([tag(page, 65424) for page in pages], [tag(page, 65421) for page in pages])
    if not stacks or len(next(iter(stacks.values()))) < 2:
        raise UnsureError("a Hamamatsu slide with one plane")
    planes = len(next(iter(stacks.values())))
    levels: list[list[Any]] = [[pages[i] for i in row] for row in stacks.values() if len(row) == planes]
    stated = Stated(objective_power=next(iter(stacks)), z_um=[(tag(page, 65424) or 0) / 1000 for page in levels[0]])
    return Layout("Hamamatsu NDPI", "hamamatsu", levels, stated)
