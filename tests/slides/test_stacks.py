from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, open_slide
from focusviewer.slides.pixels import shrink
from focusviewer.slides.readers.tiff.metadata import ndpi_planes, ome, plane_positions

Maker = Callable[..., np.ndarray]


@pytest.fixture
def planes(make_texture: Maker) -> np.ndarray:
    """Five different planes, uint8 (5, 96, 128, 3)."""
    return np.stack([make_texture(96, 128, seed) for seed in range(5)])


def assert_planes(slide, expected) -> None:
    for index, image in enumerate(expected):
        size = slide.levels[0]
        got = slide.read_region(Region(0, 0, 0, size.width, size.height, index))
        assert np.array_equal(got, image), f"plane {index}"


@pytest.mark.parametrize(("step", "unit", "um"), [(0.5, "µm", 0.5), (500.0, "nm", 0.5), (0.001, "mm", 1.0)])
def test_ome_tiff_stack_with_step_in_any_unit(
    tmp_path: Path, planes: np.ndarray, step: float, unit: str, um: float
) -> None:
    path = tmp_path / "stack.ome.tif"
    meta = {
        "axes": "ZYXS",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeY": 0.25,
        "PhysicalSizeZ": step,
        "PhysicalSizeZUnit": unit,
    }
    tifffile.imwrite(path, planes, photometric="rgb", metadata=meta)
    with open_slide(path) as slide:
        assert slide.planes_um == pytest.approx([i * um for i in range(5)])
        assert slide.info.z_step_known
        assert slide.mpp == 0.25
        assert_planes(slide, planes)


def test_ome_tiff_stack_tiled_with_a_pyramid_per_plane(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "pyramid-stack.ome.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(planes, subifds=1, tile=(32, 32), photometric="rgb", metadata={"axes": "ZYXS", "PhysicalSizeZ": 1.0})
        out.write(np.stack([shrink(p, 2) for p in planes]), subfiletype=1, tile=(32, 32), photometric="rgb")
    with open_slide(path) as slide:
        assert len(slide.levels) == 2
        assert slide.planes_um == (0.0, 1.0, 2.0, 3.0, 4.0)
        assert_planes(slide, planes)
        assert np.array_equal(slide.read_region(Region(1, 0, 0, 64, 48, 3)), shrink(planes[3], 2))


def test_ome_tiff_without_step_asks_for_it(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "nostep.ome.tif"
    tifffile.imwrite(path, planes, photometric="rgb", metadata={"axes": "ZYXS"})
    with open_slide(path) as slide:
        assert not slide.info.z_step_known
        assert slide.planes_um == (0.0, 1.0, 2.0, 3.0, 4.0)


def test_positions_around_the_focus_keep_their_zero_and_increase(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "positions.ome.tif"
    heights = [2.0, 1.0, 0.0, -1.0, -2.0]
    meta = {"axes": "ZYXS", "Plane": {"PositionZ": heights, "PositionZUnit": ["µm"] * 5}}
    tifffile.imwrite(path, planes, photometric="rgb", metadata=meta)
    with open_slide(path) as slide:
        assert slide.planes_um == (-2.0, -1.0, 0.0, 1.0, 2.0)
        assert_planes(slide, planes[::-1])


def test_deep_gray_channels_of_an_ome_stack_show_the_first(tmp_path: Path) -> None:
    data = np.zeros((3, 2, 40, 50), np.uint16)
    data[:, 0] = np.linspace(100, 1000, 40 * 50).reshape(40, 50)
    data[:, 1] = 60000
    path = tmp_path / "zc.ome.tif"
    tifffile.imwrite(path, data, metadata={"axes": "ZCYX", "PhysicalSizeZ": 2.0})
    with open_slide(path) as slide:
        assert slide.planes_um == (0.0, 2.0, 4.0)
        pixels = slide.read_region(Region(0, 0, 0, 50, 40))
        assert pixels.min() < 3
        assert pixels.max() > 252
        assert 100 < np.median(pixels) < 155


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_imagej_hyperstack_in_microns(tmp_path: Path, dtype: str) -> None:
    data = np.stack([np.full((40, 60), 10 + 20 * z) for z in range(6)]).astype(dtype)
    path = tmp_path / "hyper.tif"
    tifffile.imwrite(
        path, data, imagej=True, resolution=(4.0, 4.0), metadata={"axes": "ZYX", "spacing": 0.75, "unit": "um"}
    )
    with open_slide(path) as slide:
        assert slide.info.format == "ImageJ TIFF"
        assert slide.planes_um == pytest.approx([0.75 * i for i in range(6)])
        assert slide.mpp == pytest.approx(0.25)
        values = [int(slide.read_region(Region(0, 5, 5, 4, 4, z))[0, 0, 0]) for z in range(6)]
        assert values == sorted(set(values))
        if dtype == "uint8":
            assert values == [10 + 20 * z for z in range(6)]


def test_imagej_stack_in_pixels_has_no_scale(tmp_path: Path) -> None:
    path = tmp_path / "pixels.tif"
    data = np.zeros((3, 20, 20), np.uint8)
    tifffile.imwrite(path, data, imagej=True, metadata={"axes": "ZYX", "spacing": 1.0, "unit": "pixel"})
    with open_slide(path) as slide:
        assert slide.mpp is None
        assert not slide.info.z_step_known
        assert len(slide.planes_um) == 3


def test_plain_multi_page_tiff_is_a_stack_without_a_step(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as out:
        for image in planes:
            out.write(image, photometric="rgb", compression="zlib", metadata=None, contiguous=False)
    with open_slide(path) as slide:
        assert len(slide.planes_um) == 5
        assert not slide.info.z_step_known
        assert_planes(slide, planes)


def write_ndpi(path: Path, pages: list[tuple[np.ndarray, float, int]]) -> None:
    """A Hamamatsu file as its 64-bit flavour of TIFF lays it out; pages are (image, magnification, z in nm)."""
    out = bytearray(b"II*\0" + bytes(8))
    link = 4
    for image, power, z_nm in pages:
        make, bits, data = len(out), len(out) + 10, len(out) + 16
        out += b"Hamamatsu\0" + struct.pack("<3H", 8, 8, 8) + image.tobytes()
        height, width = image.shape[:2]
        entries = [
            (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2),
            (271, 2, 10, make), (273, 4, 1, data), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, image.nbytes),
            (65420, 4, 1, 1), (65421, 11, 1, struct.unpack("<I", struct.pack("<f", power))[0]),
            (65424, 9, 1, z_nm & 0xFFFFFFFF),
        ]  # fmt: skip
        out[link : link + 8] = struct.pack("<Q", len(out))
        out += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        link = len(out)
        out += bytes(8 + 4 * len(entries))  # the next page, and the high halves of the values
    path.write_bytes(out)


def test_hamamatsu_pages_are_ordered_by_focus_and_side_images_left_out(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "stack.ndpi"
    half = [shrink(image, 2) for image in planes]
    pages = [(planes[i], 40.0, z) for i, z in enumerate((0, -1000, 1000))]
    pages += [(half[i], 20.0, z) for i, z in enumerate((0, -1000, 1000))]
    write_ndpi(path, [*pages, (planes[4], -1.0, 0)])
    with open_slide(path) as slide:
        assert slide.info.format == "Hamamatsu NDPI"
        assert slide.planes_um == (-1.0, 0.0, 1.0)
        assert slide.info.objective_power == 40
        assert_planes(slide, planes[[1, 0, 2]])
        assert np.array_equal(slide.read_region(Region(1, 0, 0, 64, 48, 2)), half[2])


def test_ndpi_pages_by_magnification_and_z() -> None:
    z = [0, -2000, 2000, None, None, 0]
    power = [20.0, 20.0, 20.0, 5.0, -1.0, -2.0]
    assert ndpi_planes(z, power) == {20.0: [1, 0, 2], 5.0: [3]}


def test_stage_heights_count_from_the_lowest_plane() -> None:
    positions, known, order = plane_positions([4502.0, 4500.0, 4501.0], 3)
    assert positions == (0.0, 1.0, 2.0)
    assert known
    assert order == [1, 2, 0]


def test_broken_ome_xml_states_nothing() -> None:
    assert ome("<OME><Image>", 0, 3).mpp is None


# Folders of planes


def write_planes(folder: Path, names: list[str], images) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / name)
    return folder


def test_folder_is_ordered_by_number_not_by_text(tmp_path: Path, planes: np.ndarray) -> None:
    folder = write_planes(tmp_path / "z stack ü", ["z1.png", "z10.png", "z2.png", "z9.png", "z100.png"], planes)
    Image.fromarray(planes[0]).save(folder / "all-in-focus.png")
    (folder / "notes.txt").write_text("3 planes")
    with open_slide(folder) as slide:
        assert len(slide.planes_um) == 5
        assert not slide.info.z_step_known
        assert_planes(slide, planes[[0, 2, 3, 1, 4]])


def test_plane_number_is_the_one_that_counts_planes(tmp_path: Path, planes: np.ndarray) -> None:
    names = [f"Slide01_z{9 - i}_Field{i // 2 + 1:02}.png" for i in range(5)]
    folder = write_planes(tmp_path / "s", names, planes)
    with open_slide(folder) as slide:
        assert_planes(slide, planes[::-1])


def test_plane_of_another_size_is_named(tmp_path: Path, planes: np.ndarray) -> None:
    folder = write_planes(tmp_path / "s", [f"z{i}.png" for i in range(5)], [*planes[:4], planes[4][:50]])
    with pytest.raises(SlideError, match=r"z4\.png is 128 x 50 pixels, the others 128 x 96"):
        open_slide(folder)


def test_two_stacks_in_one_folder_are_refused(tmp_path: Path, planes: np.ndarray) -> None:
    folder = write_planes(tmp_path / "s", ["f1_z1.png", "f1_z2.png", "f2_z1.png", "f2_z2.png"], planes[:4])
    with pytest.raises(SlideError, match="same plane number"):
        open_slide(folder)


def test_folder_of_unrelated_names_is_refused(tmp_path: Path, planes: np.ndarray) -> None:
    folder = write_planes(tmp_path / "s", ["red1.png", "cat2.png", "dog7.png"], planes[:3])
    with pytest.raises(SlideError, match="do not form one numbered series"):
        open_slide(folder)


def test_deep_planes_share_one_range(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    ramp = np.linspace(0, 1000, 40 * 40).reshape(40, 40).astype(np.uint16)
    for z, factor in enumerate((1, 2, 3)):
        tifffile.imwrite(folder / f"z{z}.tif", ramp * factor)
    with open_slide(folder) as slide:
        tops = [int(slide.read_region(Region(0, 0, 0, 40, 40, z)).max()) for z in range(3)]
    assert tops[2] == 255
    assert tops[0] == pytest.approx(tops[2] / 3, abs=3)


def test_damaged_plane_costs_only_itself(tmp_path: Path, planes: np.ndarray) -> None:
    folder = write_planes(tmp_path / "s", [f"z{i}.png" for i in range(5)], planes)
    data = (folder / "z3.png").read_bytes()
    (folder / "z3.png").write_bytes(data[: len(data) // 2])
    with open_slide(folder) as slide:
        with pytest.raises(SlideError, match=r"z3\.png"):
            slide.read_region(Region(0, 0, 0, 10, 10, 3))
        assert slide.read_region(Region(0, 0, 0, 128, 96, 2)).std() > 0
