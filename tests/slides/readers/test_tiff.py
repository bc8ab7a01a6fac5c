from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide
from focusviewer.slides.pixels import shrink
from focusviewer.slides.readers.openslide import OpenSlideSlide
from focusviewer.slides.readers.tiff.reader import TiffSlide

Maker = Callable[..., np.ndarray]


def whole(slide, level=0, plane=0):
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height, plane))


def through_openslide(handle, x, y, level, width, height):
    pixels = np.asarray(handle.read_region((x, y), level, (width, height))).astype(int)
    return (pixels[..., :3] * pixels[..., 3:] + 255 * (255 - pixels[..., 3:]) + 127) // 255


def test_aperio_slide_tells_scale_levels_and_side_images(svs: Path) -> None:
    with open_slide(svs) as slide:
        assert isinstance(slide, TiffSlide)
        assert [(lv.width, lv.height) for lv in slide.levels] == [(1300, 1000), (325, 250), (81, 62)]
        assert slide.mpp == 0.25
        assert slide.info.objective_power == 40
        assert slide.info.vendor == "aperio"
        assert slide.info.associated == ("label", "macro", "thumbnail")
        assert slide.read_associated("label").shape == (60, 50, 3)
        assert slide.info.properties["aperio.AppMag"] == "40"


@pytest.mark.parametrize("box", [(0, 0, 300, 300), (-50, -70, 200, 200), (1200, 900, 300, 300), (5000, 5000, 9, 9)])
def test_pixels_equal_openslides_including_edges_and_outside(svs: Path, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    with open_slide(svs) as slide, openslide.OpenSlide(str(svs)) as reference:
        ours = slide.read_region(Region(0, x, y, width, height))
        assert np.array_equal(ours, through_openslide(reference, x, y, 0, width, height))
        for level in range(reference.level_count):
            assert np.array_equal(
                slide.read_region(Region(level, 0, 0, width, height)),
                through_openslide(reference, 0, 0, level, width, height),
            )


def test_ycbcr_jpeg_tiles_come_out_as_rgb(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 640)
    path = tmp_path / "ycc.tif"
    tiles = (
        imagecodecs.jpeg8_encode(image[y : y + 128, x : x + 128].copy(), level=95, subsampling="420")
        for y in range(0, 512, 128)
        for x in range(0, 640, 128)
    )
    tifffile.imwrite(
        path, tiles, shape=image.shape, dtype=np.uint8, tile=(128, 128), compression="jpeg", photometric="ycbcr",
        subsampling=(2, 2), metadata=None,
    )  # fmt: skip
    with open_slide(path) as slide:
        ours = whole(slide)
        assert np.abs(ours.astype(int) - image).mean() < 3
        with openslide.OpenSlide(str(path)) as reference:
            assert np.abs(ours.astype(int) - through_openslide(reference, 0, 0, 0, 640, 512)).max() <= 2


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_lossless_tiff_reads_back_exactly(
    tmp_path: Path, make_texture: Maker, compression: str | None, tile: tuple[int, int] | None, planar: str
) -> None:
    image = make_texture(200, 300)
    stored = image if planar == "contig" else np.moveaxis(image, -1, 0)
    path = tmp_path / "x.tif"
    tifffile.imwrite(
        path, stored, tile=tile, compression=compression, photometric="rgb", planarconfig=planar,
        predictor=compression is not None, rowsperstrip=None if tile else 37, metadata=None,
    )  # fmt: skip
    with open_slide(path) as slide:
        assert np.array_equal(whole(slide), image)
        part = slide.read_region(Region(0, 150, 90, 400, 60))
        assert np.array_equal(part[:, :150], image[90:150, 150:])
        assert (part[:, 150:] == 255).all()


def test_jpeg2000_tiles_of_both_aperio_kinds(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(256, 256)
    for code in (33003, 33005):
        stored = image
        if code == 33003:  # luminance and colour differences
            r, g, b = (image[..., i].astype(float) for i in range(3))
            y = 0.299 * r + 0.587 * g + 0.114 * b
            stored = np.stack([y, (b - y) * 0.564334 + 128, (r - y) * 0.713267 + 128], -1).round().clip(0, 255)
            stored = stored.astype(np.uint8)
        path = tmp_path / f"{code}.svs"
        tifffile.imwrite(
            path, stored, tile=(128, 128), compression="jpeg2000", photometric="rgb", metadata=None,
            compressionargs={"reversible": True, "codecformat": "j2k", "mct": code == 33005},
            description="Aperio Image Library v1\r\n256x256 (128x128) J2K|AppMag = 20",
        )  # fmt: skip
        with tifffile.TiffFile(path, mode="r+") as tif:
            tif.pages[0].tags["Compression"].overwrite(code)
        with open_slide(path) as slide:
            assert np.abs(whole(slide).astype(int) - image).max() <= 3, code


def test_tiles_the_file_does_not_hold_are_white(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(256, 256)
    path = tmp_path / "holes.tif"

    def tiles():
        yield from (image[:128, :128], None, None, image[128:, 128:])

    tifffile.imwrite(path, tiles(), shape=image.shape, dtype=np.uint8, tile=(128, 128), photometric="rgb")
    with open_slide(path) as slide:
        pixels = whole(slide)
    assert (pixels[:128, 128:] == 255).all()
    assert np.array_equal(pixels[128:, 128:], image[128:, 128:])


def test_pyramid_in_sub_ifds_of_an_ome_tiff(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(512, 768)
    path = tmp_path / "pyramid.ome.tif"
    meta = {"axes": "YXS", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(path) as out:
        out.write(image, subifds=2, tile=(128, 128), photometric="rgb", metadata=meta)
        for factor in (2, 4):
            out.write(shrink(image, factor), subfiletype=1, tile=(128, 128), photometric="rgb")
    with open_slide(path) as slide:
        assert [lv.width for lv in slide.levels] == [768, 384, 192]
        assert np.array_equal(whole(slide, 1), shrink(image, 2))
        assert slide.mpp == pytest.approx(0.25)


def test_generic_pyramid_of_tiled_pages(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(743, 650)
    path = tmp_path / "generic.tif"
    with tifffile.TiffWriter(path) as out:
        for factor in (1, 2, 4):
            out.write(
                shrink(image, factor), tile=(128, 128), photometric="rgb", subfiletype=int(factor > 1), metadata=None
            )
    with open_slide(path) as slide:
        assert [lv.width for lv in slide.levels] == [650, 325, 162]
        assert np.array_equal(whole(slide, 2), shrink(image, 4))
        assert len(slide.planes_um) == 1


@pytest.mark.parametrize("resolution", [(10.0, 10.0), (1.0, 1.0), (28.35, 28.35)])
def test_impossible_pixel_size_is_not_used(
    tmp_path: Path, make_texture: Maker, resolution: tuple[float, float]
) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, make_texture(64, 64), resolution=resolution, resolutionunit="CENTIMETER", metadata=None)
    with open_slide(path) as slide:
        assert slide.mpp is None


def test_stated_magnification_is_not_silently_made_a_pixel_size(tmp_path: Path, make_svs, make_texture: Maker) -> None:
    path = make_svs(tmp_path / "power.svs", make_texture(300, 300), mpp=None, power="20")
    with open_slide(path) as slide:
        assert slide.info.objective_power == 20
        assert slide.mpp is None


@pytest.fixture
def damaged(tmp_path: Path, svs: Path) -> Path:
    """The miniature with its first tile overwritten."""
    with tifffile.TiffFile(svs) as tif:
        offset, count = tif.pages[0].dataoffsets[0], tif.pages[0].databytecounts[0]
    data = bytearray(svs.read_bytes())
    data[offset : offset + count] = b"\x55" * count
    (tmp_path / "damaged.svs").write_bytes(data)
    return tmp_path / "damaged.svs"


@pytest.mark.parametrize("reader", [open_slide, OpenSlideSlide])
def test_damaged_tile_is_an_error_and_the_rest_stays_readable(damaged: Path, reader: Callable[[Path], Slide]) -> None:
    with reader(damaged) as slide:
        for _ in range(2):
            with pytest.raises(SlideError, match=r"Cannot read part of damaged\.svs"):
                slide.read_region(Region(0, 0, 0, 100, 100))
            assert slide.read_region(Region(0, 600, 600, 100, 100)).std() > 1


def test_a_damaged_tile_does_not_disturb_other_threads_of_openslide(damaged: Path) -> None:
    def good(_: int) -> float:
        return float(slide.read_region(Region(0, 600, 600, 100, 100)).std())

    def bad(_: int) -> str:
        with pytest.raises(SlideError) as caught:
            slide.read_region(Region(0, 0, 0, 100, 100))
        return str(caught.value)

    with OpenSlideSlide(damaged) as slide, ThreadPoolExecutor(6) as pool:
        results = [pool.submit(bad if i % 3 == 0 else good, i) for i in range(60)]
        assert all(result.result() for result in results)


def test_reads_after_close_are_refused(svs: Path) -> None:
    slide = open_slide(svs)
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_region(Region(0, 0, 0, 10, 10))


def test_colour_profile_is_handed_on(tmp_path: Path, make_texture: Maker) -> None:
    path = tmp_path / "icc.tif"
    tifffile.imwrite(path, make_texture(64, 64), iccprofile=b"profile bytes", metadata=None, photometric="rgb")
    with open_slide(path) as slide:
        assert slide.info.icc_profile == b"profile bytes"
