"""The few facts of a DICOM file that tell which slide it belongs to; looks at the first elements, never at pixels.

Layout after DICOM PS3.5 and PS3.10; attributes of slides after PS3.3, A.32.8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of whole-slide microscopy images."""

DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, which lists the files of a disc."""

_IMPLICIT = "1.2.840.10008.1.2"
_UNREAD_SYNTAXES = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")  # big-endian, deflated
_LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV")
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_LAST = (0x0048, 0xFFFF)
_MOST_ELEMENTS, _DEEPEST, _LONGEST = 20_000, 16, 4096

_Tag = tuple[int, int]
_TEXTS = {
    (0x0008, 0x0008): "image_type", (0x0008, 0x0016): "sop_class", (0x0008, 0x0018): "instance_uid",
    (0x0008, 0x0060): "modality", (0x0020, 0x000E): "series_uid", (0x0028, 0x0008): "frames",
    (0x0020, 0x9161): "concatenation_uid",
}  # fmt: skip
_NUMBERS = {(0x0048, 0x0006): "columns", (0x0048, 0x0007): "rows", (0x0048, 0x0303): "focal_planes",
            (0x0048, 0x0302): "optical_paths"}  # fmt: skip


@dataclass(frozen=True)
class DicomHeader:
    """What a DICOM file is.

    Attributes
    ----------
    sop_class, instance_uid, series_uid, modality : str
        Empty where the file is silent.
    image_type : tuple of str
        Like ORIGINAL, PRIMARY, VOLUME, NONE.
    columns, rows : int
        Of the whole image (total pixel matrix), 0 where it is not stated.
    focal_planes, optical_paths : int
    """

    sop_class: str
    instance_uid: str = ""
    series_uid: str = ""
    modality: str = ""
    image_type: tuple[str, ...] = ()
    columns: int = 0
    rows: int = 0
    focal_planes: int = 1
    optical_paths: int = 1
    concatenation_uid: str = ""

    @property
    def is_slide(self) -> bool:
        """Whether it is a part of a slide: a level, label, overview or thumbnail."""
        return self.sop_class == SLIDE_CLASS

    @property
    def flavor(self) -> str:
        """VOLUME for levels, else LABEL, OVERVIEW or THUMBNAIL."""
        return self.image_type[2] if len(self.image_type) > 2 else "VOLUME"


def read_header(path: Path) -> DicomHeader | None:
    """Look at a file; None when it is not DICOM or cannot be read. Remembered while the file stays as it is."""
    try:
        status = path.stat()
        return _remembered(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=20_000)
def _remembered(path: Path, size: int, modified_ns: int) -> DicomHeader | None:
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return None
        try:
            return _parse(file, size)
        except (struct.error, EOFError, RecursionError):
            return None


def _parse(file: BinaryIO, size: int) -> DicomHeader:
    meta = {}
    while (head := file.read(2)) == b"\x02\x00":
        file.seek(-2, 1)
        tag, _, length = _element(file, explicit=True)
        if length > _LONGEST:
            raise EOFError
        meta[tag] = _text(file.read(length))
    file.seek(-len(head), 1)
    found: dict[str, str] = {"sop_class": meta.get((2, 2), "")}
    syntax = meta.get((2, 16), "")
    if syntax in _UNREAD_SYNTAXES:
        return DicomHeader(found["sop_class"])
    for tag, value in _wanted(file, size, explicit=syntax != _IMPLICIT):
        if tag in _TEXTS:
            found[_TEXTS[tag]] = _text(value)
        elif len(value) in (2, 4):
            found[_NUMBERS[tag]] = str(int.from_bytes(value, "little"))
    return DicomHeader(
        found["sop_class"],
        found.get("instance_uid", ""),
        found.get("series_uid", ""),
        found.get("modality", ""),
        tuple(part.strip() for part in found.get("image_type", "").split("\\") if part),
        int(found.get("columns", 0)),
        int(found.get("rows", 0)),
        max(1, int(found.get("focal_planes", 1))),
        max(1, int(found.get("optical_paths", 1))),
        found.get("concatenation_uid", ""),
    )


def _wanted(file: BinaryIO, size: int, *, explicit: bool) -> Iterator[tuple[_Tag, bytes]]:
    """The wanted elements of the data set itself; those within sequences are passed over."""
    for _ in range(_MOST_ELEMENTS):
        if file.tell() >= size:
            return
        tag, _, length = _element(file, explicit=explicit)
        if tag > _LAST:
            return
        if length == _UNDEFINED:
            _skip_sequence(file, explicit=explicit, depth=0)
        elif (tag in _TEXTS or tag in _NUMBERS) and length <= _LONGEST:
            yield tag, file.read(length)
        else:
            file.seek(length, 1)


def _element(file: BinaryIO, *, explicit: bool) -> tuple[_Tag, bytes, int]:
    """Tag, value representation and length of the next element."""
    group, number = struct.unpack("<HH", file.read(4))
    if not explicit or group == 0xFFFE:
        return (group, number), b"", struct.unpack("<I", file.read(4))[0]
    vr = file.read(2)
    if vr in _LONG_VRS:
        file.seek(2, 1)
        return (group, number), vr, struct.unpack("<I", file.read(4))[0]
    return (group, number), vr, struct.unpack("<H", file.read(2))[0]


def _skip_sequence(file: BinaryIO, *, explicit: bool, depth: int) -> None:
    """Pass over the items of a sequence of undefined length."""
    if depth > _DEEPEST:
        raise EOFError
    for _ in range(_MOST_ELEMENTS):
        tag, _, length = _element(file, explicit=explicit)
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise EOFError
        if length != _UNDEFINED:
            file.seek(length, 1)
            continue
        for _ in range(_MOST_ELEMENTS):
            tag, vr, length = _element(file, explicit=explicit)
            if tag == _ITEM_END:
                break
            if length == _UNDEFINED:
                _skip_sequence(file, explicit=explicit and vr != b"UN", depth=depth + 1)
            else:
                file.seek(length, 1)


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")
