"""What a file is that no reader opens, and what to do with it: told from its first bytes."""

from __future__ import annotations

from pathlib import Path

from focusviewer.core.errors import SlideError

_OPENED = "Slides (SVS, NDPI, MRXS, SCN, DICOM, TIFF ...), focal stacks and plain pictures can be opened."
_EXPORT = "Export it as OME-TIFF or pyramidal TIFF with the program that wrote it."
_PICTURE = "Export it as PNG or TIFF."
_PICTURES = "Export its pictures as PNG or TIFF."
_UNPACK = "Unpack it and open what is inside."

_KINDS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%PDF", "a PDF document", _PICTURES),
    (0, b"%!PS", "a PostScript document", _PICTURES),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Imaris, BigDataViewer or data)", _EXPORT),
    (0, b"\xda\xce\xbe\x0a", "a Nikon ND2 file", _EXPORT),
    (0, b"\x70\x00\x00\x00", "a Leica LIF file", _EXPORT),
    (0, b"ZISRAWFILE", "a Zeiss CZI file of a kind OpenSlide does not read", _EXPORT),
    (0, b"\xd0\xcf\x11\xe0", "a compound file (Olympus OIB, Zeiss ZVI or an Office document)", _EXPORT),
    (128, b"DICM", "a DICOM file that is no whole-slide image", "Open the folder that holds the slide's images."),
    (4, b"ftyp", "a film, or a HEIF or AVIF picture", _PICTURE),
    (0, b"\x8aMNG", "an MNG film", _PICTURE),
    (0, b"RIFF", "a film or sound", _PICTURES),
    (0, b"8BPS", "a Photoshop document", _PICTURE),
    (0, b"#!", "a program", ""),
    (0, b"\x7fELF", "a program", ""),
    (0, b"MZ", "a program", ""),
    (0, b"SQLite format 3", "an SQLite database", "A worklist is opened with File, Open worklist."),
)
"""(offset, bytes there, what the file is, what to do)"""


def not_opened(path: Path, head: bytes) -> SlideError:
    """The error for a file that no reader recognises.

    Parameters
    ----------
    path : Path
    head : bytes
        Its first bytes; 512 tell all kinds.
    """
    for offset, magic, kind, advice in _KINDS:
        if head[offset : offset + len(magic)] == magic:
            return SlideError(f"Cannot open {path.name}", f"it is {kind}, which this program does not read", advice)
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return SlideError(f"Cannot open {path.name}", "its content is plain text, not an image", _OPENED)
    return SlideError(f"Cannot open {path.name}", "its content is not of a kind this program reads", _OPENED)
