"""The one way from a slide to its calibrated map, and from there to files."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import CancelledError, ScaleUnknownError, UserError
from focusviewer.focus import FocusMap, MapCache, get_model, map_document, map_focus, map_slide, summary, write_map
from focusviewer.focus.calibration.curve import Calibration, Curve
from focusviewer.focus.networks.focuslitenn import FocusLiteNN
from focusviewer.slides import RGB, Region
from tests.focus.doubles import MemorySlide, blur, tissue_picture


class TwoHalves(MemorySlide):
    """A stack of three planes: the left half is sharp in the first, the right half in the last."""

    def __init__(self) -> None:
        sharp = tissue_picture(1100, 900)
        soft = blur(sharp, 3)
        left, right = sharp.copy(), sharp.copy()
        left[:, 550:], right[:, :550] = soft[:, 550:], soft[:, :550]
        super().__init__(soft, mpp=0.25, fingerprint="halves")
        self.planes = [MemorySlide(pixels, mpp=0.25) for pixels in (left, soft, right)]
        self.info = replace(self.info, planes_um=(-1.0, 0.0, 1.0))

    def read_region(self, region: Region) -> RGB:
        return self.planes[region.plane].read_region(region)


def _calibration(model: str) -> Calibration:
    return Calibration(model, get_model(model).version, "", 0.25, Curve((-900.0, 0.0), (0.0, 3.0)), "a test")


def test_a_map_is_calibrated_by_what_holds_and_raw_without_any(slide: MemorySlide) -> None:
    raw = map_focus(slide, "mlv", calibrations=())
    np.testing.assert_array_equal(raw.blur, map_slide(slide, get_model("mlv")).blur)
    assert not raw.absolute and not raw.calibration
    known = _calibration("mlv")
    read = map_focus(slide, get_model("mlv"), calibrations=[known])
    assert read.absolute and read.calibration == "a test"
    expected = known.curve.read(raw.blur[raw.tissue]) / 0.25
    np.testing.assert_allclose(read.blur[read.tissue], expected, rtol=1e-5)


def test_a_map_from_the_cache_is_read_by_the_calibration_of_today(slide: MemorySlide, tmp_path: Path) -> None:
    cache = MapCache(tmp_path)
    raw = map_focus(slide, "mlv", cache=cache, calibrations=())
    read_px = slide.read_px
    read = map_focus(slide, "mlv", cache=cache, calibrations=[_calibration("mlv")])
    assert slide.read_px == read_px and read.calibration == "a test" and not raw.calibration
    kept = cache.get(slide, get_model("mlv"))
    assert kept is not None and not kept.calibration


def test_a_part_of_a_slide_is_never_taken_for_the_whole(slide: MemorySlide, tmp_path: Path) -> None:
    cache = MapCache(tmp_path)
    part = map_focus(slide, "mlv", region=(0, 0, 400, 400), cache=cache)
    assert cache.get(slide, get_model("mlv")) is None
    whole = map_focus(slide, "mlv", cache=cache)
    assert part.blur.size < whole.blur.size
    assert map_focus(slide, "mlv", region=(0, 0, 400, 400), cache=cache).blur.shape == part.blur.shape


def test_the_sharpest_plane_counts_window_by_window() -> None:
    slide, model = TwoHalves(), get_model("tenengrad")
    heard: list[float] = []
    found = map_focus(
        slide, model, plane="sharpest", calibrations=(), threads=1, on_progress=lambda share, _: heard.append(share)
    )
    left, right = (map_slide(slide, model, plane=plane, threads=1) for plane in (0, 2))
    here, there = found.x < 400, found.x > 700
    np.testing.assert_allclose(found.blur[:, here], left.blur[:, here])
    np.testing.assert_allclose(found.blur[:, there], right.blur[:, there])
    assert found.plane == 1
    assert heard == sorted(heard) and heard[0] > 0 and heard[-1] == pytest.approx(1)


def test_progress_shows_the_map_as_it_will_be(slide: MemorySlide) -> None:
    heard: list[FocusMap] = []
    done = map_focus(
        slide, "mlv", calibrations=[_calibration("mlv")], on_progress=lambda _, partial: heard.append(partial)
    )
    assert heard and all(partial.calibration == done.calibration == "a test" for partial in heard)


def test_what_cannot_be_done_is_said_before_pixels_are_read(picture: RGB, model: FocusLiteNN) -> None:
    unknown = MemorySlide(picture, mpp=None)
    with pytest.raises(ScaleUnknownError):
        map_focus(unknown, model)
    with pytest.raises(UserError, match="no focus model"):
        map_focus(unknown, "no such model")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(CancelledError):
        map_focus(MemorySlide(picture, mpp=0.25), "mlv", cancel=cancel)
    assert unknown.read_px == 0


@pytest.mark.parametrize("absolute", [True, False])
def test_the_four_files_agree_with_the_document(slide: MemorySlide, tmp_path: Path, absolute: bool) -> None:
    focus_map = map_focus(slide, "mlv", calibrations=[_calibration("mlv")] if absolute else ())
    document = map_document(focus_map, slide)
    assert set(document) == {*summary(focus_map), "path", "fingerprint", "scanner"}
    assert (document["path"], document["fingerprint"]) == ("memory.svs", "memory")
    write_map(tmp_path / "new" / "folder", focus_map, document, picture_px=100)
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["map.geojson", "map.npz", "map.png", "summary.json"]
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == document
    regions = json.loads((folder / "map.geojson").read_text(encoding="utf-8"))["features"]
    assert len(regions) == len(document["regions"])
    with Image.open(folder / "map.png") as image:
        assert image.mode == "RGBA" and max(image.size) <= 100
