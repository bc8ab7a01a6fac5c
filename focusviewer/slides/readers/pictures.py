"""Plain pictures: PNG, JPEG, BMP and whatever else Pillow reads, held decoded in memory."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Level, Region, Slide, SlideInfo, pixel_sizes
from focusviewer.slides.files.limits import check_memory
from focusviewer.slides.marks import xmp_description
from focusviewer.slides.pixels import PALETTE, PixelFormat, Raw, region_of, value_range
from focusviewer.slides.readers.frames import Frames, frames_of, samples, shown_size, stored_turn
from focusviewer.slides.readers.numbers import number
from focusviewer.slides.readers.orientation import exchanges_axes, upright
from focusviewer.slides.readers.rawfile import fingerprint

# Pillow's remarks about odd metadata would reach the terminal; errors are told in our own words.
warnings.filterwarnings("ignore", module=r"PIL\.")

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
"""What is opened; Pillow knows others, some of which start programs (PostScript) or are no pictures."""

_MAGIC = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"BM",
    b"\0\0\0\x0cjP",
    b"\xff\x4f\xff\x51",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes of a pixel as Pillow holds it; four in the other modes."""

_CODEC_BYTES = {"WEBP": 12, "JPEG2000": 16, "GIF": 8, "TIFF": 4}
"""Further bytes of a pixel that a codec takes for itself while it decodes."""

_PROGRESSIVE_BYTES = 6
_KEPT_BYTES = 768 << 20

_IMAGE_DESCRIPTION = 270
_LONGEST = 8000


@dataclass(frozen=True)
class Header:
    """A picture's header, as it is shown; ``deep``: over 8 bits per sample, ``texts``: all that it says in words."""

    width: int
    height: int
    deep: bool
    format: str
    meta: dict[str, Any]
    frames: Frames
    texts: dict[str, str]


class PictureSlide(Slide):
    """A plain picture, decoded as a whole when it is first read; several frames of one size are its focal planes.

    Parameters
    ----------
    path : Path
    limits : (float, float), optional
        Stored values to show as black and white; found from the picture itself when not given.

    Raises
    ------
    SlideError
        If the header cannot be read.
    """

    def __init__(self, path: Path, limits: tuple[float, float] | None = None) -> None:
        header = picture_header(path)
        self._limits, self._frames = limits, header.frames.planes
        self._deep = header.deep
        self._pixels: LRUCache[int, RGB] = LRUCache(max(2, _KEPT_BYTES // max(1, header.width * header.height * 3)))
        self._closed = False
        self._lock = threading.Lock()
        across, down = header.meta.get("dpi") or (0, 0)
        sizes = pixel_sizes(_side_um(across), _side_um(down))
        icc = header.meta.get("icc_profile")
        planes = len(self._frames)
        self.info = SlideInfo(
            path=path,
            format=header.format if planes == 1 else f"{header.format} of {planes} pictures",
            vendor=None,
            levels=(Level(header.width, header.height, 1.0),),
            stated_mpp=sizes.stated,
            mpp=sizes.usable,
            stated_mpp_xy=sizes.sides,
            planes_um=tuple(float(plane) for plane in range(planes)),
            z_step_known=planes == 1,
            properties=header.texts,
            icc_profile=icc if isinstance(icc, bytes) else None,
            fingerprint=fingerprint(path),
            remarks=(f"not shown: {header.frames.left_out}",) if header.frames.left_out else (),
        )

    def load(self, plane: int = 0) -> RGB:
        """A whole plane, uint8 (H, W, 3).

        Raises
        ------
        SlideError
            If it is damaged, or the slide has been closed.
        """
        with self._lock:
            if self._closed:
                raise SlideError(f"Cannot read {self.name}", "the slide has been closed")
            pixels: RGB | None = self._pixels.get(plane)
            if pixels is None:
                raw, pixel_format = decode_picture(self.path, self._frames[plane])
                if self._deep and self._limits is None and len(self._frames) > 1:
                    self._limits = self._shared_limits()
                if self._limits is not None:
                    pixel_format = replace(pixel_format, low=self._limits[0], high=self._limits[1])
                else:
                    pixel_format = ranged(pixel_format, [raw])
                self._pixels[plane] = pixels = pixel_format.rgb(raw)
            return pixels

    def _shared_limits(self) -> tuple[float, float] | None:
        """Value range of the first, middle and last plane: stretched one by one, blurred planes would look sharp."""
        picks = sorted({0, len(self._frames) // 2, len(self._frames) - 1})
        decoded = [decode_picture(self.path, self._frames[pick]) for pick in picks]
        form = ranged(decoded[0][1], [raw for raw, _ in decoded])
        return None if form.low is None or form.high is None else (form.low, form.high)

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`."""
        if region.level or not 0 <= region.plane < len(self._frames):
            raise IndexError(f"{self.name} has one level and {len(self._frames)} planes")
        return region_of(self.load(region.plane), region)

    def close(self) -> None:
        """Release the memory."""
        with self._lock:
            self._closed = True
            self._pixels.clear()


def _side_um(dpi: Any) -> float | None:
    """A side of a pixel in um; 1 and less is what writers put when they do not know."""
    per_inch = number(dpi)
    return None if per_inch is None or per_inch <= 1 else 25400.0 / per_inch


def recognised(head: bytes) -> bool:
    """Whether a file's first bytes are those of a picture that is opened here, whatever its name."""
    portable = head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()
    return portable or head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def decode_picture(path: Path, frame: int | None = None) -> tuple[Raw, PixelFormat]:
    """Decode a picture with Pillow.

    Parameters
    ----------
    frame : int, optional
        Which of its frames; by default the first that is a plane (see :func:`frames_of`).

    Returns
    -------
    samples (H, W) or (H, W, n), upright, and their pixel format without a value range

    Raises
    ------
    SlideError
        If it is damaged or too large.
    """
    with _opened(path) as picture:
        if frame is None:
            frame = frames_of(picture).planes[0]
        if frame:
            picture.seek(frame)
        _check_size(path, picture)
        turn = stored_turn(picture, path)
        raw, pixel_format = samples(picture)
        return upright(raw, turn), pixel_format


def picture_header(path: Path) -> Header:
    """Read a picture's header and no pixels.

    Raises
    ------
    SlideError
        If the header cannot be read.
    """
    with _opened(path) as picture:
        frames = frames_of(picture)
        if frames.planes[0]:
            picture.seek(frames.planes[0])
        meta = {str(key): value for key, value in picture.info.items()}
        deep = picture.mode.startswith(("I", "F"))
        turn = stored_turn(picture, path)
        width, height = shown_size(picture, turn)
        if exchanges_axes(turn) and isinstance(meta.get("dpi"), tuple):
            meta["dpi"] = meta["dpi"][::-1]
        return Header(width, height, deep, str(picture.format), meta, frames, _texts(picture, meta))


def _check_size(path: Path, picture: Any) -> None:
    """Refuse what cannot be held in memory, before Pillow takes any."""
    held = _BYTES.get(picture.mode, 4)
    copy = 1 if picture.mode in ("1", "L", "P") else 3 if picture.mode == "RGB" else 2 if held == 2 else 4
    codec = _CODEC_BYTES.get(str(picture.format), 0)
    codec += _PROGRESSIVE_BYTES if picture.info.get("progressive") else 0
    shown = 0 if picture.mode == "RGB" else 3
    what = f"a picture of {picture.width:,} x {picture.height:,} pixels"
    check_memory(path.name, what, picture.width * picture.height * max(codec + held, held + copy, copy + shown))


def _texts(picture: Any, meta: dict[str, Any]) -> dict[str, str]:
    """What a header says in words and numbers, and the descriptions that EXIF, XMP and comments hold as bytes."""
    texts = {f"picture.{key}": str(value) for key, value in meta.items() if isinstance(value, str | int | float)}
    comment, packet = meta.get("comment"), meta.get("xmp")
    found = {
        "ImageDescription": _described(picture, meta),
        "comment": comment.decode("utf-8", "replace") if isinstance(comment, bytes) else "",
        "xmp": xmp_description(packet) if isinstance(packet, bytes) else "",
    }
    return texts | {f"picture.{key}": text.strip()[:_LONGEST] for key, text in found.items() if text.strip()}


def _described(picture: Any, meta: dict[str, Any]) -> str:
    """ImageDescription of a TIFF or of EXIF; empty where there is none, or what stands there is damaged."""
    from PIL import Image

    try:
        if picture.format == "TIFF":
            found = picture.tag_v2.get(_IMAGE_DESCRIPTION)
        elif isinstance(meta.get("exif"), bytes):  # a PNG keeps it behind the pixels, where no header is read
            exif = Image.Exif()
            exif.load(meta["exif"])
            found = exif.get(_IMAGE_DESCRIPTION)
        else:
            return ""
    except Exception:  # a picture is no worse for an odd block of metadata
        return ""
    return found if isinstance(found, str) else ""


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit says what to do instead
    try:
        # By its handle: Pillow maps files that it knows by name, and a mapped file that shrinks ends the process.
        with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
            yield picture
    except SlideError:
        raise
    except Exception as error:  # damaged files make codecs raise many kinds
        why, advice = _reason(error)
        raise SlideError(f"Cannot open {path.name}", why, advice) from error


def _reason(error: BaseException) -> tuple[str, str]:
    """Why a picture cannot be opened, and what to do."""
    copy = "Copy it again from its source."
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, copy
    text = str(error) or type(error).__name__
    if "cannot identify" in text:
        return "its content is not a picture of a kind this program reads", "Save it as PNG, JPEG or TIFF."
    if isinstance(error, NotImplementedError) or any(word in text.lower() for word in _UNREAD):
        return f"it is of a kind this program does not read ({text})", "Save it as PNG, JPEG or TIFF."
    return f"the image is damaged ({text})", copy


_UNREAD = ("unknown pixel mode", "unsupported", "not supported", "not available", "unknown file", "cannot handle")


def ranged(pixel_format: PixelFormat, samples: list[Raw]) -> PixelFormat:
    """The format with the range of these samples' values, unless it has one already."""
    colour = bool(samples) and samples[0].ndim == 3 and samples[0].shape[2] >= 3
    if pixel_format.photometric == PALETTE or pixel_format.low is not None:
        return pixel_format
    low, high = value_range(samples, colour)
    return replace(pixel_format, low=low, high=high)


def open_picture(path: Path) -> Slide:
    """Open a plain picture as a slide of one level.

    Raises
    ------
    SlideError
        If it cannot be decoded.
    """
    slide = PictureSlide(path)
    slide.load()  # a damaged picture is better told now than tile by tile
    return slide
