"""How the names of slides and pictures end, and TIFF files begin: what is looked for in folders and offered in dialogs.

Which reader opens a file is decided by its content where that tells; names only pick files among others.
"""

from __future__ import annotations

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of a TIFF and of a BigTIFF file."""

SLIDE_SUFFIXES = frozenset(
    {
        ".svs", ".ndpi", ".vms", ".vmu", ".scn", ".mrxs", ".svslide", ".bif", ".czi", ".dcm", ".qptiff",
        ".tif", ".tiff", ".btf", ".tf2", ".tf8",
    }
)  # fmt: skip
"""Names of what scanners write."""

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".tf2", ".tf8"})
"""Names of TIFF files without a dialect of their own."""

PICTURE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".jp2", ".ppm", ".pgm"}
"""Names of plain pictures, and of the planes of a stack that is a folder of them."""

VIEWED_SUFFIXES = SLIDE_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp"}
"""Names of what somebody who opens a folder wants to look at: slides, and the usual pictures."""

COMPANION_SUFFIXES = (".companion.ome", ".ome.xml", ".ome")
"""How the names of OME-XML files end that describe the planes of TIFF files beside them."""
