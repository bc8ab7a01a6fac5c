"""The pages of an OME document: the image that is the slide, its planes and levels, and what is missing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from focusviewer.slides.readers.tiff import metadata as tiffmeta
from focusviewer.slides.readers.tiff.metadata import Stated
from focusviewer.slides.readers.tiff.ome import Block, OmeDocument, OmeImage, Place


class SpreadError(Exception):
    """The planes of a document lie in several files."""


class PageSource(Protocol):
    """Where pages come from: one file, or several."""

    def holds(self, block: Block) -> bool:
        """Whether the file a block speaks of is here."""

    def count(self, block: Block) -> int:
        """Pages from a block's first one to the end of its file."""

    def page(self, place: Place) -> Any | None:
        """A ``tifffile.TiffPage``, or None where there is none."""


class OwnFile:
    """The pages of one open ``tifffile.TiffFile``, which holds the document."""

    def __init__(self, tif: Any, document: OmeDocument) -> None:
        self._tif, self._document = tif, document

    def holds(self, block: Block) -> bool:
        """See :class:`PageSource`."""
        return self._document.is_own(block, str(self._tif.filename))

    def count(self, block: Block) -> int:
        """See :class:`PageSource`."""
        return max(0, len(self._tif.pages) - block.ifd)

    def page(self, place: Place) -> Any | None:
        """See :class:`PageSource`."""
        if not self.holds(place.block) or place.ifd >= len(self._tif.pages):
            return None
        return self._tif.pages[place.ifd].aspage()


@dataclass
class OmePages:
    """The pages of one image.

    Attributes
    ----------
    levels : list
        ``[level][plane]``: a page, three pages that are red, green and blue, or None for a plane that is not there.
    fits : bool
        Whether the pages are as large as the document says.
    """

    image: OmeImage
    levels: list[list[Any]]
    fits: bool
    remarks: list[str] = field(default_factory=list)

    @property
    def held(self) -> list[int]:
        """The planes that are there."""
        return [index for index, page in enumerate(self.levels[0]) if page is not None]


def find_pages(document: OmeDocument, images: Sequence[OmeImage], source: PageSource) -> OmePages | None:
    """The likeliest of some images that has pages, best ones of the size it states; None when none has."""
    found = None
    for image in images:
        pages = _pages_of(image, source)
        if pages is not None and (found is None or pages.fits):
            found = pages
            if pages.fits:
                break
    if found is not None:
        found.remarks = _remarks(document, found)
    return found


def _pages_of(image: OmeImage, source: PageSource) -> OmePages | None:
    groups = [[_page(place, source) for place in group] for group in image.places(source.count)]
    first = _reference(image, groups)
    if first is None:
        return None
    samples = int(first.samplesperpixel)
    if samples > 1 and image.size["C"] == samples:  # colour pages, of which the document does not say so
        groups = [[_page(place, source) for place in group] for group in image.places(source.count, 1)]
    merged = len(groups[0]) == 3 and samples == 1 and first.dtype == "uint8"
    rows: list[list[Any]] = []  # [plane][level]
    for group in groups:
        used = group if merged else group[:1]
        whole = all(page is not None and _same(page, first) for page in used)
        if whole and image.planes > 1:
            whole = all(has_data(page) for page in used)
        rows.append(list(zip(*(_levels(page) for page in used), strict=False)) if whole else [])
    count = min((len(row) for row in rows if row), default=0)
    if count == 0:
        return None
    levels = [
        [None if not row else list(row[level]) if merged else row[level][0] for row in rows] for level in range(count)
    ]
    return OmePages(image, levels, _size(first) == (image.size["X"], image.size["Y"]))


def _page(place: Place | None, source: PageSource) -> Any | None:
    return None if place is None else source.page(place)


def _reference(image: OmeImage, groups: list[list[Any | None]]) -> Any | None:
    """The page that all planes have to equal in size and kind: the first as large as the document says, else any."""
    pages = [page for group in groups for page in group if page is not None]
    said = image.size["X"], image.size["Y"]
    return next((page for page in pages if _size(page) == said), pages[0] if pages else None)


def _size(page: Any) -> tuple[int, int]:
    return int(page.imagewidth), int(page.imagelength)


def _same(page: Any, first: Any) -> bool:
    kind = page.samplesperpixel == first.samplesperpixel and page.dtype == first.dtype
    return bool(kind and _size(page) == _size(first))


def has_data(page: Any) -> bool:
    """Whether a page holds any pixels: writers that were stopped leave pages without."""
    return any(page.databytecounts) and any(page.dataoffsets)


def _levels(page: Any) -> list[Any]:
    """A page and its smaller versions in its SubIFDs."""
    found = [page]
    for sub in page.pages or ():
        candidate = sub.aspage()
        (width, height), (last_width, last_height) = _size(candidate), _size(found[-1])
        kind = candidate.samplesperpixel == page.samplesperpixel and candidate.dtype == page.dtype
        if kind and width < last_width and height <= last_height:
            found.append(candidate)
    return found


def stated_by(document: OmeDocument, pages: OmePages) -> Stated:
    """What the document says of the image: scale, positions of the planes, objective."""
    held = pages.held if len(pages.held) < pages.image.planes else None
    stated = tiffmeta.ome(document.xml, pages.image.index, pages.image.planes, held)
    if not pages.image.is_z or pages.image.planes == 1:
        stated.z_um = None
    return stated


def _remarks(document: OmeDocument, pages: OmePages) -> list[str]:
    """What of the document is not shown."""
    image, remarks = pages.image, []
    others = [other for other in document.images if other is not image and other.blocks and other.side is None]
    if others:
        names = ", ".join(other.name or f"image {other.index}" for other in others[:5])
        more = "" if len(others) <= 5 else f" and {len(others) - 5} more"
        remarks.append(f"shown is {image.name or f'image {image.index}'}; other images of the file: {names}{more}")
    first = next(page for page in pages.levels[0] if page is not None)
    if image.size["C"] > 1 and not isinstance(first, list) and int(first.samplesperpixel) == 1:
        remarks.append(f"shown is the first of {image.size['C']} channels")
    if image.is_z and image.size["T"] > 1:
        remarks.append(f"shown is the first of {image.size['T']} times")
    if not image.is_z and image.size["T"] > 1:
        remarks.append("its planes are times, not focal planes, by its description")
    if image.angles > 1:
        remarks.append(f"shown is the first of {image.angles} series along Z")
    if not pages.fits:
        remarks.append("its pages differ in size from what its description says")
    return remarks


def missing_remark(announced: int, held: int, where: str) -> str:
    """The note on planes that were never written; ``where`` says why they are known to be missing."""
    count = announced - held
    return f"{count} of {announced} planes {'is' if count == 1 else 'are'} missing: {where}"
