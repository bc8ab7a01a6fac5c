"""Plain pictures: PNG, JPEG, BMP and whatever else Pillow reads, held decoded in memory."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Level, Region, Slide, SlideInfo, pixel_sizes
from focusviewer.slides.pixels import CMYK, MIN_IS_BLACK, PALETTE, PHOTO_RGB, PixelFormat, Raw, region_of, value_range
from focusviewer.slides.readers.numbers import number
from focusviewer.slides.readers.rawfile import fingerprint

# Pillow's remarks about odd metadata would reach the terminal; errors are told in our own words.
warnings.filterwarnings("ignore", module=r"PIL\.")

MAX_PIXELS = 600_000_000
"""Larger pictures would not fit beside everything else: they have to be tiled TIFF."""


@dataclass(frozen=True)
class Header:
    """What a picture's header says; ``deep`` means more than 8 bits per sample."""

    width: int
    height: int
    deep: bool
    format: str
    meta: dict[str, Any]


class PictureSlide(Slide):
    """A plain picture, decoded as a whole when it is first read.

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
        self._limits = limits
        self._pixels: RGB | None = None
        self._closed = False
        self._lock = threading.Lock()
        across, down = header.meta.get("dpi") or (0, 0)
        sizes = pixel_sizes(_side_um(across), _side_um(down))
        icc = header.meta.get("icc_profile")
        self.info = SlideInfo(
            path=path,
            format=header.format,
            vendor=None,
            levels=(Level(header.width, header.height, 1.0),),
            stated_mpp=sizes.stated,
            mpp=sizes.usable,
            stated_mpp_xy=sizes.sides,
            properties={f"picture.{k}": str(v) for k, v in header.meta.items() if isinstance(v, str | int | float)},
            icc_profile=icc if isinstance(icc, bytes) else None,
            fingerprint=fingerprint(path),
        )

    def load(self) -> RGB:
        """The whole picture, uint8 (H, W, 3).

        Raises
        ------
        SlideError
            If it is damaged, or the slide has been closed.
        """
        with self._lock:
            if self._closed:
                raise SlideError(f"Cannot read {self.name}", "the slide has been closed")
            if self._pixels is None:
                raw, pixel_format = decode_picture(self.path)
                if self._limits is not None:
                    pixel_format = replace(pixel_format, low=self._limits[0], high=self._limits[1])
                else:
                    pixel_format = ranged(pixel_format, [raw])
                self._pixels = pixel_format.rgb(raw)
            return self._pixels

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`."""
        if region.level or region.plane:
            raise IndexError(f"{self.name} has one level and one plane")
        return region_of(self.load(), region)

    def close(self) -> None:
        """Release the memory."""
        with self._lock:
            self._closed, self._pixels = True, None


def _side_um(dpi: Any) -> float | None:
    """A side of a pixel in um; 1 and less is what writers put when they do not know."""
    per_inch = number(dpi)
    return None if per_inch is None or per_inch <= 1 else 25400.0 / per_inch


def decode_picture(path: Path) -> tuple[Raw, PixelFormat]:
    """Decode a picture with Pillow.

    Returns
    -------
    samples (H, W) or (H, W, n), and their pixel format without a value range

    Raises
    ------
    SlideError
        If it is damaged or too large.
    """
    with _opened(path) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise SlideError(
                f"Cannot open {path.name}",
                f"{picture.width} x {picture.height} pixels are too many for a plain picture",
                "Convert it to a tiled, pyramidal TIFF.",
            )
        return _samples(picture)


def picture_header(path: Path) -> Header:
    """Read a picture's header and no pixels.

    Raises
    ------
    SlideError
        If the header cannot be read.
    """
    with _opened(path) as picture:
        meta = {str(key): value for key, value in picture.info.items()}
        deep = picture.mode.startswith(("I", "F"))
        return Header(picture.width, picture.height, deep, str(picture.format), meta)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit says what to do instead
    try:
        # By its handle: Pillow maps files that it knows by name, and a mapped file that shrinks ends the process.
        with path.open("rb") as file, Image.open(file) as picture:
            yield picture
    except SlideError:
        raise
    except Exception as error:  # damaged files make codecs raise many kinds
        raise SlideError(f"Cannot open {path.name}", _reason(error), "Copy it again from its source.") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    if "cannot identify" in text:
        return "it is empty, damaged, or not an image this program knows"
    return f"the image is damaged ({text or type(error).__name__})"


def _samples(picture: Any) -> tuple[Raw, PixelFormat]:
    mode = picture.mode
    if mode == "P" and "transparency" not in picture.info:
        palette = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return np.asarray(picture), PixelFormat(PALETTE, colormap=palette)
    if mode == "CMYK":
        return np.asarray(picture), PixelFormat(CMYK)
    if mode in ("1", "L", "I;16", "I;16B", "I;16L", "I", "F"):
        samples = np.asarray(picture)
        if samples.dtype == np.int32 and samples.size and samples.min() >= 0 and samples.max() < 65536:
            samples = samples.astype(np.uint16)
        return samples, PixelFormat(MIN_IS_BLACK)
    if mode == "RGB":
        return np.asarray(picture), PixelFormat(PHOTO_RGB)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa", "P"):
        return np.asarray(picture.convert("RGBA")), PixelFormat(PHOTO_RGB, alpha="straight")
    return np.asarray(picture.convert("RGB")), PixelFormat(PHOTO_RGB)


def ranged(pixel_format: PixelFormat, samples: list[Raw]) -> PixelFormat:
    """The format with the range of these samples' values."""
    colour = bool(samples) and samples[0].ndim == 3 and samples[0].shape[2] >= 3
    if pixel_format.photometric == PALETTE:
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
