"""What files state of their pixel size: in local number forms, and with sides that differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from focusviewer.cli.program import app
from focusviewer.core.errors import NotSquareError
from focusviewer.focus import get_model, map_focus
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import judgement_of
from focusviewer.qc.verdicts.rules import load_rules
from focusviewer.slides import open_slide
from focusviewer.slides.base import pixel_sizes
from focusviewer.slides.readers.openslide import OpenSlideSlide

Maker = Callable[..., np.ndarray]
LOCAL = ["0,5", "0,500000", "0.5 um", "0,5 um/pixel", "5,0e-1", "500 nm", "+0.5", '"0,5"']


@pytest.mark.parametrize("text", LOCAL)
@pytest.mark.parametrize("reader", [open_slide, OpenSlideSlide])
def test_aperio_scale_in_local_forms(tmp_path: Path, make_svs, make_texture: Maker, text: str, reader) -> None:
    path = make_svs(tmp_path / "local.svs", make_texture(300, 300), mpp=text, power="40,0")
    with reader(path) as slide:
        assert slide.mpp == pytest.approx(0.5)
        assert slide.info.objective_power == 40


@pytest.mark.parametrize("text", ["0,5", "0.5 µm", "5e-1"])
def test_ome_lengths_in_local_forms(tmp_path: Path, make_texture: Maker, text: str) -> None:
    path = tmp_path / "local.ome.tif"
    stack = np.stack([make_texture(64, 64, seed) for seed in range(3)])
    tifffile.imwrite(path, stack, photometric="rgb", metadata={"axes": "ZYXS"})
    sizes = f'PhysicalSizeX="{text}" PhysicalSizeY="{text}" PhysicalSizeZ="{text}"'
    planes = "".join(f'<Plane TheC="0" TheT="0" TheZ="{z}" PositionZ="{z},25" PositionZUnit="µm"/>' for z in range(3))
    xml = (
        tifffile.tiffcomment(path)
        .replace('SizeX="64"', f'SizeX="64" {sizes}')
        .replace("</Pixels>", planes + "</Pixels>")
    )
    tifffile.tiffcomment(path, xml.encode())
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)
        assert slide.planes_um == pytest.approx((0.0, 1.0, 2.0))


def test_imagej_spacing_with_a_decimal_comma(tmp_path: Path) -> None:
    path = tmp_path / "local.tif"
    stack = np.zeros((3, 20, 20), np.uint8)
    tifffile.imwrite(
        path, stack, imagej=True, resolution=(4, 4), metadata={"axes": "ZYX", "spacing": "0,75", "unit": "micron"}
    )
    with open_slide(path) as slide:
        assert slide.planes_um == pytest.approx((0.0, 0.75, 1.5))


def test_sides_that_differ_by_tenths_of_a_percent_are_square_and_both_are_kept() -> None:
    assert pixel_sizes(0.2498, 0.2502) == (0.25, 0.25, (0.2498, 0.2502))
    assert pixel_sizes(0.25, 0.5) == (None, None, (0.25, 0.5))
    assert pixel_sizes(0.25, None) == (0.25, 0.25, None)
    assert pixel_sizes(None, None) == (None, None, None)


def ome(path: Path, pixels: np.ndarray) -> None:
    meta = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 500.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=meta)


def tagged(path: Path, pixels: np.ndarray) -> None:
    options = {"resolution": (40000, 20000), "resolutionunit": "CENTIMETER", "tile": (128, 128), "metadata": None}
    tifffile.imwrite(path, pixels, photometric="rgb", **options)


def imagej(path: Path, pixels: np.ndarray) -> None:
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4, 2), metadata={"unit": "um", "axes": "YXS"})


def png(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, dpi=(101600, 50800))


@pytest.fixture(params=[(ome, "a.ome.tif"), (tagged, "a.tif"), (imagej, "b.tif"), (png, "a.png")])
def not_square(request: pytest.FixtureRequest, tmp_path: Path, make_texture: Maker) -> Path:
    write, name = request.param
    write(tmp_path / name, make_texture(512, 640))
    return tmp_path / name


def test_pixels_that_are_not_square_keep_both_sides(not_square: Path) -> None:
    with open_slide(not_square) as slide:
        assert slide.mpp is None
        assert slide.info.stated_mpp is None
        assert slide.sides_um == pytest.approx((0.25, 0.5), rel=1e-3)
    told = CliRunner().invoke(app, ["info", str(not_square)]).stdout
    assert "0.25 x 0.5 um (across x down: the pixels are not square)" in told
    document = json.loads(CliRunner().invoke(app, ["info", str(not_square), "--json"]).stdout)
    assert (document["mpp"], document["stated_mpp"]) == (None, None)
    assert (document["mpp_x"], document["mpp_y"]) == pytest.approx((0.25, 0.5), rel=1e-3)


def test_openslide_tells_both_sides_too(tmp_path: Path, make_texture: Maker) -> None:
    tagged(tmp_path / "a.tif", make_texture(512, 640))
    with OpenSlideSlide(tmp_path / "a.tif") as slide:
        assert slide.mpp is None
        assert slide.sides_um == pytest.approx((0.25, 0.5))


def test_a_size_given_by_the_user_counts_before_the_files_sides(not_square: Path) -> None:
    with open_slide(not_square, mpp=0.3) as slide:
        assert slide.sides_um == (0.3, 0.3)
        assert slide.info.not_square is None


def test_models_refuse_pixels_that_are_not_square_and_measures_keep_areas_right(
    tmp_path: Path, make_texture: Maker
) -> None:
    ome(tmp_path / "a.ome.tif", make_texture(512, 640))
    with open_slide(tmp_path / "a.ome.tif") as slide:
        with pytest.raises(NotSquareError, match=r"not square: they are 0\.25 x 0\.5 um"):
            map_focus(slide, calibrations=())
        found = map_focus(slide, get_model("tenengrad"), calibrations=())
    assert found.cell_mm2 == pytest.approx(found.stride_px**2 * 0.125e-6)
    features = slide_features(found, 2.0)
    assert features.tissue_mm2 == pytest.approx(features.tissue_windows * found.stride_px**2 * 0.125e-6)
    reasons = judgement_of(features, load_rules()).reasons
    assert any("not square (0.25 x 0.5 um)" in reason for reason in reasons)
