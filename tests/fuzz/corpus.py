"""Sound files that the mutants are made of: small ones of every kind, and the real slides where they are at hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tests.slides import tiffs
from tests.slides.conftest import texture, write_svs

LARGEST = 3 << 20
"""Real files above that many bytes are left out: reading them takes the time of many small ones."""


def write_corpus(folder: Path, data: Path | None = None) -> list[Path]:
    """Write the generated files into a folder; names of all files, those of ``data`` (``wsi`` in it) included."""
    image = texture(200, 260)
    write_svs(folder / "jpeg.svs", texture(520, 600), levels=2)
    _jpeg2000(folder / "jpeg2000.svs", image)
    _stacks(folder, image)
    _pictures(folder, image)
    _odd_tiffs(folder, image)
    own = sorted(path for path in folder.iterdir() if path.is_file())
    real = [] if data is None else sorted((data / "wsi").glob("*"))
    return own + [path for path in real if path.is_file() and path.stat().st_size <= LARGEST]


def _jpeg2000(path: Path, image: np.ndarray) -> None:
    tiles = [
        bytes(imagecodecs.jpeg2k_encode(np.ascontiguousarray(texture(128, 128, seed)), level=40, codecformat="j2k"))
        for seed in range(4)
    ]
    text = "Aperio Image Library v12\r\n256x256 (128x128) J2K|AppMag = 20|MPP = 0.5"
    tifffile.imwrite(
        path, iter(tiles), shape=(256, 256, 3), dtype=np.uint8, tile=(128, 128), compression=33005, photometric="rgb",
        description=text, metadata=None,
    )  # fmt: skip


def _stacks(folder: Path, image: np.ndarray) -> None:
    planes = np.stack([texture(96, 128, seed) for seed in range(3)])
    scale = {"axes": "ZYXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5}
    options: dict[str, Any] = {"photometric": "rgb", "metadata": scale}
    tifffile.imwrite(folder / "tiled.ome.tif", planes, tile=(64, 64), compression="zlib", **options)
    tifffile.imwrite(folder / "plain.ome.tif", planes, **options)
    deep = planes[..., 0].astype(np.uint16) * 16
    tifffile.imwrite(folder / "deep.tif", deep, imagej=True, metadata={"spacing": 0.5, "unit": "um", "axes": "ZYX"})
    tifffile.imwrite(folder / "pages.tif", planes, photometric="rgb", compression="lzw", metadata=None)


def _pictures(folder: Path, image: np.ndarray) -> None:
    picture = Image.fromarray(image)
    exif = Image.Exif()
    exif[274] = 6
    picture.save(folder / "p.png", exif=exif)
    picture.quantize(64).save(folder / "palette.png")
    Image.fromarray(image[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    picture.save(folder / "p.jpg", exif=exif)
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.save(folder / "p.bmp")
    picture.save(folder / "p.webp")
    picture.save(folder / "p.jp2")
    picture.quantize(16).save(folder / "p.gif", save_all=True, append_images=[picture.quantize(16)])


def _odd_tiffs(folder: Path, image: np.ndarray) -> None:
    Image.fromarray(image[..., 0] > 128).save(folder / "fax.tif", compression="group4")
    tifffile.imwrite(folder / "float.tif", image[..., 0].astype(np.float32), predictor=3, compression="zlib")
    tifffile.imwrite(folder / "zstd.tif", image, tile=(64, 64), compression="zstd", photometric="rgb", predictor=2)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG")
    tags = {
        tiffs.WIDTH: 260, tiffs.HEIGHT: 200, tiffs.BITS: [8, 8, 8], tiffs.COMPRESSION: 6, tiffs.PHOTOMETRIC: 6,
        tiffs.SAMPLES: 3, tiffs.ROWS: 200, 513: 8, 514: len(stream.getvalue()),
    }  # fmt: skip
    tiffs.write_tiff(folder / "old-jpeg.tif", [(tags, [stream.getvalue()])])
