"""OME-XML: which images a document describes, and in which page of which file each of their planes lies.

After the OME-TIFF specification (docs.openmicroscopy.org/ome-model): ``TiffData`` elements give the pages of planes,
counted along ``DimensionOrder``; a ``UUID`` inside says in which file, and ``BinaryOnly`` which file has the document.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from focusviewer.core.errors import SlideError
from focusviewer.slides.base import DamagedError
from focusviewer.slides.files.limits import MAX_DESCRIPTION_BYTES, MAX_PLANES, LimitError, check_limit

_SIDE = re.compile(r"(slide\s+)?(label|macro|thumbnail|overview)(\s+image)?\W*\d*", re.IGNORECASE)
_SIDE_WORD = re.compile(r"(?<![a-z])(label|macro|thumbnail)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """A ``TiffData`` element: pages of one file that hold consecutive planes.

    ``count`` is None for all pages of the file from ``ifd`` on.
    """

    c: int
    z: int
    t: int
    ifd: int
    count: int | None
    uuid: str | None = None
    file_name: str | None = None


@dataclass(frozen=True)
class Place:
    """Where one plane lies."""

    block: Block
    ifd: int


@dataclass(frozen=True)
class OmeImage:
    """An ``Image`` element.

    Attributes
    ----------
    index : int
        Which one of the document.
    size : dict
        Counts along X, Y, Z, C and T; of channels those that have pages of their own.
    order : str
        Z, C and T, the fastest first.
    planes : int
        Focal planes; times, when there is one focal plane and several times.
    angles : int
        What else (angles, lifetimes) is counted along Z within each plane.
    in_xml : bool
        Whether the pixels lie inside the document.
    """

    index: int
    name: str
    size: Mapping[str, int]
    order: str
    planes: int
    angles: int
    blocks: tuple[Block, ...]
    in_xml: bool

    @property
    def is_z(self) -> bool:
        """Whether ``planes`` are focal planes, not times."""
        return self.size["Z"] > 1 or self.size["T"] == 1

    @property
    def is_side(self) -> bool:
        """Whether it is named as a label, macro or thumbnail and nothing else."""
        return _SIDE.fullmatch(self.name.strip()) is not None

    @property
    def side(self) -> str | None:
        """``label``, ``macro`` or ``thumbnail`` when its name holds that word."""
        found = _SIDE_WORD.search(self.name)
        return found[1].lower() if found else None

    def places(self, count_of: Callable[[Block], int], channels: int | None = None) -> list[list[Place | None]]:
        """Where planes lie: ``[plane][channel]``, of the first time; None where no page is named.

        Parameters
        ----------
        count_of : callable
            Number of pages from a block's first one to the end of its file; asked only where it says no count.
        channels : int, optional
            Channels with pages of their own, where the pages are found to differ from the document.
        """
        size = {**self.size, "C": channels or self.size["C"]}
        stride, step = {}, 1
        for axis in self.order:
            stride[axis], step = step, step * size[axis]
        along = stride["Z"] * self.angles if self.is_z else stride["T"]
        shown = 3 if size["C"] == 3 else 1
        wanted = sorted(
            (plane * along + channel * stride["C"], plane, channel)
            for plane in range(self.planes)
            for channel in range(shown)
        )
        numbers = [number for number, _, _ in wanted]
        found: list[list[Place | None]] = [[None] * shown for _ in range(self.planes)]
        for block in self.blocks:
            first = min(block.c, size["C"] - 1) * stride["C"] + block.z * stride["Z"] + block.t * stride["T"]
            count = block.count if block.count is not None else count_of(block)
            start, end = bisect.bisect_left(numbers, first), bisect.bisect_left(numbers, first + count)
            for number, plane, channel in wanted[start:end]:
                found[plane][channel] = Place(block, block.ifd + number - first)
        return found


@dataclass(frozen=True)
class OmeDocument:
    """An OME-XML document.

    ``metadata_file`` is set when the document only says which file describes the pixels (``BinaryOnly``).
    """

    xml: str
    uuid: str | None
    images: tuple[OmeImage, ...]
    metadata_file: str | None = None

    def candidates(self) -> list[OmeImage]:
        """Images that may be the slide, the likeliest first: no label or macro, the largest, in their order."""
        return sorted(self.images, key=lambda image: (image.is_side, -image.size["X"] * image.size["Y"]))

    def is_own(self, block: Block, file_name: str) -> bool:
        """Whether a block speaks of the file of this name, which holds the document."""
        if block.uuid is None or block.uuid == self.uuid:
            return True
        if self.uuid is not None:
            return False
        if (block.file_name or "").casefold() == file_name.casefold():
            return True
        uuids = {other.uuid for image in self.images for other in image.blocks}
        return len(uuids) == 1  # the one file there is, under another name


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses documents that define entities, which could grow without bound or name other files."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _EntitiesError


class _EntitiesError(Exception):
    pass


def read_document(xml: str | bytes, name: str) -> OmeDocument | None:
    """Parse OME-XML; None when it is no XML, or not OME's.

    Parameters
    ----------
    xml : str or bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    LimitError
        If the document is too large, defines entities, or announces more planes than any slide has.
    """
    root = _root(xml, name)
    if root is None or _tag(root) != "OME":
        return None
    text = xml if isinstance(xml, str) else ElementTree.tostring(root, encoding="unicode")
    only = next((child for child in root if _tag(child) == "BinaryOnly"), None)
    if only is not None and only.get("MetadataFile"):
        return OmeDocument(text, only.get("UUID") or root.get("UUID"), (), only.get("MetadataFile"))
    modulo = _modulo(root)
    try:
        images = [_image(one, i, modulo, name) for i, one in enumerate(c for c in root.iter() if _tag(c) == "Image")]
    except (KeyError, ValueError, OverflowError):  # sizes that are no numbers
        return None
    return OmeDocument(text, root.get("UUID"), tuple(one for one in images if one is not None))


def _root(xml: str | bytes, name: str) -> ElementTree.Element | None:
    check_limit(name, "its OME-XML has {} bytes", len(xml), MAX_DESCRIPTION_BYTES)
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(xml)
        root: ElementTree.Element = parser.close()
    except _EntitiesError as error:
        raise LimitError(name, "its OME-XML defines XML entities", "none", "Copy it again from its source.") from error
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return root


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _image(element: ElementTree.Element, index: int, modulo: dict[str, int], name: str) -> OmeImage | None:
    pixels = next((child for child in element if _tag(child) == "Pixels"), None)
    if pixels is None:
        return None
    size = {axis: max(1, int(pixels.get(f"Size{axis}", 1))) for axis in "XYZCT"}
    samples = [int(child.get("SamplesPerPixel", 1)) for child in pixels if _tag(child) == "Channel"]
    size["C"] = _channel_pages(size["C"], samples)
    order = pixels.get("DimensionOrder", "XYCZT")[2:].upper()
    if sorted(order) != sorted("CZT"):
        return None
    along_z = size["Z"] > 1 or size["T"] == 1
    angles = next((modulo[ref] for ref in _references(element) if ref in modulo), 1) if along_z else 1
    angles = angles if size["Z"] % angles == 0 else 1
    planes = size["Z"] // angles if along_z else size["T"]
    if planes > MAX_PLANES:
        advice = "Is SizeZ or SizeT in its description right?"
        raise LimitError(name, f"its OME-XML announces {planes:,} planes", f"{MAX_PLANES:,}", advice)
    blocks = tuple(_blocks(pixels, size))
    in_xml = any(_tag(child) == "BinData" for child in pixels)
    if not blocks and not in_xml and index == 0 and all(_tag(child) != "MetadataOnly" for child in pixels):
        blocks = (Block(0, 0, 0, 0, None),)  # a document that does not say: all pages, in order
    return OmeImage(index, element.get("Name") or "", size, order, planes, angles, blocks, in_xml)


def _channel_pages(size_c: int, samples: Sequence[int]) -> int:
    """Channels that have pages of their own: those of colour pictures share one."""
    if samples and sum(samples) == size_c:
        return len(samples)
    return max(1, size_c // (samples[0] if samples and samples[0] > 0 else 1))


def _blocks(pixels: ElementTree.Element, size: Mapping[str, int]) -> list[Block]:
    found = []
    for element in pixels:
        if _tag(element) != "TiffData":
            continue
        c, z, t = (int(element.get(f"First{axis}", 0)) for axis in "CZT")
        ifd = int(element.get("IFD", 0))
        if min(c, z, t, ifd) < 0 or z >= size["Z"] or t >= size["T"]:
            continue  # writers that crop leave these behind
        said = element.get("PlaneCount", element.get("NumPlanes"))
        count = max(0, int(said)) if said is not None else 1 if "IFD" in element.attrib else None
        uuid = next((child for child in element if _tag(child) == "UUID"), None)
        text = None if uuid is None else (uuid.text or "").strip() or None
        found.append(Block(c, z, t, ifd, count or None, text, None if uuid is None else uuid.get("FileName")))
    return found


def _references(image: ElementTree.Element) -> list[str]:
    return [str(child.get("ID")) for child in image.iter() if _tag(child) == "AnnotationRef"]


def _modulo(root: ElementTree.Element) -> dict[str, int]:
    """Annotations that say how many angles, lifetimes or the like lie within each focal plane's place."""
    found = {}
    for annotation in (child for child in root.iter() if _tag(child) == "XMLAnnotation"):
        for along in (child for child in annotation.iter() if _tag(child) == "ModuloAlongZ"):
            labels = sum(_tag(child) == "Label" for child in along)
            try:
                start, end = float(along.get("Start", 0)), float(along.get("End", 0))
                steps = round((end - start) / float(along.get("Step", 1))) + 1
            except (ValueError, ZeroDivisionError, OverflowError):
                continue
            found[str(annotation.get("ID"))] = max(1, labels or steps)
    return found


def refused_without_pixels(name: str, document: OmeDocument) -> SlideError:
    """The error for a document none of whose images has a page."""
    why = "its pixels lie inside the XML" if any(image.in_xml for image in document.images) else (
        "its OME-XML names no page of a TIFF file that holds pixels"
    )  # fmt: skip
    return DamagedError(f"Cannot open {name}", why, "Save it as OME-TIFF, in one file or with its files beside it.")
