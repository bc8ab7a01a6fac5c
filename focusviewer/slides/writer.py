"""Writing simulated slides: pyramidal OME-TIFF files, block by block."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB

TILE = 512
BLOCK = 1024
"""Pixels drawn at once; two tiles."""

QUALITY = 88


def truth_path(slide: Path) -> Path:
    """Where the truth of a simulated slide lies: ``name.ome.tif`` has ``name.truth.npz`` beside it."""
    name = slide.name
    for ending in (".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if name.lower().endswith(ending):
            return slide.with_name(name[: -len(ending)] + ".truth.npz")
    return slide.with_name(slide.stem + ".truth.npz")


def identity(*recipe: object) -> UUID:
    """The UUID of a simulated file: it follows from the recipe, where OME would have a random one."""
    return uuid5(NAMESPACE_OID, repr(recipe))


def encode_tile(pixels: RGB) -> bytes:
    """JPEG of one tile, uint8 (h, w, 3), padded to TILE by repeating its border."""
    import imagecodecs

    h, w = pixels.shape[:2]
    if (h, w) != (TILE, TILE):
        pixels = np.pad(pixels, ((0, TILE - h), (0, TILE - w), (0, 0)), mode="edge")
    pixels = np.ascontiguousarray(pixels)
    return bytes(
        imagecodecs.jpeg8_encode(pixels, level=QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")
    )


def halve(pixels: RGB) -> RGB:
    """Area average of 2 x 2 pixels; an odd last row or column is repeated."""
    h, w = pixels.shape[:2]
    if h % 2 or w % 2:
        pixels = np.pad(pixels, ((0, h % 2), (0, w % 2), (0, 0)), mode="edge")
    wide = pixels.astype(np.uint16)
    total = wide[0::2, 0::2] + wide[1::2, 0::2] + wide[0::2, 1::2] + wide[1::2, 1::2]
    return ((total + 2) >> 2).astype(np.uint8)


def _tiles(image: RGB) -> Iterator[bytes]:
    for y in range(0, image.shape[0], TILE):
        for x in range(0, image.shape[1], TILE):
            yield encode_tile(image[y : y + TILE, x : x + TILE])


def pyramid_levels(width: int, height: int) -> int:
    """How many halvings bring the longer side to 1024 px or less."""
    levels = 0
    while max(width, height) > 1024:
        width, height, levels = -(-width // 2), -(-height // 2), levels + 1
    return levels


def write_pyramid(
    path: Path,
    width: int,
    height: int,
    mpp: float,
    draw: Callable[[int, int, int, int], RGB],
    *,
    threads: int = 2,
    on_block: Callable[[int, int], None] | None = None,
    identity: UUID | None = None,
) -> None:
    """Write a pyramidal OME-TIFF whose finest level is drawn block by block.

    Parameters
    ----------
    path : Path
        File to write (``.ome.tif``).
    width, height : int
        Size of level 0, px.
    mpp : float
        Pixel size, um.
    draw : callable (x, y, width, height) -> uint8 (height, width, 3)
        Called from worker threads.
    on_block : callable (done, total), optional
        Called from this thread; may raise to stop.
    identity : UUID, optional
        Of the image; by default a random one, as OME has it.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import tifffile

    half = np.empty((-(-height // 2), -(-width // 2), 3), np.uint8)
    levels = pyramid_levels(width, height)
    options: dict[str, Any] = {
        "tile": (TILE, TILE),
        "photometric": "ycbcr",
        "subsampling": (2, 2),
        "compression": "jpeg",
        "dtype": np.uint8,
    }
    metadata = {
        "axes": "YXS",
        "PhysicalSizeX": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mpp,
        "PhysicalSizeYUnit": "µm",
        **({"UUID": f"urn:uuid:{identity}"} if identity else {}),
    }
    resolution = (1e4 / mpp, 1e4 / mpp)
    with tifffile.TiffWriter(path, ome=True, bigtiff=width * height > 2**31) as tiff:
        tiles = _drawn_tiles(width, height, draw, half, threads, on_block)
        try:
            tiff.write(
                tiles,
                shape=(height, width, 3),
                subifds=levels,
                metadata=metadata,
                resolution=resolution,
                resolutionunit="CENTIMETER",
                **options,
            )
        finally:
            tiles.close()
        image = half
        for level in range(levels):
            if level:
                image = halve(image)
            scale = 2 ** (level + 1)
            tiff.write(
                _tiles(image),
                shape=image.shape,
                subfiletype=1,
                metadata=None,
                resolution=(resolution[0] / scale, resolution[1] / scale),
                resolutionunit="CENTIMETER",
                **options,
            )


def _drawn_tiles(
    width: int,
    height: int,
    draw: Callable[[int, int, int, int], RGB],
    half: RGB,
    threads: int,
    on_block: Callable[[int, int], None] | None,
) -> Generator[bytes, None, None]:
    """Draw blocks in worker threads, one row ahead, and yield the JPEG tiles row by row; fills ``half``.

    Closing the generator stops the workers.
    """
    columns, rows = range(0, width, BLOCK), range(0, height, BLOCK)
    total, done = len(columns) * len(rows), 0

    def work(x: int, y: int) -> list[list[bytes]]:
        w, h = min(BLOCK, width - x), min(BLOCK, height - y)
        block = draw(x, y, w, h)
        half[y // 2 : (y + h + 1) // 2, x // 2 : (x + w + 1) // 2] = halve(block)
        return [
            [encode_tile(block[ty : ty + TILE, tx : tx + TILE]) for tx in range(0, w, TILE)] for ty in range(0, h, TILE)
        ]

    pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
    try:
        waiting: list[list[Future[list[list[bytes]]]]] = []
        for index in range(len(rows) + 1):
            if index < len(rows):
                waiting.append([pool.submit(work, x, rows[index]) for x in columns])
            if index == 0:
                continue
            blocks = []
            for future in waiting.pop(0):
                blocks.append(future.result())
                done += 1
                if on_block:
                    on_block(done, total)
            for tile_row in range(len(blocks[0])):
                for block in blocks:
                    yield from block[tile_row]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def write_stack(path: Path, planes: npt.NDArray[np.uint8], mpp: float, z_step_um: float) -> None:
    """Write a focal stack as OME-TIFF.

    Parameters
    ----------
    planes : uint8 (Z, H, W, 3)
        Lowest plane first.
    mpp, z_step_um : float
        Pixel size and distance of the planes, um.
    """
    import tifffile

    metadata = {
        "axes": "ZYXS",
        "PhysicalSizeX": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mpp,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": z_step_um,
        "PhysicalSizeZUnit": "µm",
    }
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(
            (tile for plane in planes for tile in _tiles(plane)),
            shape=planes.shape,
            dtype=np.uint8,
            tile=(TILE, TILE),
            photometric="ycbcr",
            subsampling=(2, 2),
            compression="jpeg",
            metadata=metadata,
            resolution=(1e4 / mpp, 1e4 / mpp),
            resolutionunit="CENTIMETER",
        )
