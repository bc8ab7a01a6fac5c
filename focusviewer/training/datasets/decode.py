"""Any image file to uint8 RGB, and what its header says without decoding it.

8-bit samples are taken as they are. Gray images with more bits are stretched between the 0.1 and 99.9 percentiles, the
range taken once for all planes of a stack; colour images keep their proportions, full scale being the number of bits
really used. CMYK and palettes are converted, gray is repeated to three channels, alpha is laid over white.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.pixels import PALETTE, PixelFormat, Raw
from focusviewer.slides.readers.pictures import decode_picture, ranged
from focusviewer.slides.readers.tiff.pages import page_format
from focusviewer.training.datasets.records import DatasetError

Limits = tuple[float, float] | None
"""Stored values shown as black and white; None when an image has a range of its own."""

TIFF = frozenset({".tif", ".tiff"})
_JPEG = (6, 7)


@dataclass(frozen=True)
class Decoded:
    """Samples as stored, (H, W) or (H, W, n), and how they become RGB."""

    raw: Raw
    format: PixelFormat

    @property
    def stretched(self) -> bool:
        """Whether the image is gray with more than 8 bits, so that its range has to be found."""
        gray = self.raw.ndim == 2 or self.raw.shape[2] < 3
        return gray and self.raw.dtype not in (np.uint8, np.bool_) and self.format.photometric != PALETTE


@dataclass(frozen=True)
class Facts:
    """What a header says: size in pixels, bits per sample."""

    width: int
    height: int
    bits: int


def read_rgb(path: Path, limits: Limits = None) -> RGB:
    """One image, uint8 (H, W, 3).

    Raises
    ------
    DatasetError
        If the file is missing, damaged, holds several images, or has a colour model we do not convert.
    """
    decoded = decode(path)
    if limits is not None and decoded.stretched:
        form = replace(decoded.format, low=limits[0], high=limits[1])
    else:
        form = ranged(decoded.format, [decoded.raw])
    return form.rgb(decoded.raw)


def decode(path: Path) -> Decoded:
    """One image as it is stored.

    Raises
    ------
    DatasetError
        See :func:`read_rgb`.
    """
    if not path.is_file():
        raise DatasetError(f"Cannot read {path}", "there is no such file", "Download the data set again.")
    try:
        return _decode_tiff(path) if path.suffix.lower() in TIFF else Decoded(*decode_picture(path))
    except SlideError as error:
        raise DatasetError(f"Cannot read {path}", error.why, "Download that file again.") from error
    except DatasetError:
        raise
    except Exception as error:  # damaged files make codecs raise many kinds
        why = f"the image is damaged ({error or type(error).__name__})"
        raise DatasetError(f"Cannot read {path}", why, "Download that file again.") from error


def facts(path: Path) -> Facts:
    """Size and bit depth from the header alone.

    Raises
    ------
    DatasetError
        If the header cannot be read.
    """
    try:
        if path.suffix.lower() in TIFF:
            import tifffile

            _quiet()
            with tifffile.TiffFile(path) as tif:
                page: Any = tif.pages[0]
                return Facts(int(page.imagewidth), int(page.imagelength), int(np.dtype(page.dtype).itemsize) * 8)
        from PIL import Image

        with Image.open(path) as picture:
            return Facts(picture.width, picture.height, _picture_bits(path, picture))
    except Exception as error:
        raise DatasetError(
            f"Cannot read {path}", f"its header is damaged ({error or type(error).__name__})", "Download it again."
        ) from error


def shared_limits(paths: Sequence[Path]) -> Limits:
    """Range that all planes of a stack are shown with, found on the first, middle and last of them.

    Stretching each plane by itself would give a blurred plane the contrast of a sharp one.

    Returns
    -------
    (low, high), or None when the planes are not gray with more than 8 bits
    """
    picks = sorted({0, len(paths) // 2, len(paths) - 1})
    decoded = [decode(paths[index]) for index in picks]
    if not all(one.stretched for one in decoded):
        return None
    form = ranged(decoded[0].format, [one.raw for one in decoded])
    return None if form.low is None or form.high is None else (form.low, form.high)


def _decode_tiff(path: Path) -> Decoded:
    import tifffile

    _quiet()
    with tifffile.TiffFile(path) as tif:
        if len(tif.pages) > 1:
            why = f"it holds {len(tif.pages)} pages where one image is expected"
            raise DatasetError(f"Cannot read {path}", why, "Open it as a stack.")
        page: Any = tif.pages[0]
        size = path.stat().st_size
        needed = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if needed > size:
            why = f"it is cut off: {size:,} bytes, and its pixels need {needed:,}"
            raise DatasetError(f"Cannot read {path}", why, "Download that file again.")
        pixels = np.asarray(page.asarray())
        if int(page.planarconfig) == 2 and int(page.samplesperpixel) > 1 and pixels.ndim == 3:
            pixels = np.moveaxis(pixels, 0, -1)
        # tifffile has turned JPEG samples into RGB already
        converted = int(page.compression) in _JPEG and pixels.ndim == 3
        return Decoded(pixels, PixelFormat() if converted else page_format(page))


def _picture_bits(path: Path, picture: Any) -> int:
    if picture.format == "PNG":
        with path.open("rb") as file:
            return max(8, file.read(25)[24])  # Pillow shows 16-bit colour as 8; the header says what it is
    return 16 if picture.mode.startswith("I;16") else 32 if picture.mode in ("I", "F") else 8


def _quiet() -> None:
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
