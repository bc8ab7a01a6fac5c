"""A TIFF writer for what libraries do not write: packed samples, contradictions, old compressions."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS, COLOURS = 273, 274, 277, 278, 279, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT = 322, 323, 324, 325, 339


def write_tiff(path: Path, pages: Sequence[tuple[Mapping[int, Any], Sequence[bytes]]]) -> Path:
    """Write little-endian pages: (tags, tiles or strips); offsets and counts are filled in.

    Tags are numbers or lists of them; those that fit are written as SHORT, larger ones as LONG.
    """
    out = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for tags, segments in pages:
        offsets = []
        for segment in segments:
            offsets.append(len(out))
            out += segment + b"\0" * (len(segment) % 2)
        tiled = TILE_WIDTH in tags
        entries = {
            **tags,
            TILE_OFFSETS if tiled else OFFSETS: tags.get(OFFSETS, offsets),
            TILE_COUNTS if tiled else COUNTS: tags.get(COUNTS, [len(segment) for segment in segments]),
        }
        out += b"\0" * (len(out) % 2)
        encoded = []
        for code, value in sorted(entries.items()):
            numbers = value if isinstance(value, list) else [value]
            kind, letter = (3, "H") if max(numbers) < 1 << 16 and code not in (OFFSETS, TILE_OFFSETS) else (4, "I")
            data = struct.pack(f"<{len(numbers)}{letter}", *numbers)
            if len(data) > 4:
                place = len(out)
                out += data + b"\0" * (len(data) % 2)
                data = struct.pack("<I", place)
            encoded.append(struct.pack("<HHI4s", code, kind, len(numbers), data.ljust(4, b"\0")))
        out[link : link + 4] = struct.pack("<I", len(out))
        out += struct.pack("<H", len(encoded)) + b"".join(encoded)
        link = len(out)
        out += b"\0\0\0\0"
    path.write_bytes(out)
    return path


def gray(width: int, height: int, bits: int, **more: Any) -> dict[int, Any]:
    """Tags of a gray page in one strip, without compression."""
    tags = {WIDTH: width, HEIGHT: height, BITS: bits, COMPRESSION: 1, PHOTOMETRIC: 1, SAMPLES: 1, ROWS: height}
    return {**tags, **{globals()[name]: value for name, value in more.items()}}
