"""Pictures that are stored turned or mirrored: TIFF's Orientation and EXIF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide
from focusviewer.slides.base import UnsureError
from focusviewer.slides.readers.openslide import open_slide_file
from focusviewer.slides.readers.orientation import orientation

Maker = Callable[..., np.ndarray]
TURNS = range(1, 9)


def whole(slide: Slide, level: int = 0, plane: int = 0) -> np.ndarray:
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height, plane))


def shown(stored: np.ndarray, turn: int) -> np.ndarray:
    """Stored pixels as Pillow shows them."""
    picture = Image.fromarray(stored)
    picture.getexif()[274] = turn
    return np.asarray(ImageOps.exif_transpose(picture))


def write_turned(path: Path, image: np.ndarray, turn: int, **options: object) -> Path:
    tifffile.imwrite(path, image, metadata=None, extratags=[(274, "H", 1, turn, True)], **options)
    return path


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_is_shown_upright(
    tmp_path: Path, make_texture: Maker, turn: int, tile: tuple[int, int] | None, compression: str | None
) -> None:
    image = make_texture(150, 210)
    path = write_turned(tmp_path / "t.tif", image, turn, photometric="rgb", tile=tile, compression=compression)
    with open_slide(path) as slide:
        want = shown(image, turn)
        assert slide.dimensions == want.shape[1::-1]
        assert np.array_equal(whole(slide), want)
        x, y, width, height = 37, 51, 64, 30
        part = slide.read_region(Region(0, x, y, width, height))
        assert np.array_equal(part, want[y : y + height, x : x + width])


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["t.jpg", "t.png", "t.webp", "late.png"])
def test_pictures_with_exif_are_shown_upright(tmp_path: Path, make_texture: Maker, turn: int, name: str) -> None:
    image = make_texture(60, 90)
    exif = Image.Exif()
    exif[274] = turn
    options = {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {"lossless": True}
    Image.fromarray(image).save(tmp_path / name, exif=exif, **options)
    if name == "late.png":  # the chunk may stand behind the pixels too
        data = (tmp_path / name).read_bytes()
        at = data.index(b"eXIf") - 4
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        tail = data.index(b"IEND") - 4
        (tmp_path / name).write_bytes(data[:at] + data[end:tail] + data[at:end] + data[tail:])
    with open_slide(tmp_path / name) as slide:
        want = shown(image, turn)
        assert slide.dimensions == want.shape[1::-1]
        assert np.abs(whole(slide).astype(int) - want).mean() < 3


@pytest.mark.parametrize("turn", [3, 6, 7, 8])
def test_levels_and_parts_of_a_pyramid_are_turned_alike(tmp_path: Path, make_texture: Maker, turn: int) -> None:
    image = make_texture(640, 896)
    with tifffile.TiffWriter(tmp_path / "p.tif") as out:
        for step in (1, 2, 4):
            level = image.reshape(640 // step, step, 896 // step, step, 3).mean((1, 3)).astype(np.uint8)
            tag = [(274, "H", 1, turn, True)] if step == 1 else []  # coarse pages need not repeat it
            options = {"tile": (128, 128), "photometric": "rgb", "metadata": None, "extratags": tag}
            out.write(level, subfiletype=int(step > 1), **options)
    with open_slide(tmp_path / "p.tif") as slide:
        assert [level.downsample for level in slide.levels[:3]] == [1, 2, 4]
        for level in range(3):
            step = 2**level
            stored = image.reshape(640 // step, step, 896 // step, step, 3).mean((1, 3)).astype(np.uint8)
            want = shown(stored, turn)
            assert np.array_equal(whole(slide, level), want)
            part = slide.read_region(Region(level, 40 * step, 30 * step, 90, 50))
            assert np.array_equal(part, want[30:80, 40:130])
        beyond = slide.read_region(Region(0, -10, -20, 40, 50))
        assert (beyond[:20] == 255).all()
        assert np.array_equal(beyond[20:, 10:], shown(image, turn)[:30, :30])


@pytest.mark.parametrize("turn", [2, 6])
def test_planes_of_a_stack_are_shown_upright(tmp_path: Path, make_texture: Maker, turn: int) -> None:
    planes = np.stack([make_texture(80, 120, seed) for seed in range(3)])
    write_turned(tmp_path / "stack.tif", planes, turn, photometric="rgb")
    with open_slide(tmp_path / "stack.tif") as slide:
        assert len(slide.planes_um) == 3
        for index in range(3):
            assert np.array_equal(whole(slide, plane=index), shown(planes[index], turn))


def test_planes_turned_differently_are_each_shown_upright_or_refused(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(80, 120)
    for name, second in (("same.tif", 3), ("other.tif", 6)):
        with tifffile.TiffWriter(tmp_path / name) as out:
            for turn in (1, second):
                extra = [(274, "H", 1, turn, True)]
                out.write(image, photometric="rgb", metadata=None, extratags=extra, contiguous=False)
    with open_slide(tmp_path / "same.tif") as slide:
        assert np.array_equal(whole(slide, plane=1), image[::-1, ::-1])
    with pytest.raises(SlideError, match="turned by 90 degrees"):
        open_slide(tmp_path / "other.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_planes_of_a_folder_are_shown_upright(tmp_path: Path, make_texture: Maker, suffix: str) -> None:
    image = make_texture(64, 96)
    for index in range(3):
        path = tmp_path / f"z{index}.{suffix}"
        if suffix == "tif":
            write_turned(path, image, 6, photometric="rgb")
        else:
            exif = Image.Exif()
            exif[274] = 6
            Image.fromarray(image).save(path, exif=exif)
    with open_slide(tmp_path) as slide:
        assert slide.dimensions == (64, 96)
        assert len(slide.planes_um) == 3
        assert np.abs(whole(slide, plane=2).astype(int) - shown(image, 6)).mean() < 4


def test_openslide_which_turns_each_tile_in_its_place_leaves_turned_slides_to_others(
    tmp_path: Path, make_texture: Maker
) -> None:
    image = make_texture(256, 384)
    path = write_turned(tmp_path / "o.tif", image, 4, photometric="rgb", tile=(128, 128), compression="zlib")
    with pytest.raises(UnsureError, match="orientation 4"):
        open_slide_file(path)


@pytest.mark.parametrize("value", [0, 9, 255, -1, None, "six"])
def test_a_value_that_is_none_counts_as_upright(value: object) -> None:
    assert orientation(value) == 1


def test_broken_exif_counts_as_upright(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(40, 60)
    Image.fromarray(image).save(tmp_path / "b.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    with open_slide(tmp_path / "b.jpg") as slide:
        assert slide.dimensions == (60, 40)


@pytest.mark.parametrize("name", ["s.tif", "s.jpg"])
def test_sides_of_pixels_that_are_not_square_are_turned_with_them(
    tmp_path: Path, make_texture: Maker, name: str
) -> None:
    image = make_texture(40, 60)
    if name == "s.tif":
        write_turned(tmp_path / name, image, 6, photometric="rgb", resolution=(40000, 20000), resolutionunit=3)
    else:
        exif = Image.Exif()
        exif[274] = 6
        Image.fromarray(image).save(tmp_path / name, exif=exif, dpi=(50000, 25000))
    with open_slide(tmp_path / name) as slide:
        sides = slide.info.stated_mpp_xy
        assert sides is not None
        assert sides[0] == pytest.approx(2 * sides[1], rel=0.01)
