"""Miniature DICOM slides: uncompressed tiles, written by hand so that no library is needed to make them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SLIDE, REPORT, DIRECTORY = (
    "1.2.840.10008.5.1.4.1.1.77.1.6",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.1.3.10",
)
ROOT = "1.2.826.0.1.3680043.8.498"
_LONG = ("OB", "OW", "SQ", "UN")


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2) if vr in ("UI", "OB", "OW", "SQ", "UN") else b" " * (len(value) % 2)
    head = struct.pack("<HH", group, number) + vr.encode()
    size = struct.pack("<HI", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))
    return head + size + value


def text(group: int, number: int, vr: str, value: object) -> bytes:
    return element(group, number, vr, str(value).encode())


def us(group: int, number: int, value: int) -> bytes:
    return element(group, number, "US", struct.pack("<H", value))


def ul(group: int, number: int, value: int) -> bytes:
    return element(group, number, "UL", struct.pack("<I", value))


def sequence(group: int, number: int, *items: bytes, undefined: bool = False) -> bytes:
    if not undefined:
        body = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
        return element(group, number, "SQ", body)
    begins, ends = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF), struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    body = b"".join(begins + item + ends for item in items)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return struct.pack("<HH", group, number) + b"SQ" + struct.pack("<HI", 0, 0xFFFFFFFF) + body + end


def wrap(sop_class: str, instance: str, *elements: bytes) -> bytes:
    meta = element(2, 1, "OB", b"\0\1") + text(2, 2, "UI", sop_class) + text(2, 3, "UI", instance)
    meta += text(2, 16, "UI", "1.2.840.10008.1.2.1") + text(2, 18, "UI", ROOT)
    return bytes(128) + b"DICM" + ul(2, 0, len(meta)) + meta + b"".join(elements)


def write_report(path: Path, number: int = 99) -> Path:
    """A structured report, as archives put it beside slides."""
    instance = f"{ROOT}.9.{number}"
    elements = [text(8, 0x16, "UI", REPORT), text(8, 0x18, "UI", instance), text(8, 0x60, "CS", "SR")]
    path.write_bytes(wrap(REPORT, instance, *elements, text(0x20, 0xE, "UI", f"{ROOT}.2.{number}")))
    return path


def write_instance(
    path: Path, planes: Sequence[np.ndarray], *, series: int = 1, number: int = 1, mpp: float = 0.25, step: float = 0.5,
    z: float | None = None, flavor: str = "VOLUME", tile: int = 64, undefined: bool = False,
) -> Path:  # fmt: skip
    """One instance of a slide: a level, or a label, with its focal planes; ``planes`` are uint8 (H, W, 3).

    ``z`` is the focus of the first plane, um; ``undefined`` writes sequences of undefined length, as some archives do.
    """
    height, width = planes[0].shape[:2]
    tile = max(height, width) if flavor != "VOLUME" else tile
    rows, columns = -(-height // tile), -(-width // tile)
    frames = []
    for plane in planes:
        padded = np.full((rows * tile, columns * tile, 3), 255, np.uint8)
        padded[:height, :width] = plane
        frames += [
            padded[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile].tobytes()
            for r in range(rows)
            for c in range(columns)
        ]
    instance = f"{ROOT}.5.{series}.{number}"
    origin = text(0x40, 0x72A, "DS", "20.0") + text(0x40, 0x73A, "DS", "40.0")
    origin += b"" if z is None else text(0x40, 0x74A, "DS", z)
    measures = sequence(
        0x28, 0x9110, text(0x18, 0x50, "DS", "0.001") + text(0x18, 0x88, "DS", step / 1000)
        + text(0x28, 0x30, "DS", f"{mpp / 1000}\\{mpp / 1000}"), undefined=undefined,
    )  # fmt: skip
    kind = "DERIVED\\PRIMARY" if number > 1 and flavor == "VOLUME" else "ORIGINAL\\PRIMARY"
    last = "RESAMPLED" if kind.startswith("D") else "NONE"
    elements = [
        text(8, 8, "CS", f"{kind}\\{flavor}\\{last}"), text(8, 0x16, "UI", SLIDE), text(8, 0x18, "UI", instance),
        text(8, 0x60, "CS", "SM"), text(8, 0x70, "LO", "synthetic"), text(8, 0x9206, "CS", "VOLUME"),
        text(0x20, 0xD, "UI", f"{ROOT}.1"), text(0x20, 0xE, "UI", f"{ROOT}.2.{series}"), text(0x20, 0x13, "IS", number),
        text(0x20, 0x52, "UI", f"{ROOT}.3"), text(0x20, 0x9311, "CS", "TILED_FULL"),
        us(0x28, 2, 3), text(0x28, 4, "CS", "RGB"), us(0x28, 6, 0), text(0x28, 8, "IS", len(frames)),
        us(0x28, 0x10, tile), us(0x28, 0x11, tile), us(0x28, 0x100, 8), us(0x28, 0x101, 8), us(0x28, 0x102, 7),
        us(0x28, 0x103, 0), text(0x28, 0x301, "CS", "NO"), text(0x28, 0x2110, "CS", "00"),
        element(0x48, 1, "FL", struct.pack("<f", width * mpp / 1000)),
        element(0x48, 2, "FL", struct.pack("<f", height * mpp / 1000)), element(0x48, 3, "FL", struct.pack("<f", 1.0)),
        ul(0x48, 6, width), ul(0x48, 7, height), sequence(0x48, 8, origin, undefined=undefined),
        text(0x48, 0x10, "CS", "YES" if flavor == "LABEL" else "NO"), text(0x48, 0x11, "CS", "AUTO"),
        text(0x48, 0x12, "CS", "NO"), text(0x48, 0x102, "DS", "0.0\\-1.0\\0.0\\-1.0\\0.0\\0.0"),
        sequence(0x48, 0x105, text(0x48, 0x106, "SH", "1") + text(0x48, 0x112, "DS", "40.0"), undefined=undefined),
        ul(0x48, 0x302, 1), ul(0x48, 0x303, len(planes)),
        sequence(0x5200, 0x9229, measures, undefined=undefined),
        element(0x7FE0, 0x10, "OB", b"".join(frames)),
    ]  # fmt: skip
    path.write_bytes(wrap(SLIDE, instance, *elements))
    return path


def write_slide(folder: Path, image: np.ndarray, *names: str, series: int = 1) -> list[Path]:
    """A slide of two levels and a label, in three files of these names."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in names or ("l0.dcm", "l1.dcm", "label.dcm")]
    half = image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2, 3).mean((1, 3)).astype(np.uint8)
    write_instance(paths[0], [image], series=series)
    write_instance(paths[1], [half], series=series, number=2, mpp=0.5)
    write_instance(paths[2], [image[:64, :64]], series=series, number=3, flavor="LABEL")
    return paths
