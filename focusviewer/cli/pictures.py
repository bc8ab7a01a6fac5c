"""Writing pictures that say how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from focusviewer import __version__
from focusviewer.core.arrays import RGB
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.core.json_text import to_json_text

PICTURE_SUFFIXES = (".png", ".tif", ".tiff")


def write_picture(path: Path, pixels: RGB, what: str, facts: Mapping[str, Any], mpp: float | None) -> None:
    """Write a PNG or TIFF with its origin inside the file; its folder is made.

    PNG: text chunks ``Software``, ``Description`` and ``FocusViewer`` (the facts as JSON). TIFF: the tags Software
    and ImageDescription (the same JSON). Both state the pixel size as their resolution.

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
        If the file cannot be written.
    """
    document = {
        "description": what,
        "software": f"FocusViewer {__version__}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "mpp": mpp,
        **facts,
    }
    output_folder(path.parent)
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".png":
            _write_png(temporary, pixels, document, mpp)
        else:
            _write_tiff(temporary, pixels, document, mpp)


def _write_png(path: Path, pixels: RGB, document: Mapping[str, Any], mpp: float | None) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_text("Software", document["software"])
    text.add_text("Description", document["description"])
    text.add_itxt("FocusViewer", to_json_text(document))
    options: dict[str, Any] = {} if mpp is None else {"dpi": (25400 / mpp, 25400 / mpp)}
    Image.fromarray(pixels).save(path, pnginfo=text, compress_level=4, **options)


def _write_tiff(path: Path, pixels: RGB, document: Mapping[str, Any], mpp: float | None) -> None:
    import json

    import tifffile

    from focusviewer.core.json_text import plain

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
        # Tags of TIFF are 7-bit text: letters outside ASCII go in as JSON escapes.
        description=json.dumps(plain(document), ensure_ascii=True),
        metadata=None,
        **scale,
    )
