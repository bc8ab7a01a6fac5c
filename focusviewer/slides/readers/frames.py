"""Pictures as Pillow has them: which frames are focal planes, how they are turned, and their samples."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.slides.files.limits import MAX_FRAMES, check_limit
from focusviewer.slides.pixels import CMYK, MIN_IS_BLACK, PALETTE, PHOTO_RGB, PixelFormat, Raw
from focusviewer.slides.readers.orientation import TAG, UPRIGHT, exchanges_axes, orientation

_BLOCK_PX = 4 << 20
_REDUCED = 1
"""Bit of TIFF's NewSubfileType: a smaller version of another page."""


@dataclass(frozen=True)
class Frames:
    """Which frames of a picture are its focal planes, and what is said of the others (empty when there are none)."""

    planes: tuple[int, ...]
    left_out: str = ""


def frames_of(picture: Any) -> Frames:
    """Sort the frames of an open picture.

    Pages of a TIFF file that have the size of the largest are planes; of films (GIF, WebP, PNG) every frame is one;
    of an MPO file, whose further pictures are previews or the other eye's, the first.

    Raises
    ------
    LimitError
        If there are too many.
    """
    count = int(getattr(picture, "n_frames", 1))
    if count <= 1:
        return Frames((0,))
    name = Path(str(picture.filename)).name
    check_limit(name, "it holds {} pictures", count, MAX_FRAMES)
    if picture.format == "MPO":
        return Frames((0,), f"{count - 1} further pictures: previews, or the other view of a stereo pair")
    if picture.format != "TIFF":
        return Frames(tuple(range(count)))
    sizes, full = [], []
    for index in range(count):
        picture.seek(index)
        sizes.append(shown_size(picture, UPRIGHT))
        full.append(not int(picture.tag_v2.get(254, 0)) & _REDUCED)
    picture.seek(0)
    largest = max(sizes, key=lambda size: size[0] * size[1])
    planes = [i for i in range(count) if sizes[i] == largest and full[i]] or [sizes.index(largest)]
    others = count - len(planes)
    return Frames(tuple(planes), f"{others} pages of another size" if others else "")


def shown_size(picture: Any, turn: int) -> tuple[int, int]:
    """Width and height of an open picture once it is upright; ``turn`` is what :func:`stored_turn` says."""
    width, height = picture.size
    if picture.format == "TIFF":  # not every version of Pillow tells the size that it will give
        width, height = int(picture.tag_v2.get(256, width)), int(picture.tag_v2.get(257, height))
        turn = orientation(picture.tag_v2.get(TAG, UPRIGHT))
    return (height, width) if exchanges_axes(turn) else (width, height)


def stored_turn(picture: Any, path: Path) -> int:
    """Orientation by which an open picture has to be turned after Pillow has decoded it; 1 where it states none.

    TIFF is turned by Pillow itself.
    """
    if picture.format == "TIFF":
        return UPRIGHT
    from PIL import Image

    try:
        if picture.format == "PNG":
            chunk = _png_exif(path)
            if chunk is not None:
                exif = Image.Exif()
                exif.load(chunk)
                if TAG in exif:
                    return orientation(exif[TAG])
        # Not the method of PNG, which would decode the whole picture to look behind it.
        return orientation(Image.Image.getexif(picture).get(TAG, UPRIGHT))
    except Exception:  # EXIF that cannot be read is like none
        return UPRIGHT


def _png_exif(path: Path) -> bytes | None:
    """The eXIf chunk of a PNG file, which may stand before or after its pixels."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return b"Exif\0\0" + file.read(min(length, 1 << 20))
            if kind == b"IEND":
                break
            file.seek(length + 4, 1)
    return None


def samples(picture: Any) -> tuple[Raw, PixelFormat]:
    """Decode an open picture: its samples (H, W) or (H, W, n), and their format without a value range."""
    mode = picture.mode
    if mode == "P" and "transparency" not in picture.info:
        indices = _array(picture)
        palette = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return indices, PixelFormat(PALETTE, colormap=palette)
    if mode == "CMYK":
        return _array(picture), PixelFormat(CMYK)
    if mode in ("1", "L", "I;16", "I;16B", "I;16L", "I", "F"):
        found = _array(picture)
        if found.dtype == np.int32 and found.size and found.min() >= 0 and found.max() < 65536:
            found = found.astype(np.uint16)
        return found, PixelFormat(MIN_IS_BLACK)
    if mode == "RGB":
        return _array(picture), PixelFormat(PHOTO_RGB)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa", "P"):
        return _array(picture, lambda part: part.convert("RGBA")), PixelFormat(PHOTO_RGB, alpha="straight")
    if mode == "LAB":
        return _array(picture, _lab_to_rgb()), PixelFormat(PHOTO_RGB)
    return _array(picture, lambda part: part.convert("RGB")), PixelFormat(PHOTO_RGB)


def _lab_to_rgb() -> Callable[[Any], Any]:
    from PIL import ImageCms

    source, target = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(source, target, "LAB", "RGB")
    return lambda part: ImageCms.applyTransform(part, transform)


def _array(picture: Any, convert: Callable[[Any], Any] | None = None) -> Raw:
    """The picture as an array, converted and copied row by row: Pillow would hold three copies of it."""
    picture.load()
    width, height = picture.size
    rows = max(1, _BLOCK_PX // max(width, 1))
    out: Raw | None = None
    for top in range(0, max(height, 1), rows):
        part = picture if rows >= height else picture.crop((0, top, width, min(top + rows, height)))
        block = np.asarray(part if convert is None else convert(part))
        if rows >= height:
            return block
        if out is None:
            out = np.empty((height, *block.shape[1:]), block.dtype)
        out[top : top + rows] = block
    assert out is not None
    return out
