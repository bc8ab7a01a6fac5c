"""DICOM slides as archives deliver them: several files, odd names, reports beside; focal planes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide
from focusviewer.slides.readers.contents import folder_contents, sort_out
from focusviewer.slides.readers.dicom.header import read_header
from focusviewer.slides.readers.openslide import OpenSlideSlide
from tests.slides.dicom_files import DIRECTORY, ROOT, text, wrap, write_instance, write_report, write_slide

Maker = Callable[..., np.ndarray]
WIDTH, HEIGHT = 192, 128


@pytest.fixture
def image(make_texture: Maker) -> np.ndarray:
    return make_texture(HEIGHT, WIDTH)


@pytest.fixture
def planes(make_texture: Maker) -> list[np.ndarray]:
    return [make_texture(HEIGHT, WIDTH, seed) for seed in range(3)]


def whole(slide: Slide, plane: int = 0, level: int = 0) -> np.ndarray:
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height, plane))


# Folders and files


@pytest.mark.parametrize(
    "names",
    [
        ("l0.dcm", "l1.dcm", "label.dcm"), ("L0.DCM", "L1.DCM", "LABEL.DCM"), ("IMG00001", "IMG00002", "IMG00003"),
        ("1.2.840.1.7.1", "1.2.840.1.7.2", "1.2.840.1.7.30"), ("z-label", "b", "a"),
    ],
)  # fmt: skip
def test_a_folder_and_each_file_open_the_one_slide(tmp_path: Path, image: np.ndarray, names: tuple[str, ...]) -> None:
    paths = write_slide(tmp_path / "d", image, *names)
    write_report(tmp_path / "d" / "a-report.dcm")
    Image.fromarray(image[:32, :32]).save(tmp_path / "d" / "preview.jpg")
    (tmp_path / "d" / "00-notes.txt").write_text("for research")
    prints = set()
    for path in [tmp_path / "d", *paths]:
        with open_slide(path) as slide:
            assert isinstance(slide, OpenSlideSlide)
            assert [level.width for level in slide.levels] == [WIDTH, WIDTH // 2]
            assert slide.info.associated == ("label",) and slide.mpp == pytest.approx(0.25)
            assert np.array_equal(whole(slide), image)
            prints.add(slide.fingerprint)
    assert len(prints) == 1
    contents = folder_contents(tmp_path / "d")
    assert contents.slides == [contents.parts[contents.slides[0]][0], tmp_path / "d" / "preview.jpg"]
    assert set(contents.parts[contents.slides[0]]) == set(paths)


def test_disc_folders_are_looked_through(tmp_path: Path, image: np.ndarray) -> None:
    write_slide(tmp_path / "DICOM" / "PAT1" / "ST1", image, "I1", "I2", "I3")
    (tmp_path / "DICOMDIR").write_bytes(wrap(DIRECTORY, f"{ROOT}.7", text(8, 0x60, "CS", "")))
    with open_slide(tmp_path) as slide:
        assert slide.dimensions == (WIDTH, HEIGHT)
    with pytest.raises(SlideError, match="Open the folder"):
        open_slide(tmp_path / "DICOMDIR")


def test_a_folder_of_two_slides_names_them(tmp_path: Path, image: np.ndarray) -> None:
    write_slide(tmp_path, image, "a0", "a1", "a2", series=1)
    write_slide(tmp_path, image, "b0", "b1", "b2", series=2)
    with pytest.raises(SlideError, match="2 slides: a0, b0"):
        open_slide(tmp_path)
    assert [path.name for path in folder_contents(tmp_path).slides] == ["a0", "b0"]


def test_a_report_says_what_it_is_and_what_to_open(tmp_path: Path, image: np.ndarray) -> None:
    alone = write_report(tmp_path / "alone.dcm")
    with pytest.raises(SlideError, match="it is a report, not a slide"):
        open_slide(alone)
    write_slide(tmp_path, image)
    with pytest.raises(SlideError, match=r"Open l0\.dcm beside it"):
        open_slide(alone)
    assert sort_out([alone]).slides == []


def test_sequences_of_undefined_length_are_passed_over(tmp_path: Path, image: np.ndarray) -> None:
    header = read_header(write_instance(tmp_path / "a", [image], undefined=True))
    assert header is not None and header.is_slide and header.focal_planes == 1
    assert (header.columns, header.rows) == (WIDTH, HEIGHT) and header.series_uid == f"{ROOT}.2.1"


@pytest.mark.parametrize("part", [0, 100, 131, 140, 200, 260, 400, 700, 900])
def test_headers_cut_off_anywhere_are_no_header_or_a_shorter_one(tmp_path: Path, image: np.ndarray, part: int) -> None:
    data = write_instance(tmp_path / "a", [image], undefined=True).read_bytes()
    (tmp_path / "cut").write_bytes(data[:part])
    header = read_header(tmp_path / "cut")
    assert header is None or header.columns in (0, WIDTH)


def test_noise_behind_the_mark_of_dicom_is_no_header(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for seed in range(200):
        (tmp_path / f"{seed}").write_bytes(bytes(128) + b"DICM" + rng.bytes(3000))
        header = read_header(tmp_path / f"{seed}")
        assert header is None or not header.is_slide


# Focal planes


def test_focal_planes_of_one_file(tmp_path: Path, planes: list[np.ndarray]) -> None:
    pytest.importorskip("wsidicom")
    with open_slide(write_instance(tmp_path / "a.dcm", planes)) as slide:
        assert slide.planes_um == pytest.approx((0.0, 0.5, 1.0)) and slide.info.z_step_known
        assert slide.mpp == pytest.approx(0.25) and slide.info.objective_power == 40
        for index, plane in enumerate(planes):
            assert np.array_equal(whole(slide, index), plane)
        outside = slide.read_region(Region(0, WIDTH - 10, -10, 20, 20, 1))
        assert np.array_equal(outside[10:, :10], planes[1][:10, -10:]) and (outside[:10] == 255).all()


def test_focal_planes_in_a_file_each(tmp_path: Path, planes: list[np.ndarray]) -> None:
    pytest.importorskip("wsidicom")
    for number, plane in enumerate(planes, 1):
        write_instance(tmp_path / f"z{number}.dcm", [plane], number=number, z=2.0 * number)
    prints = set()
    for path in [tmp_path, *sorted(tmp_path.iterdir())]:
        with open_slide(path) as slide:
            assert slide.planes_um == pytest.approx((0.0, 2.0, 4.0))
            assert all(np.array_equal(whole(slide, index), plane) for index, plane in enumerate(planes))
            prints.add(slide.fingerprint)
    assert len(prints) == 1


def test_levels_and_label_of_a_slide_with_focal_planes(tmp_path: Path, planes: list[np.ndarray]) -> None:
    pytest.importorskip("wsidicom")
    write_instance(tmp_path / "l0", planes)
    write_instance(tmp_path / "l1", [plane[::2, ::2] for plane in planes], number=2, mpp=0.5)
    write_instance(tmp_path / "label", [planes[0][:64, :64]], number=3, flavor="LABEL")
    with open_slide(tmp_path) as slide:
        assert [level.downsample for level in slide.levels] == [1.0, 2.0]
        assert np.array_equal(whole(slide, 2, 1), planes[2][::2, ::2])
        assert np.array_equal(slide.read_region(Region(1, 20, 40, 30, 10, 1)), planes[1][::2, ::2][20:30, 10:40])
        assert slide.info.associated == ("label",)
        assert np.array_equal(slide.read_associated("label"), planes[0][:64, :64])
    with pytest.raises(SlideError, match="closed"):
        whole(slide)


def test_a_level_without_all_planes_is_not_used_for_any(tmp_path: Path, planes: list[np.ndarray]) -> None:
    pytest.importorskip("wsidicom")
    write_instance(tmp_path / "l0", planes)
    write_instance(tmp_path / "l1", [planes[0][::2, ::2]], number=2, mpp=0.5)
    with open_slide(tmp_path) as slide:
        assert len(slide.planes_um) == 3 and len(slide.levels) == 1


def test_without_the_extra_the_message_names_it(
    tmp_path: Path, planes: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_instance(tmp_path / "a.dcm", planes)
    monkeypatch.setitem(sys.modules, "wsidicom", None)
    with pytest.raises(SlideError, match=r"several focal planes.*focusviewer\[dicom\]"):
        open_slide(path)
