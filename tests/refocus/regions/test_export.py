from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.refocus import get_engine
from focusviewer.refocus.modes import RefocusRequest
from focusviewer.refocus.regions import layout
from focusviewer.refocus.regions.export import export_region, level_sizes, write_pyramid
from focusviewer.refocus.regions.tiling import refocus_view
from focusviewer.slides import Region, Slide, open_slide


def picture(height: int, width: int) -> RGB:
    y, x = np.mgrid[:height, :width]
    waves = (128 + 90 * np.sin(x / 23), 128 + 90 * np.cos(y / 31), 128 + 60 * np.sin((x + y) / 47))
    return np.stack(waves, -1).astype(np.uint8)


def in_pieces(pixels: RGB, *cuts: int) -> Iterator[RGB]:
    return iter(np.split(pixels, cuts))


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    path = tmp_path / "scan.png"
    Image.fromarray(picture(300, 600)).save(path)
    with open_slide(path, mpp=0.25) as opened:
        yield opened


def view_of(slide: Slide) -> layout.View:
    return layout.View(slide, (0, 0, 600, 300), (0,), (0.0,), 0.25)


@pytest.mark.parametrize(("height", "cuts"), [(1300, (700, 701)), (1024, (1,)), (1025, (1024,)), (300, ())])
def test_every_level_of_a_pyramid_is_there_and_right(tmp_path: Path, height: int, cuts: tuple[int, ...]) -> None:
    path, pixels = tmp_path / "a.ome.tif", picture(height, 1100)
    facts = {"statement": "synthesised; not for diagnosis", "software": "FocusViewer", "source": "a é"}
    write_pyramid(path, in_pieces(pixels, *cuts), 1100, height, 0.25, facts, "deflate")
    with open_slide(path) as slide:
        assert [(w, h) for w, h, _ in slide.levels] == level_sizes(1100, height)
        assert max(slide.levels[-1][:2]) < 512
        assert slide.mpp == pytest.approx(0.25)
        np.testing.assert_array_equal(slide.read_region(Region(0, 0, 0, 1100, height)), pixels)
        for index, (width, rows, downsample) in enumerate(slide.levels):
            read = slide.read_region(Region(index, 0, 0, width, rows)).astype(float)
            places = [np.minimum((np.arange(side) + 0.5) * downsample, full - 1) for side, full in
                      ((rows, height), (width, 1100))]  # fmt: skip
            expected = pixels[places[0].astype(int)][:, places[1].astype(int)]
            assert np.abs(read - expected).mean() < 3


def test_other_programs_find_all_levels_and_the_pixel_size(tmp_path: Path) -> None:
    import openslide

    path = tmp_path / "a.ome.tif"
    facts = {"statement": "synthesised; not for diagnosis", "engine": "fast", "planes": [0, 1]}
    write_pyramid(path, in_pieces(picture(900, 1200), 500), 1200, 900, 0.5, facts, "jpeg")
    with openslide.OpenSlide(path) as found:
        assert list(found.level_dimensions) == level_sizes(1200, 900)
        assert float(found.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        read = np.asarray(found.read_region((100, 200), 0, (300, 200)))[..., :3]
    assert np.abs(read.astype(int) - picture(900, 1200)[200:400, 100:400]).mean() < 2
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.series) == 1
        assert len(tiff.series[0].levels) == 3
        assert "synthesised; not for diagnosis" in str(tiff.ome_metadata)
        assert '<M K="planes">[0, 1]</M>' in str(tiff.ome_metadata)


def test_a_region_is_exported_as_it_is_rendered_with_its_provenance(
    slide: Slide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "TILE_PX", 330)
    engine, path, seen = get_engine("fast"), tmp_path / "out.ome.tif", list[float]()
    facts = export_region(view_of(slide), engine, RefocusRequest("refocus", 1.0), path, seen.append, None, "deflate")
    expected = refocus_view(view_of(slide), engine, RefocusRequest("refocus", 1.0)).pixels
    with open_slide(path) as exported:
        np.testing.assert_array_equal(exported.read_region(Region(0, 0, 0, 600, 300)), expected)
        assert exported.mpp == pytest.approx(0.25)
    with tifffile.TiffFile(path) as tiff:
        description = str(tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Description"])
    statement, _, document = description.partition("\n")
    assert statement == "synthesised; not for diagnosis"
    assert json.loads(document) == facts
    assert (facts["engine"], facts["z_um"], facts["mode"]) == ("fast", 1.0, "refocus")
    assert len(facts["weights_sha256"]) == 64
    assert seen[-1] == 1.0


def test_an_acquired_plane_is_exported_as_it_is(slide: Slide, tmp_path: Path) -> None:
    path = tmp_path / "out.ome.tif"
    facts = export_region(
        view_of(slide), get_engine("fast"), RefocusRequest("refocus", 0.0), path, None, None, "deflate"
    )
    assert facts["synthesised"] is False
    with open_slide(path) as exported:
        np.testing.assert_array_equal(exported.read_region(Region(0, 0, 0, 600, 300)), picture(300, 600))


def test_the_file_says_whether_its_one_focus_was_looked_for(slide: Slide, tmp_path: Path) -> None:
    for request, target in (
        (RefocusRequest("refocus", 0.0), "one focus"),
        (RefocusRequest("deblur", 0.0), "best focus"),
    ):
        path = tmp_path / f"{request.mode}.ome.tif"
        facts = export_region(view_of(slide), get_engine("fast"), request, path, None, None)
        assert (facts["target"], facts["compression"]) == (target, "jpeg")
        with tifffile.TiffFile(path) as tiff:
            assert f'"target": "{target}"' in tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Description"]


def test_a_cancelled_export_leaves_nothing_and_an_old_file_as_it_was(
    slide: Slide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "TILE_PX", 330)
    path, cancel = tmp_path / "out.ome.tif", Event()
    path.write_bytes(b"old")
    with pytest.raises(CancelledError):
        export_region(
            view_of(slide), get_engine("fast"), RefocusRequest("refocus", 1.0), path, lambda done: cancel.set(), cancel
        )
    assert path.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.ome.tif", "scan.png"]


def test_a_folder_that_cannot_be_made_is_told(slide: Slide, tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(UserError, match="Cannot write"):
        export_region(
            view_of(slide), get_engine("fast"), RefocusRequest("refocus", 0.0), tmp_path / "no" / "a.tif", None, None
        )


def test_memory_does_not_grow_with_the_height(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tracemalloc

    band = picture(256, 700)

    def peak(height: int) -> int:
        rows = (band for _ in range(height // 256))
        tracemalloc.start()
        write_pyramid(tmp_path / f"{height}.tif", rows, 700, height, 0.25, {}, "deflate")
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()  # type: ignore[return-value]

    low, high = peak(2048)[0], peak(8192)[0]  # type: ignore[index]
    assert high < 1.2 * low + 100_000
