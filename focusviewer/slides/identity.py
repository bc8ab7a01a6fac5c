"""The identity of a slide: its number, scanner and stain, and what the scanner wrote about its focus."""

from __future__ import annotations

import importlib
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError, UserError
from focusviewer.slides.base import Slide

LabelDecoder = Callable[[RGB], str]
"""Reads the bar code off a label image, uint8 (H, W, 3); empty when there is none."""

NDPI_FOCUS_TAGS = {
    65439: "focus_points",
    65440: "focus_point_regions",
    65446: "focus_offset",
    65455: "focus_time",
    65458: "fully_auto_focus",
}
"""Private TIFF tags of Hamamatsu's NDPI files that tell how the scanner focused. Names as in tifffile; Hamamatsu
publishes neither units nor the order of values, so they are shown as they are."""

_NDPI_LABEL, _NDPI_SERIAL = 65427, 65442
_LONGEST = 200

# Properties are told by the last part of their names, in small letters without signs.
_BARCODES = ("barcode", "barcode1d", "barcode2d", "barcodevalue", "slidelabel", "reference", "containeridentifier")
_SLIDE_IDS = ("slideid", "slidename")
_MODELS = ("scannermodel", "devicemodel", "manufacturermodelname", "dicommanufacturersmodelname", "product", "model")
_SERIALS = ("scanscopeid", "scannerserialnumber", "deviceserialnumber", "dicomdeviceserialnumber", "sn", "unitnumber",
            "scannerhardwareid", "scannerid")  # fmt: skip
_STAINS = ("stain", "stainname", "staining", "stainingmethod", "stainprotocol")


@dataclass(frozen=True)
class Identity:
    """Who a slide is.

    Attributes
    ----------
    slide_id : str
        From the bar code or the file name.
    scanner : str
        Vendor, model and number of the scanner, as far as the file states them; what rules' overrides look at.
    stain : str
        Empty when neither the file nor its name states it.
    records : mapping
        What the scanner wrote about its focus (NDPI), by the names of NDPI_FOCUS_TAGS: numbers, texts, or tuples.
    source : str
        Where the slide id comes from: ``barcode``, ``label``, ``pattern`` or ``file name``.
    """

    slide_id: str
    scanner: str
    stain: str
    records: Mapping[str, Any] = field(default_factory=dict)
    source: str = "file name"


@dataclass(frozen=True)
class NamePattern:
    """A regular expression that finds facts in file names by named groups: slide_id, stain, scanner."""

    text: str
    _GROUPS = ("slide_id", "stain", "scanner")

    @classmethod
    def parse(cls, text: str, source: str = "the file name pattern") -> NamePattern:
        """Check a pattern; ``source`` names it in messages.

        Raises
        ------
        UserError
            If it is no regular expression, or its groups are not those we know.
        """
        example = r"Write it like (?P<slide_id>[^_]+)_(?P<stain>[^.]+)."
        try:
            groups = list(re.compile(text).groupindex)
        except (re.error, RecursionError, OverflowError) as error:
            raise UserError(f"{source} {text!r} is no regular expression", str(error), example) from error
        if not groups:
            raise UserError(f"{source} {text!r} names nothing", f"it has no group {' or '.join(cls._GROUPS)}", example)
        for group in groups:
            if group not in cls._GROUPS:
                close = get_close_matches(group, cls._GROUPS, 1)
                advice = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(cls._GROUPS)}."
                raise UserError(f"{source} {text!r} has an unknown group {group!r}", advice=advice)
        return cls(text)

    def find(self, name: str) -> dict[str, str]:
        """What the pattern finds in a file name, empty where it does not fit: {group: text}."""
        found = re.search(self.text, name)
        return {} if found is None else {key: _clean(value) for key, value in found.groupdict().items() if value}


def identify(slide: Slide, pattern: NamePattern | None = None, decoder: LabelDecoder | None = None) -> Identity:
    """Who a slide is.

    The slide id is the first of: the bar code that the file states, the bar code on its label image, what the file
    name pattern finds, the file's name. Scanner and stain are what the file states, else what the pattern finds.

    Parameters
    ----------
    pattern : NamePattern, optional
    decoder : callable, optional
        Reads label images; :func:`label_decoder` when missing. Text is never guessed from pictures of letters.
    """
    properties = slide.info.properties
    tags = _tags(slide)
    named = pattern.find(slide.name) if pattern is not None else {}
    slide_id, source = _slide_id(slide, tags, named, decoder or label_decoder())
    return Identity(
        slide_id,
        _scanner(slide, tags) or named.get("scanner", ""),
        _first(properties, _STAINS) or named.get("stain", ""),
        _records(tags),
        source,
    )


def focus_records(slide: Slide) -> dict[str, Any]:
    """What the scanner wrote about its focus, by the names of NDPI_FOCUS_TAGS; empty for other formats."""
    return _records(_tags(slide))


def _tags(slide: Slide) -> dict[int, Any]:
    return ndpi_tags(slide.path) if _is_ndpi(slide) else {}


def _records(tags: Mapping[int, Any]) -> dict[str, Any]:
    return {name: tags[tag] for tag, name in NDPI_FOCUS_TAGS.items() if tag in tags}


def describe_records(records: Mapping[str, Any], most: int = 24) -> list[tuple[str, str]]:
    """Focus records for people: (name, text), long lists cut after ``most`` values."""
    lines = []
    for name, value in records.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        text = ", ".join(_clean(str(item)) for item in values[:most])
        more = f" … ({len(values)} values)" if len(values) > most else ""
        lines.append((name.replace("_", " "), text + more))
    return lines


def label_decoder() -> LabelDecoder | None:
    """A reader of bar codes, when one is installed (the ``zxing-cpp`` package); None otherwise."""
    try:
        zxingcpp: Any = importlib.import_module("zxingcpp")  # optional: not among the program's own packages
    except ImportError:
        return None

    def decode(image: RGB) -> str:
        found = [result.text.strip() for result in zxingcpp.read_barcodes(image)]
        return next((text for text in found if text), "")

    return decode


def ndpi_tags(path: Path) -> dict[int, Any]:
    """Values of the NDPI tags used here, from the file's first page; those it lacks, or cannot give, are left out."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its complaints would reach the terminal
    found: dict[int, Any] = {}
    try:
        with tifffile.TiffFile(path) as tif:
            tags = tif.pages.first.tags
            for code in (*NDPI_FOCUS_TAGS, _NDPI_LABEL, _NDPI_SERIAL):
                value = _plain(tags.valueof(code))
                if value not in (None, "", ()):
                    found[code] = value
    except Exception:  # a damaged file upsets the parser in any way; its pixels may be fine
        return found
    return found


def _plain(value: Any) -> Any:
    """A tag's value as numbers, text or tuples of them."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return tuple(_plain(item) for item in value) if isinstance(value, (list, tuple)) else value


def _is_ndpi(slide: Slide) -> bool:
    return slide.path.suffix.lower() == ".ndpi" and slide.path.is_file()


def _slide_id(
    slide: Slide, tags: Mapping[int, Any], named: Mapping[str, str], decoder: LabelDecoder | None
) -> tuple[str, str]:
    properties = slide.info.properties
    stated = _clean(properties.get("openslide.barcode", ""))
    stated = stated or _clean(str(tags.get(_NDPI_LABEL, ""))) or _first(properties, _BARCODES)
    if stated:
        return stated, "barcode"
    read = _read_label(slide, decoder) if decoder is not None else ""
    if read:
        return read, "label"
    if named.get("slide_id"):
        return named["slide_id"], "pattern"
    stem = re.sub(r"\.ome$", "", slide.path.stem, flags=re.IGNORECASE)  # of name.ome.tif
    return _first(properties, _SLIDE_IDS) or _clean(stem), "file name"


def _read_label(slide: Slide, decoder: LabelDecoder) -> str:
    if "label" not in slide.info.associated:
        return ""
    try:
        return _clean(decoder(slide.read_associated("label")))
    except (SlideError, KeyError, OSError, ValueError):
        return ""  # a label that cannot be read is like none


def _scanner(slide: Slide, tags: Mapping[int, Any]) -> str:
    properties = slide.info.properties
    vendor = slide.info.vendor or properties.get("tiff.Make", "")
    if vendor in ("generic-tiff", "synthetic"):
        vendor = properties.get("tiff.Make", "")
    serial = _clean(str(tags.get(_NDPI_SERIAL, ""))) or _first(properties, _SERIALS)
    parts: list[str] = []
    for part in (_clean(vendor), _first(properties, _MODELS), serial):
        if part and part.lower() not in " ".join(parts).lower():
            parts.append(part)
    return " ".join(parts)


def _first(properties: Mapping[str, str], wanted: Iterable[str]) -> str:
    """The first property with one of these names, in the order of the names."""
    short: dict[str, str] = {}
    for key, value in properties.items():
        if _clean(value):
            short.setdefault(re.sub(r"[^a-z0-9]", "", key.rpartition(".")[2].lower()), _clean(value))
    return next((short[name] for name in wanted if name in short), "")


def _clean(text: str) -> str:
    """Text on one line, without control characters."""
    kept = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(kept.split())[:_LONGEST]
