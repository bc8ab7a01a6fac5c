"""The mark of computed pixels: its text, its reader, and the one writer of pictures that carry it."""

from focusviewer.slides.marks.mark import (
    STATEMENT,
    computed_pixels,
    is_mark,
    mark_text,
    xmp_description,
    xmp_packet,
)

__all__ = ["STATEMENT", "computed_pixels", "is_mark", "mark_text", "xmp_description", "xmp_packet"]
