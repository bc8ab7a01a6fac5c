"""Levels that lack tiles which finer levels have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from focusviewer.cli.program import app
from focusviewer.slides import Region, Slide, open_slide

Maker = Callable[..., np.ndarray]
TILE = 64


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    height, width = (side // factor * factor for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def encoded(part: np.ndarray, compression: str) -> bytes:
    if compression == "jpeg":
        return imagecodecs.jpeg8_encode(part, 95, subsampling="444")
    return imagecodecs.zlib_encode(part)


def write(path: Path, levels: list[np.ndarray], lacks: Callable[[int, int, int], bool], compression: str) -> Path:
    def tiles(level: int, image: np.ndarray) -> Iterator[bytes]:
        for row in range(-(-image.shape[0] // TILE)):
            for column in range(-(-image.shape[1] // TILE)):
                part = image[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
                pads = (0, TILE - part.shape[0]), (0, TILE - part.shape[1]), (0, 0)
                part = np.ascontiguousarray(np.pad(part, pads, mode="edge"))
                yield b"" if lacks(level, row, column) else encoded(part, compression)

    colour = "ycbcr" if compression == "jpeg" else "rgb"
    with tifffile.TiffWriter(path) as out:
        for level, image in enumerate(levels):
            out.write(
                tiles(level, image), shape=image.shape, dtype=np.uint8, tile=(TILE, TILE), photometric=colour,
                compression=compression, subfiletype=int(level > 0), metadata=None,
            )  # fmt: skip
    return path


def whole(slide: Slide, level: int) -> np.ndarray:
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height)).astype(int)


@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
@pytest.mark.parametrize(("width", "height"), [(512, 512), (700, 530)])
def test_tiles_that_levels_lack_are_made_from_the_finer_level(
    tmp_path: Path, make_texture: Maker, compression: str, width: int, height: int
) -> None:
    image = make_texture(height, width)
    levels = [image, reduced(image, 2), reduced(image, 8)]
    path = write(
        tmp_path / "a.tif", levels, lacks=lambda level, row, column: level > 0 and column != 1, compression=compression
    )
    with open_slide(path) as slide:
        assert [lv.width for lv in slide.levels[:3]] == [level.shape[1] for level in levels]
        for index, level in enumerate(levels):
            # A level that is cut to whole pixels lies a little beside the finer one.
            assert np.abs(whole(slide, index) - level).mean() < (2 if width == 512 else 4), index
        part = slide.read_region(Region(1, 2 * 30, 2 * 40, 70, 60))
        assert np.array_equal(part, whole(slide, 1)[40:100, 30:100])
        (remark,) = slide.info.remarks
        total = slide.levels[1].width, slide.levels[1].height
        tiles = -(-total[0] // TILE) * -(-total[1] // TILE)
        assert f"of its {tiles} tiles" in remark and "level 2 lacks" in remark and "finer level" in remark


def test_what_no_level_holds_stays_white_and_is_not_remarked_on(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 512)
    path = write(
        tmp_path / "sparse.tif", [image, reduced(image, 2)], lambda level, row, column: column < 4 >> level, "zlib"
    )
    with open_slide(path) as slide:
        assert slide.info.remarks == ()
        assert (whole(slide, 1)[:, :128] == 255).all()
        assert np.array_equal(whole(slide, 1)[:, 128:], reduced(image, 2)[:, 128:])


def test_it_is_told_once_by_every_command(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(256, 256)
    path = write(tmp_path / "a.tif", [image, reduced(image, 2)], lambda level, row, column: level > 0, "jpeg")
    told = CliRunner().invoke(app, ["info", str(path)]).output
    assert told.count("lacks 4 of its 4 tiles") == 1
    told = CliRunner().invoke(app, ["score", str(path), "--model", "tenengrad", "--json"]).output
    assert told.count("lacks 4 of its 4 tiles") == 1
