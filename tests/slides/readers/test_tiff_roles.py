"""Pages of TIFF files by what they are, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from focusviewer.slides import Region, Slide, open_slide
from focusviewer.slides.pixels import shrink

Maker = Callable[..., np.ndarray]
SVS = "Aperio Image Library v11.2.1 \r\n768x512 [0,0 768x512] (128x128) JPEG/RGB Q=90|AppMag = 40|MPP = 0.25"


def whole(slide: Slide, level: int = 0, plane: int = 0) -> np.ndarray:
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height, plane))


def write(path: Path, pages: list[tuple[np.ndarray, dict[str, Any]]]) -> Path:
    with tifffile.TiffWriter(path) as out:
        for pixels, options in pages:
            tile = (128, 128) if options.get("tiled", True) else None
            known = {key: value for key, value in options.items() if key != "tiled"}
            out.write(pixels, photometric="rgb", metadata=None, tile=tile, **known)
    return path


def test_levels_and_overview_are_found_in_any_order_of_pages(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 768)
    pages = [
        (image, {}),
        (shrink(image, 2), {"subfiletype": 1}),
        (shrink(image, 4), {"subfiletype": 1}),
        (make_texture(40, 60, 3), {"subfiletype": 1, "tiled": False}),
    ]
    for number, order in enumerate(permutations(pages)):
        with open_slide(write(tmp_path / f"{number}.tif", list(order))) as slide:
            assert [(lv.width, lv.height) for lv in slide.levels[:3]] == [(768, 512), (384, 256), (192, 128)]
            assert np.array_equal(whole(slide), image)
            assert np.array_equal(whole(slide, 2), shrink(image, 4))
            assert slide.info.associated == ("thumbnail",)
            assert np.array_equal(slide.read_associated("thumbnail"), make_texture(40, 60, 3))


def test_unflagged_overview_first_is_no_slide(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 768)
    path = write(tmp_path / "a.tif", [(make_texture(64, 96, 3), {"tiled": False}), (image, {})])
    with open_slide(path) as slide:
        assert slide.dimensions == (768, 512)
        assert "one page more, of other sizes or kinds" in " ".join(slide.info.remarks)


def test_aperio_side_images_are_told_by_their_flags(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 768)
    sides = {
        "label": (make_texture(120, 100, 1), {"subfiletype": 1, "tiled": False}),
        "macro": (make_texture(80, 200, 2), {"subfiletype": 9, "tiled": False}),
        "thumbnail": (make_texture(64, 96, 3), {"tiled": False}),
    }
    for number, names in enumerate(permutations(sides)):
        pages = [
            sides[names[0]],
            (image, {"description": SVS}),
            sides[names[1]],
            (shrink(image, 4), {}),
            sides[names[2]],
        ]
        with open_slide(write(tmp_path / f"{number}.svs", pages)) as slide:
            assert slide.info.format == "Aperio SVS"
            assert slide.mpp == 0.25
            assert [lv.width for lv in slide.levels] == [768, 192]
            assert slide.info.associated == ("label", "macro", "thumbnail")
            for name, (pixels, _) in sides.items():
                assert np.array_equal(slide.read_associated(name), pixels), name


def test_aperio_side_images_without_flags_are_told_by_shape(tmp_path: Path, make_texture: Maker) -> None:
    pages = [(make_texture(512, 768), {"description": SVS})]
    pages += [(make_texture(*size), {"tiled": False}) for size in ((100, 90), (64, 96), (80, 200), (90, 80))]
    with open_slide(write(tmp_path / "a.svs", pages)) as slide:
        assert slide.info.associated == ("label", "label 2", "macro", "thumbnail")
        assert slide.read_associated("label 2").shape == (90, 80, 3)


def focal(path: Path, planes: list[np.ndarray], order: Callable, text: Callable[[int], str]) -> Path:
    """Focal planes with two levels each; ``order`` gives (plane, factor) in the order of the file."""
    pages = [
        (shrink(planes[plane], factor), {"description": text(plane)}) for plane, factor in order(range(len(planes)))
    ]
    thumbnail = (shrink(planes[0], 8), {"tiled": False})
    return write(path, [pages[0], thumbnail, *pages[1:]])


def plane_by_plane(planes: range) -> list[tuple[int, int]]:
    return [(plane, factor) for plane in planes for factor in (1, 2, 4)]


def level_by_level(planes: range) -> list[tuple[int, int]]:
    return [(plane, factor) for factor in (1, 2, 4) for plane in planes]


def levels_the_other_way(planes: range) -> list[tuple[int, int]]:
    return [(plane, 1) for plane in planes] + [(plane, factor) for factor in (2, 4) for plane in reversed(planes)]


@pytest.mark.parametrize("order", [plane_by_plane, level_by_level, levels_the_other_way])
def test_aperio_focal_planes_are_a_stack_with_levels(tmp_path: Path, make_texture: Maker, order: Callable) -> None:
    planes = [make_texture(512, 768, seed) for seed in range(3)]
    path = focal(
        tmp_path / "z.svs", planes, order, lambda z: f"{SVS}|OffsetZ = {(1, -1, 0)[z] * 1.5}".replace(".5", ",5")
    )
    with open_slide(path) as slide:
        assert slide.planes_um == (-1.5, 0.0, 1.5)
        assert slide.info.z_step_known
        assert [lv.width for lv in slide.levels] == [768, 384, 192]
        for index, plane in enumerate((1, 2, 0)):
            for level, factor in enumerate((1, 2, 4)):
                assert np.array_equal(whole(slide, level, index), shrink(planes[plane], factor)), (plane, factor)
        assert slide.info.associated == ("thumbnail",)


def test_focal_planes_without_positions_ask_for_the_step(tmp_path: Path, make_texture: Maker) -> None:
    planes = [make_texture(512, 768, seed) for seed in range(3)]
    with open_slide(focal(tmp_path / "z.svs", planes, plane_by_plane, lambda z: SVS)) as slide:
        assert len(slide.planes_um) == 3
        assert not slide.info.z_step_known
        assert np.array_equal(whole(slide, 1, 2), shrink(planes[2], 2))


def test_levels_of_some_planes_only_are_left_out_and_told(tmp_path: Path, make_texture: Maker) -> None:
    planes = [make_texture(512, 768, seed) for seed in range(3)]

    def without_one(indices: range) -> list[tuple[int, int]]:
        return plane_by_plane(indices)[:-1]

    with open_slide(focal(tmp_path / "z.svs", planes, without_one, lambda z: SVS)) as slide:
        assert len(slide.planes_um) == 3
        assert slide.levels[1].width == 384
        assert np.array_equal(whole(slide, 0, 2), planes[2])
        assert "2 pages of 192 x 128 pixels for 3 focal planes" in slide.info.remarks[0]


def test_levels_in_sub_pages_of_every_plane(tmp_path: Path, make_texture: Maker) -> None:
    planes = [make_texture(512, 768, seed) for seed in range(2)]
    path = tmp_path / "sub.tif"
    with tifffile.TiffWriter(path) as out:
        for plane in planes:
            out.write(plane, photometric="rgb", tile=(128, 128), subifds=2, metadata=None)
            for factor in (4, 2):
                out.write(shrink(plane, factor), photometric="rgb", tile=(128, 128), subfiletype=1, metadata=None)
    with open_slide(path) as slide:
        assert [lv.width for lv in slide.levels[:3]] == [768, 384, 192]
        assert np.array_equal(whole(slide, 1, 1), shrink(planes[1], 2))
        assert np.array_equal(whole(slide, 2, 0), shrink(planes[0], 4))


def test_transparency_masks_are_no_planes_and_told(tmp_path: Path, make_texture: Maker) -> None:
    image, path = make_texture(256, 256), tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(image, photometric="rgb", tile=(128, 128), metadata=None)
        out.write(np.ones((256, 256), bool), photometric="minisblack", subfiletype=4, metadata=None)
    with open_slide(path) as slide:
        assert len(slide.planes_um) == 1
        assert slide.info.remarks == ("it has a mask of what is transparent, which is not applied",)
