"""Sizes that compressed pictures claim in their headers, read before anything is decoded.

A codec takes memory for what the header claims, whatever the tile's place in the slide; the claim is therefore looked
at first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Claim(NamedTuple):
    """What a header claims: pixels, and samples per pixel."""

    width: int
    height: int
    samples: int


Sizer = Callable[[bytes], "Claim | None"]
"""Finds the claim in a compressed picture; None when its header has none, which the codec will refuse."""

_NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers between SOF0 and SOF15 that begin no frame: Huffman tables, reserved, arithmetic conditioning."""


def jpeg_claim(data: bytes) -> Claim | None:
    """Claim of a JPEG stream (ITU-T T.81): the largest of its frame headers."""
    found: Claim | None = None
    at = 2 if data[:2] == b"\xff\xd8" else 0
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            claim = Claim(width, height, data[at + 9] if at + 9 < len(data) else 0)
            found = claim if found is None or width * height > found.width * found.height else found
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        elif marker == 0xDA:  # the scan: frame headers stand before it
            break
        elif marker in (0x00, 0x01, 0xD8, 0xD9) or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


def jpeg2000_claim(data: bytes) -> Claim | None:
    """Claim of a JPEG 2000 codestream, in a box or not: its SIZ marker (ITU-T T.800, A.5.1)."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 42:
        return None
    right, bottom, left, top = (int.from_bytes(data[start + at : start + at + 4], "big") for at in (8, 12, 16, 20))
    return Claim(right - left, bottom - top, int.from_bytes(data[start + 40 : start + 42], "big"))


def png_claim(data: bytes) -> Claim | None:
    """Claim of a PNG file: its IHDR chunk."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 26:
        return None
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(data[25], 4)
    return Claim(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), samples)


def webp_claim(data: bytes) -> Claim | None:
    """Claim of a WebP file (RFC 9649): canvas or frame, 14 bits a side but for extended files."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if data[12:16] == b"VP8X":
        return Claim(1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"), 4)
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Claim(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), 4)
    width, height = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
    return Claim(width & 0x3FFF, height & 0x3FFF, 3)
