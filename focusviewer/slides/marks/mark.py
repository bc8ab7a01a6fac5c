"""The mark of computed pixels: what every file that holds some says, and how it is found when such a file is opened.

There is one mark, a JSON document that begins with its ``statement``. It stands where the kind of file keeps text: the
chunk ``FocusViewer`` of PNG, ImageDescription of TIFF and of the EXIF of JPEG, the OME description of pyramids, the
comment of GIF, the XMP description of WebP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from focusviewer.core.json_text import plain
from focusviewer.slides.base import SlideInfo

STATEMENT = "synthesised; not for diagnosis"
"""What every file with synthesised pixels says."""

_ENGINE = re.compile(r'"engine": "([\w .-]+)"')
_DC = "{http://purl.org/dc/elements/1.1/}description"


def mark_text(facts: Mapping[str, Any]) -> str:
    """The mark of a file as JSON in one line of ASCII, the statement first, so that no reader cuts it off.

    Parameters
    ----------
    facts : mapping
        How the pixels were made; ``statement`` says whether they were computed.
    """
    first = {"statement": facts["statement"]} if "statement" in facts else {}
    return json.dumps(plain({**first, **facts}), ensure_ascii=True, allow_nan=False)


def is_mark(text: str) -> bool:
    """Whether a text of a file says that its pixels were computed."""
    return STATEMENT in text


def computed_pixels(info: SlideInfo) -> str | None:
    """One line about the computed pixels of a file of ours; None for scans, and for acquired planes saved as such."""
    texts = [text for text in info.properties.values() if is_mark(text)]
    if not texts:
        return None
    found = _ENGINE.search(" ".join(texts))
    by = f" by the engine {found[1]}" if found else ""
    return f"computed{by}, not scanned; not for diagnosis"


def xmp_packet(text: str) -> bytes:
    """A text as the description of an XMP packet."""
    from xml.sax.saxutils import escape

    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(text)}</rdf:li></rdf:Alt></dc:description>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def xmp_description(packet: bytes) -> str:
    """The description in an XMP packet; empty when there is none that can be read."""
    begin, end = packet.find(b"<x:xmpmeta"), packet.rfind(b"</x:xmpmeta>")
    if begin < 0 or end < 0 or b"<!" in packet:  # declared entities can make a short packet a long text
        return ""
    try:
        root = ElementTree.fromstring(packet[begin : end + len(b"</x:xmpmeta>")])
    except ElementTree.ParseError:
        return ""
    found = next(root.iter(_DC), None)
    return "" if found is None else "".join(found.itertext()).strip()
