"""The benchmark slide: a large tiled JPEG slide made in seconds from one field of phantom tissue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from focusviewer.core import files
from focusviewer.core.arrays import RGB

VERSION = 2
TILE_PX = 256
FIELD_TILES = 8
TILES = (64, 48)  # columns, rows: 16,384 x 12,288 px
MPP = 0.25
_QUALITY = 85
_MARGIN_TILES = 4  # glass around the tissue


def bench_slide() -> Path:
    """The benchmark slide in the user's cache folder, made when it is not there.

    An Aperio-style pyramid (JPEG tiles of 256 px, levels 1, 4 and 16) of 16,384 x 12,288 px at 0.25 um: one field
    of phantom tissue repeated, glass around it. Level 0 repeats the same encoded tiles, so it takes seconds to make;
    a decoder cannot tell, since every tile is stored and read for itself.
    """
    path = files.cache_dir() / f"bench-{VERSION}.svs"
    if not path.exists():
        with files.atomic_write(path) as temporary:
            write_bench_slide(temporary)
    return path


def write_bench_slide(path: Path, tiles: tuple[int, int] = TILES) -> None:
    """Write the slide.

    Parameters
    ----------
    tiles : (columns, rows)
        Size in tiles of 256 px; multiples of 16 keep all levels aligned.
    """
    import tifffile

    field = _field()
    columns, rows = tiles
    text = (
        f"Aperio Image Library (FocusViewer benchmark)\r\n{columns * TILE_PX}x{rows * TILE_PX} "
        f"({TILE_PX}x{TILE_PX}) JPEG/YCC Q={_QUALITY}|AppMag = {10 / MPP:.0f}|MPP = {MPP}|Title = phantom tissue"
    )
    with tifffile.TiffWriter(path, bigtiff=False) as writer:
        for level, factor in enumerate((1, 4, 16)):
            shape = rows * TILE_PX // factor, columns * TILE_PX // factor
            writer.write(
                _tiles(_shrink(field, factor), factor, tiles),
                shape=(*shape, 3),
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                description=text if level == 0 else f"Aperio Image Library {columns * TILE_PX}x{rows * TILE_PX} level",
                metadata=None,
                subfiletype=0 if level == 0 else 1,
            )


def _field() -> RGB:
    """One field of tissue, FIELD_TILES tiles each way, out of focus towards its right side."""
    from focusviewer.optics import Camera, image_section
    from focusviewer.simulation.phantom.tissue import phantom_section

    side = FIELD_TILES * TILE_PX
    section = phantom_section(7, side, side, mpp=MPP)
    camera, rng = Camera(), np.random.default_rng(7)
    middle = float(section.z_um.mean())
    sharp, soft = (camera.capture(image_section(section, middle + z), rng) for z in (0.0, 2.0))
    sharp[:, side // 2 :] = soft[:, side // 2 :]
    return sharp


def _shrink(image: RGB, factor: int) -> RGB:
    if factor == 1:
        return image
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image.reshape(height, factor, width, factor, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round(), dtype=np.uint8)


def _tiles(field: RGB, factor: int, tiles: tuple[int, int]) -> Iterator[bytes]:
    """Encoded tiles of one level in order; equal tiles are encoded once."""
    import imagecodecs

    encoded: dict[bytes, bytes] = {}
    columns, rows = tiles
    for row in range(-(-rows // factor)):
        for column in range(-(-columns // factor)):
            pixels = _tile(field, factor, tiles, column, row)
            key = pixels.tobytes()
            if key not in encoded:
                coded = imagecodecs.jpeg8_encode(pixels, level=_QUALITY, outcolorspace="YCbCr", subsampling="420")
                encoded[key] = bytes(coded)
            yield encoded[key]


def _tile(field: RGB, factor: int, tiles: tuple[int, int], column: int, row: int) -> RGB:
    """Pixels of one tile: the field repeated over the slide, glass in the margin."""
    columns, rows = (count * TILE_PX // factor for count in tiles)
    y = np.arange(row * TILE_PX, (row + 1) * TILE_PX)
    x = np.arange(column * TILE_PX, (column + 1) * TILE_PX)
    pixels = field[np.ix_(y % field.shape[0], x % field.shape[1])]
    margin = _MARGIN_TILES * TILE_PX // factor
    glass = (y < margin)[:, None] | (y >= rows - margin)[:, None] | (x < margin) | (x >= columns - margin)
    return np.where(glass[..., None], np.uint8(243), pixels)
