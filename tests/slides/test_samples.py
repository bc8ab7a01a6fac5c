"""Samples of any kind: few bits, signs, floating point, palettes, and few bright cells on a wide dark ground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide
from focusviewer.slides.pixels import PixelFormat, value_range
from tests.slides import tiffs
from tests.slides.tiffs import gray, write_tiff

WIDTH, HEIGHT = 64, 48


def whole(slide: Slide, plane: int = 0) -> np.ndarray:
    return slide.read_region(Region(0, 0, 0, *slide.dimensions, plane))


def packed(values: np.ndarray, bits: int) -> bytes:
    """Rows of small numbers, the first in the highest bits of a byte."""
    wide = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return np.packbits(wide.reshape(len(values), -1), axis=-1).tobytes()


def ramp(bits: int) -> np.ndarray:
    return (np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) % 2**bits).astype(np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
def test_few_bits_are_spread_over_black_to_white(tmp_path: Path, bits: int, inverted: bool, tiled: bool) -> None:
    values = ramp(bits)
    tags: dict[int, Any] = gray(WIDTH, HEIGHT, bits, PHOTOMETRIC=0 if inverted else 1)
    segments = [packed(values, bits)]
    if tiled:
        del tags[tiffs.ROWS]
        tags |= {tiffs.TILE_WIDTH: 32, tiffs.TILE_HEIGHT: 16}
        segments = [packed(values[y : y + 16, x : x + 32], bits) for y in (0, 16, 32) for x in (0, 32)]
    with open_slide(write_tiff(tmp_path / "b.tif", [(tags, segments)])) as slide:
        shown = whole(slide)[..., 0]
    want = np.round(values * (255 / (2**bits - 1))).astype(np.uint8)
    assert np.array_equal(shown, 255 - want if inverted else want)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_any_size_keep_their_colours(tmp_path: Path, bits: int) -> None:
    values, entries = ramp(bits), 2**bits
    colours = np.random.default_rng(bits).integers(0, 256, (3, entries))
    tags = gray(WIDTH, HEIGHT, bits, PHOTOMETRIC=3, COLOURS=[int(v) * 257 for v in colours.ravel()])
    with open_slide(write_tiff(tmp_path / "p.tif", [(tags, [packed(values, bits)])])) as slide:
        assert np.array_equal(whole(slide), colours.T[values])


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("compression", ["group3", "group4", "packbits", "tiff_lzw"])
def test_fax_and_other_codes_of_one_bit(tmp_path: Path, compression: str, inverted: bool) -> None:
    values = np.kron(np.random.default_rng(0).integers(0, 2, (6, 8)), np.ones((8, 8), int)).astype(bool)
    tifffile_name = {"group3": 3, "group4": 4, "packbits": 32773, "tiff_lzw": 5}[compression]
    Image.fromarray(values ^ inverted).save(tmp_path / "f.tif", compression=compression)
    if inverted:
        data = bytearray((tmp_path / "f.tif").read_bytes())
        with tifffile.TiffFile(tmp_path / "f.tif") as tif:
            assert tif.pages[0].compression == tifffile_name
            place = tif.pages[0].tags[262].valueoffset
        data[place] = 0  # white is 0
        (tmp_path / "f.tif").write_bytes(data)
    with open_slide(tmp_path / "f.tif") as slide:
        assert np.array_equal(whole(slide)[..., 0], np.where(values, 255, 0))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits(tmp_path: Path, bits: int) -> None:
    values = ramp(bits)
    if bits == 1:
        Image.fromarray(values.astype(bool)).save(tmp_path / "g.png")
    else:
        picture = Image.fromarray(values)
        picture.putpalette([v * 255 // (2**bits - 1) for v in range(2**bits) for _ in range(3)])
        picture.save(tmp_path / "g.png", bits=bits)
    with open_slide(tmp_path / "g.png") as slide:
        assert np.array_equal(whole(slide)[..., 0], np.round(values * (255 / (2**bits - 1))))


@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.float16, np.float32, np.float64])
def test_signed_and_floating_samples_keep_their_order(
    tmp_path: Path, dtype: type[np.generic], tile: tuple[int, int] | None
) -> None:
    steps = np.arange(256)
    low, step = {"i": (-128, 1), "u": (10**9, 3), "f": (-3.5, 0.25)}[np.dtype(dtype).kind]
    scale = 100 if np.dtype(dtype) in (np.int16, np.int32) else 1
    values = (low + steps * step) * scale
    image = np.tile(values, (32, 1)).astype(dtype)
    tifffile.imwrite(tmp_path / "s.tif", image, photometric="minisblack", metadata=None, tile=tile)
    with open_slide(tmp_path / "s.tif") as slide:
        row = whole(slide)[0, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert (np.diff(row) >= 0).all()
    assert len(np.unique(row)) > 250


def test_signed_planes_share_one_range(tmp_path: Path) -> None:
    planes = np.stack([np.full((32, 32), value, np.int8) for value in (-128, 0, 127)])
    tifffile.imwrite(tmp_path / "s.tif", planes, photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "s.tif") as slide:
        assert [int(whole(slide, plane)[0, 0, 0]) for plane in range(3)] == [0, 128, 255]


def test_nothing_but_not_a_number_is_black_and_does_not_upset_the_rest(tmp_path: Path) -> None:
    image = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64).copy()
    image[:4] = np.nan
    image[4:8] = np.inf
    tifffile.imwrite(tmp_path / "n.tif", image, photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "n.tif") as slide:
        shown = whole(slide)[..., 0]
    assert (shown[:4] == 0).all()
    assert shown[20, 0] < shown[40, 0] < shown[60, 0]


def test_signed_colour_keeps_proportions() -> None:
    colour = np.zeros((8, 8, 3), np.int16)
    colour[0, 0], colour[0, 1] = (1000, 500, 250), (-1000, 0, 0)
    assert value_range([colour], colour=True) == (-1024.0, 1023.0)


def dark_with_core(size: int, core: int, noise: float = 10.0) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A wide dark ground with camera noise and hot pixels, and a square of cells of many brightnesses."""
    rng = np.random.default_rng(1)
    image = (100 + noise * rng.standard_normal((size, size))).clip(0).astype(np.uint16)
    place = slice(size // 3, size // 3 + core), slice(size * 2 // 3, size * 2 // 3 + core)
    image[place] = np.linspace(1000, 4000, core).astype(np.uint16)[:, None]
    for x, y in rng.integers(0, size, (20, 2)):
        image[y, x] = 60000
    return image, place


@pytest.mark.parametrize(
    ("size", "core", "options"),
    [
        (4608, 200, {"tile": (256, 256), "compression": "zlib"}),
        (4608, 200, {"tile": (256, 256)}),
        (4608, 200, {}),
        (1500, 80, {"tile": (256, 256), "compression": "lzw"}),
        (1500, 60, {"compression": "zlib", "rowsperstrip": 64}),
    ],
)
def test_few_bright_cells_on_dark_ground_keep_their_structure(
    tmp_path: Path, size: int, core: int, options: dict[str, Any]
) -> None:
    image, (rows, columns) = dark_with_core(size, core)
    tifffile.imwrite(tmp_path / "f.tif", image, photometric="minisblack", metadata=None, **options)
    with open_slide(tmp_path / "f.tif") as slide:
        cells = slide.read_region(Region(0, columns.start, rows.start, core, core))
        ground = slide.read_region(Region(0, 0, 0, 300, 300))
    assert (cells == 255).mean() < 0.25
    assert cells.std() > 40
    assert np.median(ground) < 20


def test_a_png_with_few_bright_cells_keeps_their_structure(tmp_path: Path) -> None:
    image, place = dark_with_core(1500, 80)
    Image.fromarray(image).save(tmp_path / "f.png")
    with open_slide(tmp_path / "f.png") as slide:
        shown = whole(slide)
    assert (shown[place] == 255).mean() < 0.1
    assert np.median(shown) < 20


def test_hot_pixels_alone_do_not_make_a_picture_dark() -> None:
    image, place = dark_with_core(600, 40)
    image[place] = 100
    low, high = value_range([image], colour=False)
    assert low is not None
    assert high is not None
    assert high < 200


def test_large_pictures_are_converted_in_pieces_to_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.random.default_rng(0).integers(0, 4096, (50, 40, 4)).astype(np.uint16)
    form = PixelFormat(alpha="straight", low=0, high=4095)
    want = form.rgb(raw)
    monkeypatch.setattr("focusviewer.slides.pixels._AT_ONCE_PX", 7 * 40)
    assert np.array_equal(form.rgb(raw), want)


@pytest.mark.parametrize("codec", ["jpegxl", "png", "webp"])
def test_tiles_of_newer_codecs_are_read(tmp_path: Path, make_texture: Callable[..., np.ndarray], codec: str) -> None:
    image = make_texture(128, 192)
    if not getattr(imagecodecs, codec.upper()).available:
        pytest.skip(f"imagecodecs was built without {codec}")
    tifffile.imwrite(
        tmp_path / "x.tif", image, photometric="rgb", tile=(64, 64), compression=codec, metadata=None,
        compressionargs={"lossless": True} if codec != "png" else None,
    )  # fmt: skip
    with open_slide(tmp_path / "x.tif") as slide:
        assert np.array_equal(whole(slide), image)


def test_a_damaged_tile_of_deep_samples_costs_only_itself(tmp_path: Path) -> None:
    image, _ = dark_with_core(512, 40)
    path = tmp_path / "d.tif"
    tifffile.imwrite(path, image, photometric="minisblack", metadata=None, tile=(128, 128), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[5]
    data = bytearray(path.read_bytes())
    data[offset : offset + 20] = b"\xff" * 20
    path.write_bytes(data)
    with open_slide(path) as slide:
        assert slide.read_region(Region(0, 0, 0, 100, 100)).std() > 0
        with pytest.raises(SlideError, match="damaged there"):
            slide.read_region(Region(0, 128, 128, 100, 100))
