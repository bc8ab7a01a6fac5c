"""What a file asks for is compared with a limit before memory is taken, and the message states both."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Level, Region, SlideInfo, open_slide
from focusviewer.slides.files.limits import LimitError
from focusviewer.slides.pyramid import with_pyramid
from focusviewer.slides.readers import frames
from focusviewer.slides.readers.openslide import open_slide_file
from tests.slides import tiffs
from tests.slides.tiffs import write_tiff

Maker = Callable[..., np.ndarray]

_CHILD = """
import json, resource, sys
from pathlib import Path
from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, open_slide
import imagecodecs, openslide, tifffile, PIL.Image
PIL.Image.init()
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, told = peak(), {}
for name in sys.argv[1:]:
    try:
        with open_slide(name) as slide:
            slide.read_region(Region(0, 0, 0, 64, 64))
            told[Path(name).name] = "read"
    except SlideError as error:
        told[Path(name).name] = str(error)
print(json.dumps({"told": told, "grown_mb": peak() - before}))
"""


def in_a_child(*paths: Path) -> tuple[dict[str, str], float]:
    """Open files one after another in a new process: what was said of each, and the megabytes they took at most."""
    done = subprocess.run([sys.executable, "-c", _CHILD, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document["told"], document["grown_mb"]


def one_tile(compression: int, samples: int, **more: int) -> dict[int, Any]:
    return {
        tiffs.WIDTH: 256, tiffs.HEIGHT: 256, tiffs.BITS: [8] * samples, tiffs.COMPRESSION: compression,
        tiffs.PHOTOMETRIC: 2 if samples == 3 else 1, tiffs.SAMPLES: samples, tiffs.TILE_WIDTH: 256,
        tiffs.TILE_HEIGHT: 256, **{getattr(tiffs, key): value for key, value in more.items()},
    }  # fmt: skip


SMALL = np.zeros((256, 256, 3), np.uint8)


def jpeg_of_9000() -> bytes:
    data = bytearray(imagecodecs.jpeg8_encode(SMALL))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (9000).to_bytes(2, "big") * 2
    return bytes(data)


def jpeg2000_of_9000() -> bytes:
    data = bytearray(imagecodecs.jpeg2k_encode(SMALL, codecformat="j2k", level=40))
    size = data.index(b"\xff\x51") + 6
    data[size : size + 8] = (9000).to_bytes(4, "big") * 2
    data[size + 16 : size + 24] = (9000).to_bytes(4, "big") * 2  # one tile of that size
    return bytes(data)


def png_of_9000() -> bytes:
    data = bytearray(imagecodecs.png_encode(SMALL))
    data[16:24] = (9000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def webp_of_9000() -> bytes:
    data = bytearray(imagecodecs.webp_encode(SMALL, lossless=True))
    data[21:25] = (int.from_bytes(data[21:25], "little") & 0xF0000000 | 8999 << 14 | 8999).to_bytes(4, "little")
    return bytes(data)


CLAIMS = {"jpeg": (7, jpeg_of_9000), "jpeg2000": (33005, jpeg2000_of_9000), "png": (34933, png_of_9000),
          "webp": (50001, webp_of_9000)}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_tiles_that_claim_to_be_larger_than_their_place_are_not_decoded(tmp_path: Path, name: str) -> None:
    compression, make = CLAIMS[name]
    slide = open_slide(write_tiff(tmp_path / "c.tif", [(one_tile(compression, 3), [make()])]))
    with slide, pytest.raises(SlideError, match=r"9,000 x 9,000 pixels.*256 x 256"):
        slide.read_region(Region(0, 0, 0, 64, 64))


def test_tiles_whose_headers_are_not_read_here_are_held_to_their_place(tmp_path: Path) -> None:
    data = bytes(imagecodecs.jpegxl_encode(np.zeros((512, 512, 3), np.uint8)))
    slide = open_slide(write_tiff(tmp_path / "x.tif", [(one_tile(50002, 3), [data])]))
    with slide, pytest.raises(SlideError, match="Cannot read part"):
        slide.read_region(Region(0, 0, 0, 64, 64))


def test_small_data_that_unpacks_to_much_is_cut_off(tmp_path: Path) -> None:
    much, some = bytes(256 << 20), bytes(4 << 20)
    codes = {
        "deflate": (8, zlib.compress(much, 1)),
        "zstd": (50000, imagecodecs.zstd_encode(much)),
        "lzma": (34925, imagecodecs.lzma_encode(some, level=0)),
        "lzw": (5, imagecodecs.lzw_encode(some)),
        "packbits": (32773, b"\x81\0" * (1 << 20)),
    }
    paths = []
    for name, (compression, data) in codes.items():
        paths.append(write_tiff(tmp_path / f"{name}.tif", [(one_tile(compression, 1), [bytes(data)])]))
    del much
    told, grown = in_a_child(*paths)
    assert all(text == "read" or "Cannot read part" in text for text in told.values()), told
    assert grown < 120


@pytest.mark.parametrize("tile", [(1 << 20, 1 << 16), (64, 532488496), (1 << 16, 1 << 16)])
@pytest.mark.parametrize("reader", [open_slide, open_slide_file])
def test_tiles_that_no_memory_holds_are_refused_before_the_first_read(
    tmp_path: Path, tile: tuple[int, int], reader: Callable[[Path], Any]
) -> None:
    tags = one_tile(8, 1, TILE_WIDTH=tile[0], TILE_HEIGHT=tile[1])
    path = write_tiff(tmp_path / "huge.tif", [(tags, [zlib.compress(b"\0" * 65536)])])
    with pytest.raises(SlideError) as caught:
        reader(path)
    if reader is open_slide:
        assert f"{tile[0]:,} x {tile[1]:,}" in str(caught.value)
        assert "limit is 1.6 GB" in str(caught.value)


def test_plain_pictures_are_bounded_by_the_memory_they_take(tmp_path: Path) -> None:
    header = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (20000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    header += zlib.crc32(header[12:]).to_bytes(4, "big")
    pixels = zlib.compress(b"\0" * (20000 * 3 + 1))
    body = len(pixels).to_bytes(4, "big") + b"IDAT" + pixels + zlib.crc32(b"IDAT" + pixels).to_bytes(4, "big")
    (tmp_path / "big.png").write_bytes(header + body + b"\0\0\0\0IEND\xaeB`\x82")
    with pytest.raises(LimitError) as caught:
        open_slide(tmp_path / "big.png")
    assert "20,000 x 20,000" in str(caught.value)
    assert "limit is 1.6 GB" in str(caught.value)
    assert "tiled, pyramidal TIFF" in str(caught.value)


@pytest.mark.parametrize(("options", "per_pixel"), [({}, 7), ({"progressive": True}, 10)])
def test_memory_of_a_picture_counts_what_its_codec_takes(
    tmp_path: Path, make_texture: Maker, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], per_pixel: int
) -> None:
    Image.fromarray(make_texture(100, 100)).save(tmp_path / "p.jpg", **options)
    monkeypatch.setattr("focusviewer.slides.files.limits.MAX_DECODING_BYTES", 100 * 100 * per_pixel)
    open_slide(tmp_path / "p.jpg").close()
    monkeypatch.setattr("focusviewer.slides.files.limits.MAX_DECODING_BYTES", 100 * 100 * per_pixel - 1)
    with pytest.raises(LimitError, match="100 x 100"):
        open_slide(tmp_path / "p.jpg")


def test_a_picture_converted_piece_by_piece_is_the_same(
    tmp_path: Path, make_texture: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = make_texture(70, 50)
    Image.fromarray(image).save(tmp_path / "p.png")
    Image.fromarray(image).convert("RGBA").save(tmp_path / "a.png")
    monkeypatch.setattr(frames, "_BLOCK_PX", 50 * 16)
    for name in ("p.png", "a.png"):
        with open_slide(tmp_path / name) as slide:
            assert np.array_equal(slide.read_region(Region(0, 0, 0, 50, 70)), image)


def test_an_overview_that_would_read_for_ever_is_refused(tmp_path: Path, make_texture: Maker) -> None:
    tifffile.imwrite(tmp_path / "a.tif", make_texture(64, 64), photometric="rgb", metadata=None)
    slide = open_slide(tmp_path / "a.tif")
    slide.info = SlideInfo(tmp_path / "a.tif", "x", None, (Level(400_000, 300_000, 1.0),))
    with pytest.raises(LimitError, match=r"120,000,000,000 pixels.*40,000,000,000"):
        with_pyramid(slide)
    with pytest.raises(SlideError, match="closed"):
        slide.read_region(Region(0, 0, 0, 8, 8))


def test_a_film_of_too_many_frames_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = [Image.new("L", (20, 20), shade) for shade in range(5)]
    film[0].save(tmp_path / "f.gif", save_all=True, append_images=film[1:])
    monkeypatch.setattr(frames, "MAX_FRAMES", 4)
    with pytest.raises(LimitError, match=r"5 pictures.*limit is 4"):
        open_slide(tmp_path / "f.gif")
