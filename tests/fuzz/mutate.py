"""Changing a file at random: where it hurts more often than elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

_EXTREMES = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 20000, 65500, 1 << 24)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """A changed copy of a file's content."""
    out = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3, 6]))):
        if len(out) > 16:
            _STEPS[int(rng.integers(len(_STEPS)))](out, rng)
    return bytes(out)


def _place(out: bytearray, rng: np.random.Generator) -> int:
    """A place in the file; half the time near its beginning or its end, where headers and directories lie."""
    near = int(rng.integers(4))
    if near == 0:
        return int(rng.integers(min(len(out), 512)))
    if near == 1:
        return len(out) - 1 - int(rng.integers(min(len(out), 2048)))
    return int(rng.integers(len(out)))


def _bits(out: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 20))):
        out[_place(out, rng)] ^= 1 << int(rng.integers(8))


def _number(out: bytearray, rng: np.random.Generator) -> None:
    size, at = int(rng.choice([1, 2, 4, 8])), _place(out, rng)
    value = int(rng.choice(np.array(_EXTREMES)))
    out[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little" if rng.integers(2) else "big")


def _tag(out: bytearray, rng: np.random.Generator) -> None:
    """Another value, count or type for one of the tags of a TIFF directory."""
    codes = (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 330, 338, 339, 347)
    code = int(rng.choice(np.array(codes)))
    order = "little" if out[:2] == b"II" else "big"
    found = [match.start() for match in re.finditer(re.escape(code.to_bytes(2, order)), bytes(out))]
    if not found:
        _number(out, rng)
        return
    at = found[int(rng.integers(len(found)))] + int(rng.choice([2, 4, 8, 8, 8]))
    value = int(rng.choice(np.array(_EXTREMES)))
    out[at : at + 4] = value.to_bytes(4, order)


def _text_number(out: bytearray, rng: np.random.Generator) -> None:
    """Another number in a description."""
    found = list(re.finditer(rb'(?<=[="\s])\d{1,6}(?=["\s|;\r])', bytes(out)))
    if not found:
        _number(out, rng)
        return
    match = found[int(rng.integers(len(found)))]
    out[match.start() : match.end()] = [b"0", b"-1", b"1e8", b"100000000", b"nan", b"0,5"][int(rng.integers(6))]


def _cut(out: bytearray, rng: np.random.Generator) -> None:
    del out[int(rng.integers(1, len(out))) :]


def _remove(out: bytearray, rng: np.random.Generator) -> None:
    at = _place(out, rng)
    del out[at : at + int(rng.integers(1, 300))]


def _repeat(out: bytearray, rng: np.random.Generator) -> None:
    start, at = _place(out, rng), _place(out, rng)
    out[at:at] = out[start : start + int(rng.integers(1, 300))]


def _fill(out: bytearray, rng: np.random.Generator) -> None:
    at, count = _place(out, rng), int(rng.integers(1, 400))
    out[at : at + count] = bytes([int(rng.choice([0, 255]))]) * min(count, len(out) - at)


_STEPS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    _bits, _number, _number, _tag, _tag, _tag, _text_number, _cut, _remove, _repeat, _fill,
)  # fmt: skip
