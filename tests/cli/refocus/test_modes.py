from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.cli.refocus import command as command_module
from focusviewer.refocus.regions import sweep
from focusviewer.slides import Region, open_slide
from tests.cli.tools import AddingEngine, Outcome, tissue_like

Command = Callable[..., Outcome]
SCALE = ("--mpp", 0.25)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(autouse=True)
def _adding(adding_engine: AddingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda made, mpp: 0.0)


@pytest.mark.parametrize(
    ("options", "z_um", "mode", "target"),
    [
        (("--mode", "refocus", "--z", 0.25), 0.25, "refocus", "one focus"),
        (("--mode", "interpolate", "--z", 0.75), 0.75, "interpolate", "one focus"),
        (("--mode", "extrapolate", "--z", 2), 2.0, "extrapolate", "one focus"),
        (("--mode", "defocus", "--z", -1), -1.0, "defocus", "one focus"),
        (("--mode", "refocus", "--z", "auto"), 0.0, "deblur", "best focus"),
        (("--mode", "deblur"), 0.0, "deblur", "best focus"),
        (("--mode", "all-in-focus"), None, "all-in-focus", "all in focus"),
        (("--all-in-focus",), None, "all-in-focus", "all in focus"),
        (("--z", 0.5), 0.5, "refocus", "one focus"),
    ],
)
def test_modes_have_names(
    command: Command,
    stack: Path,
    tmp_path: Path,
    options: tuple[object, ...],
    z_um: float | None,
    mode: str,
    target: str,
) -> None:
    document = command("refocus", stack, *options, "--out", tmp_path / "a.png", "--json").document
    assert (document["z_um"], document["mode"], document["target"]) == (z_um, mode, target)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mode", "sharpen", "--z", 1), "interpolate"),
        (("--mode", "refocus"), "--z"),
        (("--mode", "interpolate", "--z", "auto"), "--z"),
        (("--mode", "interpolate", "--z", 1.5), "planes lie from 0 to 1 um"),
        (("--mode", "extrapolate", "--z", 0.5), "beyond them"),
        (("--mode", "defocus", "--z", 1.2), "no defocus"),
        (("--mode", "map"), "--map"),
        (("--mode", "deblur", "--z", 1), "does not go with"),
        (("--mode", "refocus", "--z", 1, "--all-in-focus"), "does not go with"),
        (("--z", 1, "--depth", "d.npy"), "does not go with"),
        (("--all-in-focus", "--depth", "nowhere.npy"), "nowhere.npy"),
        (("--z", 1, "--sweep", "0:1:1"), "together"),
        (("--mode", "assume", "--z", 1), "3 planes tell where the tissue lies"),
        (("--mode", "assume", "--planes", 1, "--z", 5), "reaches 4 um"),
        (("--mode", "assume", "--planes", 1), "--z 1.5"),
        (("--mode", "assume", "--planes", 1, "--z", "auto"), "--z 1.5"),
        (("--mode", "assume", "--sweep", "0:1:1"), "3 planes tell"),
        (("--mode", "defocus", "--sweep", "0:1:1"), "together"),
        (("--sweep", "up"), "--sweep"),
        (("--sweep", "1:0:1"), "above the beginning"),
        (("--sweep", "0:9:1"), "reaches 4 um"),
        (("--sweep", "0:1:1", "--fps", 0), "--fps"),
        (("--z", 1, "--planes", "some"), "--planes"),
        (("--z", 1, "--confidence", "c.jpg"), ".png"),
        (("--z", 1, "--compression", "zip"), "deflate"),
    ],
)
def test_what_does_not_fit_together_is_one_line(
    command: Command, stack: Path, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    out = tmp_path / ("a.gif" if "--sweep" in options and "--z" not in options else "a.png")
    outcome = command("refocus", stack, *options, "--out", out)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("z", "z_um", "distance", "said"),
    [
        (3, 3.5, 3.0, "assumed 3.00 um from focus"),
        (-1, -0.5, 0.0, "blurred by 1.00 um"),
        (0, 0.5, 0.0, "as acquired"),
    ],
)
def test_the_user_says_how_far_out_the_tissue_is(
    command: Command, tmp_path: Path, z: float, z_um: float, distance: float, said: str
) -> None:
    planes = np.stack([tissue_like(48, 64, seed) for seed in (1, 2)])
    path, out = write_stack(tmp_path / "s.ome.tif", planes, 0.5), tmp_path / "a.png"
    options = ("--mode", "assume", "--planes", 1, "--z", z, "--out", out)
    document = command("refocus", path, *options, "--json").document
    assert (document["mode"], document["target"]) == ("assume", "assumed distance")
    assert (document["z_um"], document["assumed_distance_um"]) == (z_um, distance)
    assert (read(out) == np.clip(planes[1] + 10 * z_um, 0, 255).astype(np.uint8)).all() or z == 0
    with Image.open(out) as image:
        assert f'"assumed_distance_um": {distance}' in str(image.info)
    assert said in command("refocus", path, *options).out


def test_the_assumed_distance_is_swept(command: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gif"
    options = ("--mode", "assume", "--sweep", "0:2:1", *SCALE, "--out", out, "--json")
    document = command("refocus", picture, *options).document
    assert (document["mode"], document["targets_um"]) == ("assume", [0.0, 1.0, 2.0, 1.0])
    with Image.open(out) as image:
        assert image.n_frames == 4


def test_all_in_focus_follows_a_measured_depth(command: Command, picture: Path, tmp_path: Path) -> None:
    depth = tmp_path / "depth.tif"
    tifffile.imwrite(depth, np.full((48, 64), 2.0, np.float32))
    out = tmp_path / "a.png"
    options = ["--all-in-focus", "--depth", depth, *SCALE, "--out", out, "--json"]
    document = command("refocus", picture, *options).document
    assert document["z_range_um"] == [2.0, 2.0]
    assert (read(out) - read(picture) == 20).all()


def write_stack(path: Path, planes: np.ndarray, step_um: float) -> Path:
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    facts = {"axes": "ZYXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": step_um, **units}
    tifffile.imwrite(path, planes, ome=True, photometric="rgb", metadata=facts)
    return path


def test_planes_are_chosen_around_the_target(command: Command, tmp_path: Path) -> None:
    planes = np.stack([tissue_like(64, 64, index) for index in range(9)])
    path = write_stack(tmp_path / "many.ome.tif", planes, 1.0)
    out = tmp_path / "a.png"
    chosen = command("refocus", path, "--z", 2.5, "--planes", "auto", "--out", out, "--json").document["planes"]
    assert len(chosen) == 5
    assert {2, 3} <= set(chosen)
    assert len(command("refocus", path, "--z", 2.5, "--out", out, "--json").document["planes"]) == 9


@pytest.mark.parametrize("wish", ["map", "depth", "sweep"])
def test_planes_are_chosen_for_all_targets_that_are_asked_for(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    planes = np.stack([np.full((64, 64, 3), 120 + index, np.uint8) for index in range(14)])
    path = write_stack(tmp_path / "many.ome.tif", planes, 1.0)
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda made, mpp: abs(float(made.mean()) - 120 - 12))
    targets = tmp_path / "targets.npy"
    np.save(targets, np.linspace(1.5, 5.5, 16, dtype=np.float32).reshape(4, 4))
    options = {
        "map": ("--map", targets),
        "depth": ("--all-in-focus", "--depth", targets),
        "sweep": ("--sweep", "1.5:5.5:1"),
    }
    out = tmp_path / ("a.gif" if wish == "sweep" else "a.png")
    document = command("refocus", path, *options[wish], "--planes", "auto", "--out", out, "--json").document
    assert document["planes"] == [1, 2, 3, 4, 5, 6]  # and not those around the sharpest, the twelfth


def test_all_in_focus_takes_planes_from_the_whole_stack(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = np.stack([np.full((64, 64, 3), 120 + index, np.uint8) for index in range(15)])
    path = write_stack(tmp_path / "many.ome.tif", planes, 1.0)
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda made, mpp: abs(float(made.mean()) - 120 - 13))
    options = ["--all-in-focus", "--planes", "auto", "--out", tmp_path / "a.png", "--json"]
    assert command("refocus", path, *options).document["planes"] == [2, 5, 8, 11, 13]


def test_the_sharpest_plane_of_many_is_among_those_an_engine_gets(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes = np.stack([np.full((64, 64, 3), 120 + index, np.uint8) for index in range(24)])
    path = write_stack(tmp_path / "many.ome.tif", planes, 0.5)
    for sharpest in (7, 13, 23):
        monkeypatch.setattr(
            "focusviewer.refocus.auto.blur_score",
            lambda made, mpp, wanted=120 + sharpest: 50 * abs(float(made.mean()) - wanted),
        )
        document = command("refocus", path, "--z", "auto", "--out", tmp_path / "a.png", "--json").document
        assert len(document["planes"]) == 16
        assert sharpest in document["planes"]


def test_confidence_is_written_and_said(command: Command, picture: Path, tmp_path: Path) -> None:
    out, trust = tmp_path / "a.png", tmp_path / "trust.npy"
    arguments = ["refocus", picture, "--z", 1, *SCALE, "--region", "0,0,200,100", "--out", out, "--confidence"]
    outcome = command(*arguments, trust)
    assert outcome.code == 0
    for words in ("synthesised", "not for diagnosis", "re-blur consistency", "residual energy", "background change"):
        assert words in outcome.out
    values = np.load(trust)
    assert values.shape == (100, 200)
    assert 0 <= values.min() <= values.max() <= 1
    assert command(*arguments, trust).code == 2  # it is there already
    document = command(*arguments, trust, "--force", "--json").document
    assert document["confidence"]["reblur_db"] < 60
    assert document["statement"] == "synthesised; not for diagnosis"
    image = tmp_path / "trust.png"
    assert command(*arguments, image).code == 0
    assert read(image).shape == (100, 200, 3)


def test_an_acquired_plane_is_certain(command: Command, stack: Path, tmp_path: Path) -> None:
    options = ["--z", 0.5, "--out", tmp_path / "a.png", "--confidence", tmp_path / "c.npy", "--json"]
    document = command("refocus", stack, *options).document
    assert document["synthesised"] is False
    assert document["confidence"]["background_change"] == 0
    assert (np.load(tmp_path / "c.npy") == 1).all()


def test_a_sweep_is_a_moving_picture_with_its_facts(command: Command, stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "play.gif"
    arguments = ["refocus", stack, "--sweep", "0:1:0.25", "--region", "0,0,120,90", "--out", out]
    outcome = command(*arguments)
    assert outcome.code == 0
    assert "8 frames" in outcome.out
    assert "not for diagnosis" in outcome.out
    with Image.open(out) as image:
        assert image.n_frames == 8
        facts = json.loads(image.info["comment"])
    assert facts["targets_um"] == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]
    assert facts["engine"] == "adding"
    assert command(*arguments).code == 2
    assert "exists" in command(*arguments).err
    assert command(*arguments, "--force").code == 0


def test_a_sweep_that_cannot_be_kept_or_written_is_refused_before_it_is_rendered(
    command: Command, stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adding_engine: AddingEngine
) -> None:
    def refused(name: str, words: str) -> None:
        outcome = command("refocus", stack, "--sweep", "0:1:0.25", "--out", tmp_path / name)
        assert outcome.code == 2
        assert words in outcome.err
        assert adding_engine.encoded == []
        assert not (tmp_path / name).exists()

    with monkeypatch.context() as patch:
        patch.setattr(command_module, "MAX_SWEEP_VALUES", 8 * 400 * 300 - 1)
        refused("a.gif", "8 frames of 400 x 300 pixels")
    monkeypatch.setitem(sweep.MAX_SIDE_PX, ".webp", 399)
    refused("a.webp", "up to 399 pixels a side")


def test_a_moving_picture_of_one_focus_is_refused_with_what_is_meant(
    command: Command, stack: Path, tmp_path: Path
) -> None:
    outcome = command("refocus", stack, "--z", 1, "--out", tmp_path / "a.gif")
    assert outcome.code == 2
    assert "--sweep" in outcome.err


@pytest.mark.parametrize("name", ["a.png", "a.ome.tif", "a.gif"])
def test_what_the_engine_has_to_say_is_passed_on(
    command: Command,
    stack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    adding_engine: AddingEngine,
    name: str,
) -> None:
    encode = adding_engine.encode
    monkeypatch.setattr(
        adding_engine, "encode", lambda *given, **named: replace(encode(*given, **named), notes=("It refracts.",))
    )
    focus = ("--sweep", "0:1:0.25") if name.endswith(".gif") else ("--z", 0.75)
    outcome = command("refocus", stack, *focus, "--out", tmp_path / name)
    assert outcome.code == 0
    assert outcome.err.count("It refracts.") == 1
    assert command("refocus", stack, *focus, "--out", tmp_path / name, "--force", "--json").document["notes"] == [
        "It refracts."
    ]


def test_a_region_is_written_as_a_pyramid_that_opens_again(command: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "neu.ome.tif"
    arguments = ["refocus", picture, "--z", 1.5, *SCALE, "--compression", "deflate", "--out", out]
    outcome = command(*arguments)
    assert outcome.code == 0
    assert "not for diagnosis" in outcome.out
    with open_slide(out) as slide:
        assert len(slide.levels) == 2
        assert slide.mpp == pytest.approx(0.25)
        np.testing.assert_array_equal(slide.read_region(Region(0, 0, 0, 640, 480)), read(picture) + 15)
    said = str(command("info", out, "--json").document["properties"])
    assert "synthesised" in said
    assert '"compression": "deflate"' in said
    before = out.read_bytes()
    assert command(*arguments).code == 2
    assert out.read_bytes() == before
    assert command(*arguments, "--force", "--json").document["z_um"] == 1.5
    assert command(*arguments, "--confidence", tmp_path / "c.npy", "--force").code == 2


def test_no_size_is_too_large_for_a_tiff(
    command: Command, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from focusviewer.cli.refocus import options as refocus_options

    for module in (refocus_options, command_module):
        monkeypatch.setattr(module, "MAX_PIXELS", 100_000)
    small = tmp_path / "map.npy"
    np.save(small, np.full((3, 4), 2.0, np.float32))
    outcome = command("refocus", picture, "--map", small, *SCALE, "--out", tmp_path / "a.png")
    assert outcome.code == 2
    assert ".ome.tif" in outcome.err
    out = tmp_path / "a.tif"
    assert command("refocus", picture, "--map", small, *SCALE, "--compression", "deflate", "--out", out).code == 0
    with open_slide(out) as slide:
        np.testing.assert_array_equal(slide.read_region(Region(0, 0, 0, 640, 480)), read(picture) + 20)
    assert "exists" in command("refocus", picture, "--map", small, *SCALE, "--out", out).err


@pytest.mark.parametrize(("name", "words"), [("glow", "fluorescence"), ("coarse", "coarser than 0.6")])
def test_slides_outside_the_supported_range_are_refused(
    command: Command, tmp_path: Path, rng: np.random.Generator, name: str, words: str
) -> None:
    path, out = tmp_path / f"{name}.png", tmp_path / "out.png"
    pixels = tissue_like(120, 120)
    if name == "glow":
        pixels = np.clip(rng.normal(5, 3, (120, 120, 3)), 0, 255).astype(np.uint8)
        pixels[40:60, 40:60] = 200
    Image.fromarray(pixels).save(path)
    outcome = command("refocus", path, "--z", 1, "--mpp", 2 if name == "coarse" else 0.25, "--out", out)
    assert (outcome.code, out.exists()) == (2, False)
    assert words in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
