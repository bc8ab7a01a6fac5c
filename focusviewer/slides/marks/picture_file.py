"""Writing pictures that say how they were made: every PNG, JPEG and TIFF of computed pixels comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from focusviewer import __version__
from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.slides.marks.mark import mark_text

PNG = (".png",)
JPEG = (".jpg", ".jpeg")
TIFF = (".tif", ".tiff")
WRITTEN_SUFFIXES = (*PNG, *TIFF, *JPEG)
"""Names of pictures that can be written."""

JPEG_QUALITY = 95
_MAX_JPEG_PX = 65_535
_MAX_JPEG_TEXT = 60_000
_IMAGE_DESCRIPTION, _SOFTWARE, _X, _Y, _UNIT = 270, 305, 282, 283, 296
_CENTIMETRE = 3


def write_picture(path: Path, pixels: RGB, what: str, facts: Mapping[str, Any], mpp: float | None) -> None:
    """Write a PNG, JPEG or TIFF with its origin inside the file.

    The facts are the mark of :mod:`focusviewer.slides.marks.mark`. PNG: text chunks ``Software``, ``Description`` and
    ``FocusViewer`` (the mark). TIFF and the EXIF of JPEG: the tags Software and ImageDescription (the mark). All state
    the pixel size as their resolution.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    what : str
        First words of the description, e.g. ``synthesised by FocusViewer``.
    facts : mapping
        How it was made: engine, planes, target and so on.
    mpp : float or None
        Pixel size in um.

    Raises
    ------
    UserError
        For another file type, a picture too large for it, or if the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITTEN_SUFFIXES:
        shown = f"“{suffix}” is not a picture type that is written"
        raise UserError(f"Cannot save {path.name}", shown, f"Use {', '.join(WRITTEN_SUFFIXES)}.")
    if suffix in JPEG and max(pixels.shape[:2]) > _MAX_JPEG_PX:
        raise UserError(f"Cannot save {path.name}", f"a JPEG holds up to {_MAX_JPEG_PX} pixels a side", "Use .tif.")
    document = _document(what, facts, mpp)
    with atomic_write(path) as temporary:
        if suffix in PNG:
            _write_png(temporary, pixels, document)
        elif suffix in JPEG:
            _write_jpeg(temporary, pixels, document)
        else:
            _write_tiff(temporary, pixels, document)


def png_bytes(pixels: RGB, what: str, facts: Mapping[str, Any], mpp: float | None) -> bytes:
    """The PNG that :func:`write_picture` would write, for the clipboard."""
    stream = BytesIO()
    _write_png(stream, pixels, _document(what, facts, mpp))
    return stream.getvalue()


def _document(what: str, facts: Mapping[str, Any], mpp: float | None) -> dict[str, Any]:
    return {
        "description": what,
        "software": f"FocusViewer {__version__}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "mpp": mpp,
        **facts,
    }


def _write_png(target: Path | IO[bytes], pixels: RGB, document: Mapping[str, Any]) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text("Software", document["software"])
    text.add_itxt("Description", document["description"])
    text.add_itxt("FocusViewer", mark_text(document))
    mpp = document["mpp"]
    options: dict[str, Any] = {} if mpp is None else {"dpi": (25400 / mpp, 25400 / mpp)}
    Image.fromarray(pixels).save(target, "PNG", pnginfo=text, compress_level=4, **options)


def _write_jpeg(path: Path, pixels: RGB, document: Mapping[str, Any]) -> None:
    from PIL import Image

    exif = Image.Exif()
    # A block of EXIF holds 64 KB; the statement stands first, and long lists behind it may go.
    exif[_IMAGE_DESCRIPTION] = mark_text(document)[:_MAX_JPEG_TEXT]
    exif[_SOFTWARE] = document["software"]
    mpp = document["mpp"]
    if mpp is not None:  # the header's own density has 16 bits, too few for pixels of a microscope
        exif[_X] = exif[_Y] = 1e4 / mpp
        exif[_UNIT] = _CENTIMETRE
    Image.fromarray(pixels).save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, exif=exif)


def _write_tiff(path: Path, pixels: RGB, document: Mapping[str, Any]) -> None:
    import tifffile

    mpp = document["mpp"]
    scale: dict[str, Any] = (
        {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    )
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression="zlib",
        tile=(256, 256),
        software=document["software"],
        description=mark_text(document),
        metadata=None,
        **scale,
    )
