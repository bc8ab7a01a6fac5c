"""The chain of pages of a TIFF file, walked before anything else trusts it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from focusviewer.slides.base import DamagedError
from focusviewer.slides.files.limits import MAX_DECODING_BYTES, MAX_DESCRIPTION_BYTES, MAX_PAGES, MAX_TAGS, check_limit
from focusviewer.slides.readers.rawfile import RawFile

_DESCRIPTION, _SUB_PAGES = 270, 330
_BYTE_COUNTS = (279, 325)  # of strips, of tiles
_COUNT_TYPES = {3: "u2", 4: "u4", 16: "u8"}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class _Kind:
    """How numbers are written: offsets, of tags, within tags; bytes of a tag; place of the first offset."""

    word: str
    tags: str
    values: str
    tag_bytes: int
    start: int


def check_chain(raw: RawFile, name: str) -> None:
    """Follow the chain of pages to its end, reading their tags and no more.

    Raises
    ------
    DamagedError
        If a page lies beyond the end of the file, or the chain runs in a circle.
    LimitError
        If there are too many pages or tags, or a description is too long.
    """
    head = raw.read_at(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    kind = _kind(raw, order, struct.unpack(order + "H", head[2:4])[0] == 43)
    width, count_width = struct.calcsize(kind.word), struct.calcsize(kind.tags)
    at, seen = kind.start, dict[int, int]()
    while True:
        (offset,) = struct.unpack(order + kind.word, _exactly(raw, at, width, name))
        if offset == 0:
            return
        if offset in seen:
            raise _circle(name, len(seen), seen[offset] + 1)
        check_limit(name, "it has {} pages or more", len(seen) + 1, MAX_PAGES)
        seen[offset] = len(seen)
        (tags,) = struct.unpack(order + kind.tags, _exactly(raw, offset, count_width, name))
        end = offset + count_width + tags * kind.tag_bytes
        if end > raw.size:
            raise truncated(name, end, raw.size)
        check_limit(name, "a page has {} tags", tags, MAX_TAGS)
        entries = _exactly(raw, offset + count_width, tags * kind.tag_bytes, name)
        _check_tags(raw, entries, order, kind, name)
        at = end


def _kind(raw: RawFile, order: str, big: bool) -> _Kind:
    if big:
        return _Kind("Q", "Q", "Q", 20, 8)
    if raw.size >= 1 << 32:
        # Hamamatsu keeps offsets of 64 bits in what is else a small TIFF; others have no second page up there.
        (first,) = struct.unpack(order + "Q", raw.read_at(4, 8))
        if first < raw.size:
            return _Kind("Q", "H", "I", 12, 4)
    return _Kind("I", "H", "I", 12, 4)


def _check_tags(raw: RawFile, entries: bytes, order: str, kind: _Kind, name: str) -> None:
    """Look at the tags whose size has a limit."""
    for place in range(0, len(entries), kind.tag_bytes):
        code, form, count = struct.unpack_from(f"{order}HH{kind.values}", entries, place)
        if code == _DESCRIPTION:
            size = count * _TYPE_BYTES.get(form, 1)
            check_limit(name, "a page's description has {} bytes", size, MAX_DESCRIPTION_BYTES)
        elif code == _SUB_PAGES:
            check_limit(name, "a page has {} pages below it", count, MAX_PAGES)
        elif code in _BYTE_COUNTS and form in _COUNT_TYPES:
            place += 4 + struct.calcsize(kind.values)
            largest = _largest(raw, entries[place : place + struct.calcsize(kind.values)], order, form, count, kind)
            if largest > raw.size:  # libtiff reserves memory for it before it looks
                check_limit(name, "a tile or strip has {} bytes", largest, MAX_DECODING_BYTES)


def _largest(raw: RawFile, value: bytes, order: str, form: int, count: int, kind: _Kind) -> int:
    """Largest number of a tag; 0 where its numbers lie beyond the end of the file, which is for others to say."""
    size = count * _TYPE_BYTES[form]
    if size > len(value):
        (offset,) = struct.unpack(order + kind.values, value)
        value = raw.read_at(offset, size) if offset + size <= raw.size else b""
    numbers = np.frombuffer(value[:size], np.dtype(f"{order}{_COUNT_TYPES[form]}"))
    return int(numbers.max()) if numbers.size else 0


def _exactly(raw: RawFile, offset: int, count: int, name: str) -> bytes:
    data = raw.read_at(offset, count) if offset + count <= raw.size else b""
    if len(data) < count:
        raise truncated(name, offset + count, raw.size)
    return data


def _circle(name: str, last: int, first: int) -> DamagedError:
    return DamagedError(
        f"Cannot open {name}",
        f"its list of pages runs in a circle: after page {last} comes page {first} again",
        "Copy it again from its source.",
    )


def truncated(name: str, needed: int, size: int) -> DamagedError:
    """The error for a file that ends too early."""
    return DamagedError(
        f"Cannot open {name}",
        f"the file is cut off: it has {size:,} bytes, and its image data needs at least {needed:,}",
        "Copy it again from its source.",
    )
