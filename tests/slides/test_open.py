from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError, UserError
from focusviewer.slides import Reader, Region, ScaleStore, open_slide, register, to_json, with_scale
from focusviewer.slides.readers.rawfile import fingerprint
from focusviewer.slides.registry import _readers

Maker = Callable[..., np.ndarray]


# Bad input


def check_refused(path: Path, why: str) -> None:
    with pytest.raises(SlideError) as caught:
        open_slide(path)
    message = str(caught.value)
    assert why in message
    assert "\n" not in message
    assert caught.value.what.startswith("Cannot open")


def test_missing_path(tmp_path: Path) -> None:
    check_refused(tmp_path / "no such.svs", "there is no such file or folder")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.svs").touch()
    check_refused(tmp_path / "empty.svs", "the file is empty")


def test_text_named_svs(tmp_path: Path) -> None:
    (tmp_path / "notes.svs").write_text("these are only words\n" * 50)
    check_refused(tmp_path / "notes.svs", "plain text")


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    check_refused(tmp_path, "the folder holds no images")


@pytest.mark.parametrize("name", ["dot.png", "dot.tif"])
def test_one_pixel_image(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / name)
    check_refused(tmp_path / name, "only 1 x 1 pixels")


@pytest.mark.parametrize("part", [0.001, 0.05, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_slide_cut_off_anywhere(tmp_path: Path, svs: Path, part: float) -> None:
    data = svs.read_bytes()
    (tmp_path / "cut.svs").write_bytes(data[: int(len(data) * part)])
    check_refused(tmp_path / "cut.svs", "cut.svs")


def test_damaged_picture(tmp_path: Path, make_texture: Maker) -> None:
    Image.fromarray(make_texture(100, 100)).save(tmp_path / "half.png")
    data = (tmp_path / "half.png").read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    check_refused(tmp_path / "half.png", "damaged")


def test_random_bytes_behind_a_tiff_header(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "noise.tif").write_bytes(b"II*\0" + rng.bytes(5000))
    check_refused(tmp_path / "noise.tif", "noise.tif")


def test_file_we_may_not_read(tmp_path: Path, svs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    check_refused(svs, "not allowed")


def test_unreadable_slide_leaves_no_file_open(tmp_path: Path, svs: Path) -> None:
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("needs /proc")
    (tmp_path / "cut.svs").write_bytes(svs.read_bytes()[:20000])
    with pytest.raises(SlideError):
        open_slide(tmp_path / "cut.svs")
    before = len(list(fds.iterdir()))
    for _ in range(5):
        with pytest.raises(SlideError):
            open_slide(tmp_path / "cut.svs")
        open_slide(svs).close()
    assert len(list(fds.iterdir())) <= before + 1


# Names, content, scale


@pytest.mark.parametrize("name", ["with space.svs", "Schnitt äöü µ.svs", "切片 1.svs"])
def test_odd_names_work(tmp_path: Path, svs: Path, name: str) -> None:
    path = tmp_path / "Ordner é" / name
    path.parent.mkdir()
    shutil.copy(svs, path)
    with open_slide(path) as slide:
        assert slide.name == name
        assert slide.read_region(Region(0, 10, 10, 50, 50)).std() > 0


def test_odd_names_work_through_openslide(tmp_path: Path, svs: Path) -> None:
    from focusviewer.slides.readers.openslide import OpenSlideSlide

    path = tmp_path / "切片 µ.svs"
    shutil.copy(svs, path)
    with OpenSlideSlide(path) as slide:
        assert slide.info.objective_power == 40


def test_fingerprint_follows_content_not_name(tmp_path: Path, svs: Path) -> None:
    moved = tmp_path / "other" / "name.svs"
    moved.parent.mkdir()
    shutil.copy(svs, moved)
    changed = tmp_path / "changed.svs"
    data = bytearray(svs.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    prints = []
    for path in (svs, moved, changed):
        with open_slide(path) as slide:
            prints.append(slide.fingerprint)
    assert prints[0] == prints[1]
    assert prints[0] != prints[2]


def test_fingerprint_of_a_large_file_looks_at_size_and_samples(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(6 << 20)
    for name, data in {"a": content, "same": content, "longer": content + b"x", "end": content[:-1] + b"?"}.items():
        (tmp_path / name).write_bytes(data)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "same")
    others = {fingerprint(tmp_path / name) for name in ("a", "longer", "end")}
    assert len(others) == 3


def test_scale_given_once_is_remembered_by_content(tmp_path: Path, make_texture: Maker) -> None:
    path = tmp_path / "plain.png"
    Image.fromarray(make_texture(60, 60)).save(path)
    with open_slide(path) as slide:
        assert slide.mpp is None
        with_scale(slide, 0.5)
        assert slide.mpp == 0.5
        ScaleStore().set(slide.fingerprint, 0.5)
    with open_slide(path) as slide:
        assert slide.mpp == 0.5
    with open_slide(path, mpp=0.25) as slide:
        assert slide.mpp == 0.25
    with open_slide(path, magnification=20) as slide:
        assert slide.mpp == 0.5
        assert slide.info.objective_power == 20


def test_z_step_given_once_is_remembered_with_the_scale(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, np.zeros((4, 20, 20), np.uint8), photometric="minisblack", metadata=None)
    with open_slide(path) as slide:
        assert not slide.info.z_step_known
        ScaleStore().set(slide.fingerprint, 0.25, 0.5)
    with open_slide(path) as slide:
        assert slide.mpp == 0.25
        assert slide.info.z_step_known
        assert slide.planes_um == (-1.0, -0.5, 0.0, 0.5)


def test_lost_scales_file_is_asked_again_not_fatal(tmp_path: Path) -> None:
    from focusviewer.core.files import config_dir

    (config_dir() / "scales.json").write_text("{broken")
    assert ScaleStore().get("x") is None
    ScaleStore().set("x", 0.5)
    assert ScaleStore().get("x") == 0.5


@pytest.mark.parametrize("mpp", [1000.0, 16.8, 0.0, -1.0, float("nan")])
def test_implausible_scale_is_refused(svs: Path, mpp: float) -> None:
    with pytest.raises(UserError, match="not plausible"):
        open_slide(svs, mpp=mpp)
    with pytest.raises(UserError):
        ScaleStore().set("x", mpp)


def test_plane_positions_can_be_given(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((3, 20, 20), np.uint8), photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "s.tif") as slide:
        with_scale(slide, None, [0, 0.5, 1.0])
        assert slide.planes_um == (0.0, 0.5, 1.0)
        assert slide.info.z_step_known
        with pytest.raises(UserError, match="3 planes"):
            with_scale(slide, None, [0, 1])
        with pytest.raises(UserError):
            with_scale(slide, None, [0, 2, 1])


def test_description_is_json(svs: Path) -> None:
    with open_slide(svs) as slide:
        document = json.loads(json.dumps(to_json(slide.info)))
    wanted = ["path", "format", "vendor", "dimensions", "levels", "mpp", "objective_power", "planes_um", "fingerprint"]
    assert set(wanted) <= set(document)
    assert document["dimensions"] == [1300, 1000]
    assert document["mpp"] == 0.25


# Readers


@pytest.fixture
def own_readers():
    kept = list(_readers)
    yield
    _readers[:] = kept


def test_a_reader_of_higher_priority_goes_first_and_may_pass(svs: Path, own_readers: None) -> None:
    from focusviewer.slides.readers.tiff.pages import UnsureError

    asked: list[str] = []

    def unsure(path: Path):
        asked.append(path.name)
        raise UnsureError("not mine after all")

    register(Reader("eager", 99, lambda path, head: True, unsure))
    with open_slide(svs) as slide:
        assert asked == ["mini.svs"]
        assert slide.info.format == "Aperio SVS"


def test_a_reader_that_crashes_does_not_keep_others_from_opening(svs: Path, own_readers: None) -> None:
    def crash(path: Path):
        raise RuntimeError("bug")

    register(Reader("crashing", 99, lambda path, head: True, crash))
    with open_slide(svs) as slide:
        assert slide.dimensions == (1300, 1000)


def test_slides_import_nothing_heavy() -> None:
    code = (
        "import sys, focusviewer.slides;"
        "bad = [m for m in ('torch','scipy','skimage','PySide6','tifffile','imagecodecs','openslide','PIL')"
        " if m in sys.modules]; print(bad); sys.exit(bool(bad))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Pictures


def picture(tmp_path: Path, image: Image.Image, name: str, **options: object) -> np.ndarray:
    image.save(tmp_path / name, **options)
    with open_slide(tmp_path / name) as slide:
        width, height = slide.dimensions
        return slide.read_region(Region(0, 0, 0, width, height))


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_lossless_pictures_read_back(tmp_path: Path, make_texture: Maker, name: str) -> None:
    image = make_texture(70, 90)
    assert np.array_equal(picture(tmp_path, Image.fromarray(image), name), image)


def test_palette_gray_and_alpha_become_rgb(tmp_path: Path, make_texture: Maker) -> None:
    image = Image.fromarray(make_texture(70, 90))
    indexed = image.quantize(200)
    assert np.array_equal(picture(tmp_path, indexed, "p.png"), np.asarray(indexed.convert("RGB")))
    assert np.array_equal(picture(tmp_path, indexed, "p.tif"), np.asarray(indexed.convert("RGB")))
    gray = np.asarray(image.convert("L"))
    assert np.array_equal(picture(tmp_path, image.convert("L"), "g.png")[..., 1], gray)
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (picture(tmp_path, clear, "c.png") == 255).all()
    half = picture(tmp_path, Image.new("RGBA", (20, 20), (0, 0, 0, 128)), "h.png")
    assert abs(int(half[0, 0, 0]) - 127) <= 1


@pytest.mark.parametrize("name", ["k.tif", "k.jpg"])
def test_cmyk_becomes_rgb(tmp_path: Path, name: str) -> None:
    ink = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # magenta and yellow: red
    red = picture(tmp_path, ink, name)[16, 16].astype(int)
    assert red[0] > 240
    assert max(red[1], red[2]) < 15


def test_black_and_white_and_inverted_tiff(tmp_path: Path) -> None:
    bits = np.zeros((40, 48), bool)
    bits[:, 24:] = True
    for photometric, left in (("minisblack", 0), ("miniswhite", 255)):
        path = tmp_path / f"{photometric}.tif"
        tifffile.imwrite(path, bits, photometric=photometric, metadata=None)
        with open_slide(path) as slide:
            pixels = slide.read_region(Region(0, 0, 0, 48, 40))
        assert (pixels[:, :24] == left).all(), photometric
        assert (pixels[:, 24:] == 255 - left).all(), photometric


def test_twelve_bit_gray_is_stretched_and_deep_colour_keeps_proportion(tmp_path: Path) -> None:
    ramp = np.linspace(200, 3000, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    with open_slide(tmp_path / "deep.png") as slide:
        pixels = slide.read_region(Region(0, 0, 0, 64, 64))
    assert (pixels.min(), pixels.max()) == (0, 255)
    colour = np.stack([ramp, ramp // 2, ramp // 4], axis=-1)
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb", metadata=None)
    with open_slide(tmp_path / "colour.tif") as slide:
        pixels = slide.read_region(Region(0, 0, 0, 64, 64)).astype(int)
    assert pixels[-1, -1, 0] == pytest.approx(3000 / 4095 * 255, abs=2)
    assert pixels[-1, -1, 1] == pytest.approx(1500 / 4095 * 255, abs=2)


def test_dots_per_inch_of_a_photo_are_not_a_pixel_size(tmp_path: Path, make_texture: Maker) -> None:
    Image.fromarray(make_texture(40, 40)).save(tmp_path / "photo.jpg", dpi=(300, 300))
    with open_slide(tmp_path / "photo.jpg") as slide:
        assert slide.mpp is None
