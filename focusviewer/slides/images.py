"""Plain pictures: PNG, JPEG, BMP and whatever else Pillow reads, held decoded in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.errors import SlideError
from focusviewer.slides.base import RGB, Level, Region, Slide, SlideInfo, usable_mpp
from focusviewer.slides.pixels import CMYK, MIN_IS_BLACK, PALETTE, PHOTO_RGB, PixelFormat, Raw, value_range, white
from focusviewer.slides.rawfile import fingerprint

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2", ".ppm", ".pgm"})
"""Names that a plane of a stack or a plain picture may end with."""

MAX_PIXELS = 600_000_000
"""Larger pictures would not fit beside everything else: they have to be tiled TIFF."""


class ArraySlide(Slide):
    """An image that is in memory.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    info : SlideInfo
    """

    def __init__(self, pixels: RGB, info: SlideInfo) -> None:
        self._pixels: RGB | None = pixels
        self.info = info

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`."""
        pixels = self._pixels
        if pixels is None:
            raise SlideError(f"Cannot read {self.name}", "the slide has been closed")
        if region.level or region.plane:
            raise IndexError(f"{self.name} has one level and one plane")
        out = white(region.height, region.width)
        height, width = pixels.shape[:2]
        x0, x1 = max(region.x, 0), min(region.x + region.width, width)
        y0, y1 = max(region.y, 0), min(region.y + region.height, height)
        if x1 > x0 and y1 > y0:
            out[y0 - region.y : y1 - region.y, x0 - region.x : x1 - region.x] = pixels[y0:y1, x0:x1]
        return out

    def close(self) -> None:
        """Release the memory."""
        self._pixels = None


def decode_picture(path: Path) -> tuple[Raw, PixelFormat, str, dict[str, Any]]:
    """Decode a picture with Pillow.

    Returns
    -------
    samples (H, W) or (H, W, n), their pixel format without a value range, the format's name, Pillow's info

    Raises
    ------
    SlideError
        If it is damaged or too large.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit below says what to do instead
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise SlideError(
                    f"Cannot open {path.name}",
                    f"{picture.width} x {picture.height} pixels are too many for a plain picture",
                    "Convert it to a tiled, pyramidal TIFF.",
                )
            info: dict[str, Any] = {str(key): value for key, value in picture.info.items()}
            raw, pixel_format = _samples(picture)
            return raw, pixel_format, str(picture.format), info
    except SlideError:
        raise
    except UnidentifiedImageError as error:
        raise SlideError(f"Cannot open {path.name}", "it is not an image this program knows", "") from error
    except OSError as error:
        raise SlideError(f"Cannot open {path.name}", _reason(error), "Copy it again from its source.") from error
    except Exception as error:  # damaged files make codecs raise many kinds
        raise SlideError(f"Cannot open {path.name}", f"the image is damaged ({error})", "") from error


def picture_header(path: Path) -> tuple[int, int, bool]:
    """Width, height, and whether samples have more than 8 bits, from the header alone.

    Raises
    ------
    SlideError
        If the header cannot be read.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as picture:
            return picture.width, picture.height, picture.mode.startswith(("I", "F"))
    except Exception as error:
        raise SlideError(f"Cannot read {path.name}", _reason(error), "Copy it again from its source.") from error


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
    return PixelFormat(pixel_format.photometric, pixel_format.alpha, pixel_format.colormap, low, high)


def open_picture(path: Path) -> Slide:
    """Open a plain picture as a slide of one level.

    Raises
    ------
    SlideError
        If it cannot be decoded.
    """
    raw, pixel_format, kind, meta = decode_picture(path)
    pixels = ranged(pixel_format, [raw]).rgb(raw)
    dpi = meta.get("dpi")
    stated = 25400.0 / float(dpi[0]) if dpi and float(dpi[0]) > 1 else None
    icc = meta.get("icc_profile")
    info = SlideInfo(
        path=path,
        format=kind,
        vendor=None,
        levels=(Level(pixels.shape[1], pixels.shape[0], 1.0),),
        stated_mpp=stated,
        mpp=usable_mpp(stated),
        properties={
            f"picture.{key}": str(value) for key, value in meta.items() if isinstance(value, str | int | float)
        },
        icc_profile=icc if isinstance(icc, bytes) else None,
        fingerprint=fingerprint(path),
    )
    return ArraySlide(pixels, info)
