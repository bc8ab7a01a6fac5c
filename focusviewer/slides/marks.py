"""Reads the marks of files with computed pixels, so that they are not taken for a scan when they are opened again."""

from __future__ import annotations

import re

from focusviewer.slides.base import SlideInfo

_PLACES = ("ome.Description", "picture.FocusViewer", "picture.Description", "tiff.ImageDescription")
_ENGINE = re.compile(r'"engine": "([\w .-]+)"')


def computed_pixels(info: SlideInfo) -> str | None:
    """One line about the computed pixels of a file of ours; None for scans, and for acquired planes saved as such."""
    texts = [info.properties.get(place, "") for place in _PLACES]
    if any('"synthesised": false' in text for text in texts):
        return None
    for text in texts:
        if "synthesised" in text and "not for diagnosis" in text:
            found = _ENGINE.search(" ".join(texts))
            by = f" by the engine {found[1]}" if found else ""
            return f"computed{by}, not scanned; not for diagnosis"
    return None
