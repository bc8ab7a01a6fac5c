"""The levels of an OME-TIFF pyramid in the file's chain of images too, for readers that look only there.

OME-TIFF keeps reduced levels aside (tag SubIFDs); OpenSlide and others find levels in the chain of images. One image
can be in both: only the pointers that end each image are to be set.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path


def chain_levels(path: Path) -> None:
    """Link the first image of a TIFF to its reduced levels, and these to one another."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages.first
        levels = first.subifds or ()
        order, big = tiff.byteorder, tiff.is_bigtiff
        offsets = [first.offset, *levels]
    with path.open("r+b") as file:
        for offset, following in pairwise(offsets):
            file.seek(offset)
            count = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))[0]
            file.seek(offset + (8 + 20 * count if big else 2 + 12 * count))
            file.write(struct.pack(order + ("Q" if big else "I"), following))
