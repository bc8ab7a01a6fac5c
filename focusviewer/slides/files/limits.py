"""How much a file may ask for: one number for each kind of too much, checked before anything is reserved for it."""

from __future__ import annotations

import re

from focusviewer.core.errors import SlideError

MAX_PAGES = 20_000
"""Pages (image file directories) of a TIFF file, those of one page's pyramid among them."""

MAX_TAGS = 4096
"""Tags of one page."""

MAX_DESCRIPTION_BYTES = 32 << 20
"""A page's description; as XML it takes ten times as much in memory."""


MAX_DECODING_BYTES = 1536 << 20
"""Memory that decoding one picture without a pyramid, or one tile or strip, may take: 230 million RGB pixels."""

MAX_PIXELS_WITHOUT_PYRAMID = 40_000_000_000
"""Pixels of a level from which coarser ones have to be made: an overview reads them all, six minutes at 100 Mpx/s."""

MAX_FRAMES = 10_000
"""Frames of one picture file (TIFF, GIF, WebP) that are taken for focal planes."""

MAX_PLANES = 10_000
"""Focal planes of one stack."""

MAX_FILES_LOOKED_AT = 20_000
"""Files of one folder whose first bytes are looked at, to find the parts of a slide."""

BLOCK_PX = 16
"""Pixels by which a compressed tile may exceed its place: encoders round up to whole blocks."""

TILED_ADVICE = "Convert it to a tiled, pyramidal TIFF."


class LimitError(SlideError):
    """A file that asks for more than any real one does; no other reader is to try it.

    Parameters
    ----------
    name : str
        Of the file.
    found : str
        What it asks for, as a sentence without its end: ``it has 500,000 pages``.
    limit : str
        The limit in the same unit: ``20,000``.
    advice : str
        What the user can do about it.
    """

    def __init__(self, name: str, found: str, limit: str, advice: str = "") -> None:
        advice = advice or "It is damaged or made to be so; if not, write it anew in smaller parts."
        super().__init__(f"Cannot open {name}", f"{found}, and the limit is {limit}", advice)


def check_limit(name: str, what: str, value: int, limit: int) -> None:
    """Refuse a file that asks for too many of something.

    Parameters
    ----------
    what : str
        Sentence with ``{}`` for the value: ``it has {} pages``.

    Raises
    ------
    LimitError
    """
    if value > limit:
        raise LimitError(name, what.format(f"{value:,}"), f"{limit:,}")


def check_xml(name: str, text: str) -> None:
    """Refuse XML that defines entities: descriptions of images need none, and they can grow without end.

    Raises
    ------
    LimitError
    """
    if re.search(r"<!\s*ENTITY", text):
        raise LimitError(name, "its description defines XML entities", "none", "Copy it again from its source.")


def check_memory(name: str, what: str, nbytes: int, advice: str = TILED_ADVICE) -> None:
    """Refuse what would take more than MAX_DECODING_BYTES at once.

    Parameters
    ----------
    what : str
        What has to be decoded, with its size in pixels.

    Raises
    ------
    LimitError
    """
    if nbytes > MAX_DECODING_BYTES:
        raise LimitError(name, f"{what} takes {_gb(nbytes)} of memory at once", _gb(MAX_DECODING_BYTES), advice)


def _gb(nbytes: int) -> str:
    return f"{nbytes / 1e9:,.1f} GB"
