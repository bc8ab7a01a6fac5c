from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.cli.refocus.options import read_map, stretched
from focusviewer.core.arrays import RGB
from focusviewer.refocus.modes import RefocusRequest
from focusviewer.refocus.regions import layout, planning, tiling
from focusviewer.slides import open_slide
from tests.cli.tools import AddingEngine, Outcome, tissue_like

Command = Callable[..., Outcome]


def read(path: Path) -> RGB:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def added(path: Path, source: Path, box: tuple[int, int, int, int]) -> np.ndarray:
    x, y, width, height = box
    return read(path).astype(int) - read(source)[y : y + height, x : x + width]


def test_the_region_is_rendered_at_the_focus_asked_for(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    out = tmp_path / "neu é.png"
    arguments = ["refocus", picture, "--z", -1.5, "--region", "100,50,300,200", "--mpp", 0.25, "--out", out]
    assert command(*arguments).code == 0
    assert (added(out, picture, (100, 50, 300, 200)) == -15).all()
    assert adding_engine.encoded == [(1, 232, 332)]  # the engine saw its halo of 16 px around the region


def test_the_file_says_that_it_is_synthesised_and_how(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    png, tif = tmp_path / "a.png", tmp_path / "a.tif"
    for out in (png, tif):
        assert command("refocus", picture, "--z", 1, "--mpp", 0.5, "--out", out).code == 0
    with Image.open(png) as image:
        assert "synthesised by FocusViewer" in image.info["Description"]
        facts = json.loads(image.info["FocusViewer"])
    with tifffile.TiffFile(tif) as file:
        assert json.loads(file.pages[0].description)["source"] == picture.name
        assert file.pages[0].software.startswith("FocusViewer")
    assert facts["engine"] == "adding"
    assert (facts["z_um"], facts["planes"], facts["mpp"]) == (1.0, [0], 0.5)
    assert {"engine_version", "weights_sha256", "planes_um", "date", "fingerprint", "region"} <= set(facts)


def sharpest_at(monkeypatch: pytest.MonkeyPatch, z_um: float, pixels: RGB) -> None:
    """Let the picture that the adding engine makes for ``z_um`` be the sharpest one."""
    wanted = float(np.clip(pixels + round(10 * z_um), 0, 255).mean())
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda made, mpp: abs(float(made.mean()) - wanted))


def test_auto_uses_the_best_focus_and_tells_it(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a.png"
    sharpest_at(monkeypatch, 1.5, read(picture).astype(int))
    document = command("refocus", picture, "--z", "auto", "--mpp", 0.25, "--out", out, "--json").document
    assert document["z_um"] == pytest.approx(1.5)
    assert (added(out, picture, (0, 0, 640, 480)) == 15).all()


def test_all_in_focus_follows_the_tissue(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    out = tmp_path / "a.png"
    document = command("refocus", picture, "--all-in-focus", "--mpp", 0.25, "--out", out, "--json").document
    assert document["z_um"] is None
    assert (added(out, picture, (0, 0, 640, 480)) == 15).all()


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".tif"])
def test_a_target_map_gives_every_pixel_its_own_focus(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine, suffix: str
) -> None:
    target = np.zeros((480, 640), np.float32)
    target[:, 320:] = 2.0
    path, out = tmp_path / f"target{suffix}", tmp_path / "a.png"
    if suffix == ".npz":
        np.savez(path, target_um=target, other=np.zeros(3))
    elif suffix == ".npy":
        np.save(path, target)
    else:
        tifffile.imwrite(path, target)
    assert command("refocus", picture, "--map", path, "--mpp", 0.25, "--out", out).code == 0
    difference = added(out, picture, (0, 0, 640, 480))
    assert (difference[:, :320] == 0).all()
    assert (difference[:, 320:] == 20).all()


def test_planes_of_a_stack_can_be_chosen(
    command: Command, stack: Path, tmp_path: Path, adding_engine: AddingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda made, mpp: 0.0)
    out = tmp_path / "a.png"
    all_planes = command("refocus", stack, "--z", "auto", "--out", out, "--json").document
    assert all_planes["planes"] == [0, 1, 2]
    two = command("refocus", stack, "--z", "auto", "--planes", "2,0", "--out", out, "--json").document
    assert two["planes"] == [0, 2]
    assert np.diff(two["planes_um"]) == pytest.approx([1.0])
    assert command("refocus", stack, "--z", "auto", "--planes", "0,3", "--out", out).code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--all-in-focus"),
        (("--z", "1", "--all-in-focus"), "together"),
        (("--z", "near"), "near"),
        (("--z", "nan"), "nan"),
        (("--z", "40"), "reaches 4 um"),
        (("--z", "1", "--region", "0,0,9999,10"), "9999"),
        (("--map", "nowhere.npz"), "nowhere.npz"),
    ],
)
def test_an_impossible_wish_is_refused_in_one_line(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine, options: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "a.png"
    outcome = command("refocus", picture, "--mpp", 0.25, "--out", out, *options)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not out.exists()


def test_microns_are_asked_for_where_the_file_has_none(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    outcome = command("refocus", picture, "--z", 1, "--out", tmp_path / "a.png")
    assert outcome.code == 2
    assert "--mpp" in outcome.err


def test_the_z_step_is_asked_for_where_the_file_has_none(
    command: Command, tmp_path: Path, adding_engine: AddingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "planes"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(tissue_like(100, 120, index)).save(folder / f"z{index}.png")
    arguments = ["refocus", folder, "--z", 0.5, "--mpp", 0.25, "--out", tmp_path / "a.png"]
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "--z-step" in outcome.err
    assert command(*arguments, "--z-step", 0.25, "--json").document["planes_um"] == [0.0, 0.25, 0.5]
    with monkeypatch.context() as patch:
        patch.setattr("focusviewer.refocus.auto.blur_score", lambda *given: pytest.fail("planes were compared"))
        assert "--z-step" in command(*arguments, "--planes", "auto").err
    alone = command(*arguments, "--planes", 2, "--json").document
    assert alone["planes_um"] == [0.0]  # its number is no position
    assert (added(tmp_path / "a.png", folder / "z2.png", (0, 0, 120, 100)) == 5).all()


def test_an_input_is_never_overwritten(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    before = picture.read_bytes()
    folder = picture.parent
    assert command("refocus", picture, "--z", 1, "--mpp", 0.25, "--out", folder / "." / picture.name).code == 2
    link = tmp_path / "link.png"
    link.symlink_to(picture)
    assert command("refocus", picture, "--z", 1, "--mpp", 0.25, "--out", link).code == 2
    assert command("refocus", folder, "--z", 1, "--mpp", 0.25, "--out", picture).code == 2
    assert picture.read_bytes() == before


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.svs"])
def test_only_known_pictures_are_written(command: Command, picture: Path, tmp_path: Path, name: str) -> None:
    outcome = command("refocus", picture, "--z", 1, "--mpp", 0.25, "--out", tmp_path / name)
    assert outcome.code == 2
    assert ".png" in outcome.err


@pytest.mark.parametrize("length", [1, 63, 64, 1024, 1025, 1983, 1985, 5000])
def test_spans_cover_a_length_and_their_weights_sum_to_one(length: int) -> None:
    parts = tiling.spans(length)
    total = np.zeros(length)
    for part in parts:
        assert part[1] - part[0] <= tiling.TILE_PX
        total[part[0] : part[1]] += tiling.fade(part, length)
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_large_regions_are_the_same_as_in_one_piece(
    tmp_path: Path, adding_engine: AddingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.png"
    pixels = tissue_like(700, 900)
    Image.fromarray(pixels).save(path)
    monkeypatch.setattr(layout, "TILE_PX", 256)
    target = np.linspace(0, 3, 800, dtype=np.float32)[None, :].repeat(600, 0)
    with open_slide(path, mpp=0.25) as slide:
        view = tiling.View(slide, (50, 60, 800, 600), (0,), (0.0,), 0.25)
        whole = tiling.refocus_view(view, adding_engine, RefocusRequest("map", map_um=target))
        seen: list[float] = []
        monkeypatch.setattr(planning, "ENCODED_PX", 900)
        sharpest_at(monkeypatch, 1.5, pixels[60:660, 50:850].astype(int))
        auto = tiling.refocus_view(view, adding_engine, RefocusRequest("deblur"), seen.append)
    part = pixels[60:660, 50:850].astype(int)
    assert len(adding_engine.encoded) > 10
    np.testing.assert_array_equal(whole.pixels, part + np.rint(target * 10).astype(int)[..., None])
    np.testing.assert_array_equal(auto.pixels, part + 15)
    assert auto.z_um == pytest.approx(1.5)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_an_acquired_plane_is_handed_over_as_it_is(
    command: Command, picture: Path, tmp_path: Path, adding_engine: AddingEngine
) -> None:
    out = tmp_path / "a.png"
    assert command("refocus", picture, "--z", 0, "--mpp", 0.25, "--out", out).code == 0
    assert (added(out, picture, (0, 0, 640, 480)) == 0).all()
    assert adding_engine.encoded == []
    with Image.open(out) as image:
        assert "synthesised" not in image.info["Description"]
        assert json.loads(image.info["FocusViewer"])["synthesised"] is False


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (1, 4, 5, 1)])
def test_a_small_map_is_stretched_over_the_region(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "map.npy"
    np.save(path, np.full(shape, 1.25))
    values = stretched(read_map(path), 60, 40)
    assert values.shape == (40, 60)
    assert np.allclose(values, 1.25)


def test_engines_that_disagree_between_tiles_leave_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disagreeing(AddingEngine):
        def _render(self, encoded, target_um):  # type: ignore[no-untyped-def]
            return super()._render(encoded, float(len(self.encoded) % 2) * 4)

    path = tmp_path / "flat.png"
    Image.fromarray(np.full((300, 900, 3), 100, np.uint8)).save(path)
    monkeypatch.setattr(layout, "TILE_PX", 256)
    with open_slide(path, mpp=0.25) as slide:
        view = tiling.View(slide, (0, 0, 900, 300), (0,), (0.0,), 0.25)
        result = tiling.refocus_view(view, Disagreeing(), RefocusRequest("refocus", 1.0))
    steps = np.abs(np.diff(result.pixels.astype(int), axis=1)).max()
    assert result.pixels.max() - result.pixels.min() > 30  # they do disagree
    assert steps <= 2


def test_auto_offers_all_in_focus_where_one_focus_leaves_half_of_the_view_out(
    command: Command, picture: Path, tmp_path: Path
) -> None:
    from focusviewer.optics import Camera, Optics, defocus_image

    light = np.divide(read(picture), 255, dtype=np.float32)
    blurred = defocus_image(light, 3.0, 0.25, Optics(na=0.7))
    made = np.concatenate([light[:, :320], blurred[:, 320:]], axis=1)
    half, out = tmp_path / "half.png", tmp_path / "out.png"
    Image.fromarray(Camera(noise=0.002).capture(made, np.random.default_rng(0))).save(half)
    outcome = command("refocus", half, "--engine", "fast", "--z", "auto", "--mpp", 0.25, "--out", out)
    assert "Try --all-in-focus" in outcome.out + outcome.err
    document = command(
        "refocus", half, "--engine", "fast", "--z", "auto", "--mpp", 0.25, "--out", out, "--json"
    ).document
    assert 0.3 <= document["left_out"]["share"] <= 0.7
    assert any("all in focus" in note for note in document["notes"])
    evenly = command(
        "refocus", picture, "--engine", "fast", "--z", "auto", "--mpp", 0.25, "--out", out, "--json"
    ).document
    assert not any("all in focus" in note for note in evenly["notes"])
