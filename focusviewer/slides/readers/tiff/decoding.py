"""From the bytes of a tile or strip to its samples: which codec, and whether what they claim fits their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import UnsupportedError, UnsureError
from focusviewer.slides.files.limits import BLOCK_PX, check_memory
from focusviewer.slides.pixels import YCBCR, Raw
from focusviewer.slides.readers.codestreams import Sizer, jpeg2000_claim, jpeg_claim, png_claim, webp_claim

Decoder = Callable[[bytes, int], "Raw | None"]
"""(bytes of a tile, its index) -> samples (H, W) or (H, W, samples) as stored."""

HEAD_BYTES = 4096
"""Bytes of the first tile that :func:`decoder` looks at."""

_OLD_JPEG, _JPEG, _JPEG2000_YCBCR = 6, 7, 33003
_JPEGS = (_OLD_JPEG, _JPEG, 33007, 34892)
_JPEG2000S = (_JPEG2000_YCBCR, 33004, 33005, 34712)
_WHOLE = {22610: "jpegxr_decode", 34934: "jpegxr_decode", 50002: "jpegxl_decode", 52546: "jpegxl_decode"}
"""Codecs whose headers are not read here: they are given the tile to fill, and refuse to fill another one."""

_CLAIMS: dict[int, Sizer] = {
    **dict.fromkeys(_JPEGS, jpeg_claim),
    **dict.fromkeys(_JPEG2000S, jpeg2000_claim),
    34933: png_claim,
    **dict.fromkeys((34927, 50001), webp_claim),
}

YCBCR_CODECS = (_OLD_JPEG, _JPEG, _JPEG2000_YCBCR, 33005, 34712)
"""Compressions whose decoders turn YCbCr into RGB."""


def sample_bits(page: Any) -> int:
    """Bits per sample; the most of them where they differ."""
    bits = page.bitspersample
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)


def describe(page: Any) -> str:
    """A page's kind in words, for messages: compression, colours, samples."""
    names = {6: "old-style JPEG", 7: "JPEG", 8: "deflate", 1: "no"}
    compression = names.get(int(page.compression), str(getattr(page.compression, "name", "unknown")))
    colours = str(getattr(page.photometric, "name", page.photometric))
    kind = {1: "", 2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}.get(int(page.sampleformat), "")
    return (
        f"a TIFF file with {compression} compression ({int(page.compression)}), "
        f"{int(page.samplesperpixel)} x {sample_bits(page)} {kind}bits, {colours}"
    )


def check_tile_memory(page: Any, width: int, height: int, name: str) -> None:
    """Refuse tiles or strips that cannot be held in memory.

    Raises
    ------
    LimitError
    """
    dtype = np.dtype(page.dtype or np.uint8)
    stored = int(page.samplesperpixel) * dtype.itemsize
    copies = 1 if int(page.compression) in _CLAIMS or int(page.predictor) == 1 else 2
    plain = dtype == np.uint8 and int(page.samplesperpixel) == 3
    what = f"a {'tile' if page.is_tiled else 'strip'} of {width:,} x {height:,} pixels"
    check_memory(name, what, width * height * (stored * copies + (0 if plain else 3)))


def decoder(page: Any, head: bytes, name: str) -> Decoder:
    """How the tiles or strips of a page are decoded.

    8-bit JPEG and JPEG 2000 go straight to the codec, with the colour space the page declares; everything else goes
    through tifffile's decoder. Codecs release the interpreter lock. What a tile claims in its own header is compared
    with its place before the codec takes memory for it.

    Parameters
    ----------
    page : tifffile.TiffPage
    head : bytes
        The first HEAD_BYTES of the first tile that the file holds; empty when it holds none.
    name : str
        File name, for messages.

    Raises
    ------
    UnsupportedError
        If no codec here reads this kind of page.
    UnsureError
        If another reader knows it better.
    """
    decode = _codec(page, head)
    claims = _CLAIMS.get(int(page.compression))
    if claims is None:
        return decode
    width, height = _place(page)
    tables = None if page.jpegtables is None else jpeg_claim(page.jpegtables)
    if tables is not None and (tables.width > width + BLOCK_PX or tables.height > height + BLOCK_PX):
        raise _contradiction(name, tables.width, tables.height, width, height)
    most = max(4, int(page.samplesperpixel))
    if page.jpegheader:
        # Hamamatsu: one header, of the whole picture, for all strips.
        claim = jpeg_claim(page.jpegheader)
        if claim is not None and (claim.width > page.imagewidth or claim.height > page.imagelength):
            raise _contradiction(name, claim.width, claim.height, page.imagewidth, page.imagelength)
        return decode

    def checked(data: bytes, index: int) -> Raw | None:
        claim = claims(data)
        if claim is not None and (
            claim.width > width + BLOCK_PX or claim.height > height + BLOCK_PX or claim.samples > most
        ):
            raise _contradiction(name, claim.width, claim.height, width, height)
        return decode(data, index)

    return checked


def _place(page: Any) -> tuple[int, int]:
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), min(int(page.rowsperstrip), int(page.imagelength))


def _contradiction(name: str, width: int, height: int, place_width: int, place_height: int) -> SlideError:
    return SlideError(
        f"Cannot read part of {name}",
        f"a tile claims {width:,} x {height:,} pixels, and its place, the limit, is {place_width:,} x {place_height:,}",
        "The file is damaged there; other parts stay usable.",
    )


def _codec(page: Any, head: bytes) -> Decoder:
    samples, compression = int(page.samplesperpixel), int(page.compression)
    apart = int(page.planarconfig) == 2 and samples > 1
    plain = page.bitspersample == 8 and samples in (1, 3) and not apart and int(page.sampleformat) == 1
    if plain and page.is_tiled and compression == _JPEG and not page.jpegheader:
        return _jpeg(page, samples)
    if plain and page.is_tiled and compression in _JPEG2000S:
        return _jpeg2000(compression, head, samples)
    if plain and page.is_tiled and compression == 1 and int(page.predictor) == 1 and int(page.fillorder) == 1:
        shape = (int(page.tilelength), int(page.tilewidth), samples)
        return lambda data, _index: np.frombuffer(data, np.uint8, int(np.prod(shape))).reshape(shape)
    if compression == _OLD_JPEG and head and not head.startswith(b"\xff\xd8"):
        raise UnsupportedError(f"{describe(page)}, without the streams of today's JPEG")
    if compression in _WHOLE:
        return _filled(page, _WHOLE[compression], 1 if apart else samples)
    return _generic(page)


def _generic(page: Any) -> Decoder:
    try:
        decode = page.decode
        decode(None, 0)  # decodes nothing, but tells whether it could
    except (ValueError, NotImplementedError, ImportError) as error:
        raise UnsupportedError(f"{describe(page)} ({error})") from error
    tables, header = page.jpegtables, page.jpegheader
    special: dict[str, Any] = {"jpegtables": tables, "jpegheader": header} if tables or header else {}

    def generic(data: bytes, index: int) -> Raw | None:
        segment = decode(data, index, **special)[0]
        if segment is None:
            return None
        image: Raw = segment[0]
        return image[..., 0] if image.shape[-1] == 1 else image

    return generic


def _filled(page: Any, codec: str, samples: int) -> Decoder:
    import imagecodecs

    decode, (width, height), rows = getattr(imagecodecs, codec), _place(page), int(page.imagelength)
    dtype = np.dtype(page.dtype)

    def filled(data: bytes, index: int) -> Raw:
        lines = height
        if not page.is_tiled:
            lines = min(height, rows - index % -(-rows // height) * height)
        shape = (lines, width) if samples == 1 else (lines, width, samples)
        image: Raw = decode(data, out=np.empty(shape, dtype))
        return image

    return filled


def _jpeg(page: Any, samples: int) -> Decoder:
    from imagecodecs import jpeg8_decode

    tables = page.jpegtables
    if samples == 1:
        return lambda data, _index: jpeg8_decode(data, tables=tables)
    declared = "YCBCR" if int(page.photometric) == YCBCR else "RGB"

    def decode(data: bytes, _index: int) -> Raw:
        # Aperio stores RGB without a marker, and the page is right; a stream that names its own colour space
        # (JFIF, Adobe) is right against the page, which some writers fill in wrongly.
        space = None if declared == "RGB" and data[2:4] in (b"\xff\xe0", b"\xff\xee") else declared
        image: Raw = jpeg8_decode(data, tables=tables, colorspace=space, outcolorspace="RGB")
        return image

    return decode


def _jpeg2000(compression: int, head: bytes, samples: int) -> Decoder:
    from imagecodecs import jpeg2k_decode

    if head:
        _check_codestream(head, samples)
    if compression == _JPEG2000_YCBCR and samples == 3:
        return lambda data, _index: ycbcr_to_rgb(jpeg2k_decode(data, numthreads=1))
    return lambda data, _index: jpeg2k_decode(data, numthreads=1)


def _check_codestream(data: bytes, samples: int) -> None:
    """Look at the SIZ marker of a JPEG 2000 codestream; subsampled colour is left to other readers."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise UnsureError("not a plain JPEG 2000 codestream")
    count = int.from_bytes(data[start + 40 : start + 42], "big")
    components = data[start + 42 : start + 42 + 3 * count]
    if count != samples or any(components[3 * i : 3 * i + 3] != b"\x07\x01\x01" for i in range(count)):
        raise UnsureError("JPEG 2000 components of unequal size or depth")


def ycbcr_to_rgb(ycc: npt.NDArray[np.uint8]) -> RGB:
    """Full-range YCbCr (ITU-T T.871) to RGB, uint8 (H, W, 3)."""
    y, cb, cr = (ycc[..., i].astype(np.float32) for i in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)
