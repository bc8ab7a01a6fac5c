"""Miniature slides, made when a test asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile

Image = npt.NDArray[np.uint8]


def texture(height: int, width: int, seed: int = 0) -> Image:
    """Smooth coloured blobs: compresses well as JPEG, yet every place looks different."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    channels = []
    for _ in range(3):
        f, g, p, q = rng.uniform(0.01, 0.05, 2).tolist() + rng.uniform(0, 6, 2).tolist()
        channels.append(128 + 60 * np.sin(xx * f + p) + 60 * np.cos(yy * g + q))
    return np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)


def write_svs(
    path: Path, image: Image, *, levels: int = 3, mpp: str | None = "0.2500", power: str | None = "40"
) -> Path:
    """An Aperio-like slide: JPEG tiles, thumbnail, levels by 4, label and macro."""
    height, width = image.shape[:2]
    text = f"Aperio Image Library v12.0.15 \r\n{width}x{height} [0,0 {width}x{height}] (256x256) JPEG/RGB Q=90"
    text += "|AppMag = " + power if power else ""
    text += "|MPP = " + mpp if mpp else ""
    jpeg = {"compression": "jpeg", "compressionargs": {"level": 95}, "metadata": None}
    with tifffile.TiffWriter(path) as out:
        out.write(image, tile=(256, 256), photometric="rgb", description=text, **jpeg)
        thumbnail = image[::8, ::8]
        out.write(thumbnail, photometric="rgb", rowsperstrip=16, description="Aperio Image Library\n thumb", **jpeg)
        for level in range(1, levels):
            step = 4**level
            small = image[: height // step * step, : width // step * step]
            small = small.reshape(height // step, step, width // step, step, 3).mean((1, 3)).round().astype(np.uint8)
            out.write(small, tile=(256, 256), photometric="rgb", description=text, subfiletype=0, **jpeg)
        out.write(texture(60, 50, 5), photometric="rgb", subfiletype=1, description="Aperio\nlabel 50x60", **jpeg)
        out.write(texture(60, 120, 6), photometric="rgb", subfiletype=9, description="Aperio\nmacro 120x60", **jpeg)
    return path


@pytest.fixture
def make_texture() -> Callable[..., Image]:
    return texture


@pytest.fixture
def make_svs() -> Callable[..., Path]:
    return write_svs


@pytest.fixture
def svs(tmp_path: Path) -> Path:
    """A slide of 1300 x 1000 pixels in three levels."""
    return write_svs(tmp_path / "mini.svs", texture(1000, 1300))
