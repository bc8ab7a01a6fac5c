from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.slides import Region, open_slide
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def test_defocus_blurs_and_leaves_the_truth_beside(command: Command, picture: Path, tmp_path: Path) -> None:
    near, far = tmp_path / "near.png", tmp_path / "weit ü.png"
    for z, out in ((0, near), (3, far)):
        assert command("simulate", "defocus", picture, "--z", z, "--mpp", 0.25, "--out", out).code == 0
    assert np.abs(pixels(near) - pixels(picture)).max() <= 12  # the lens in focus is part of the picture already
    assert pixels(far).std() < 0.8 * pixels(near).std()
    truth = json.loads((tmp_path / "weit ü.truth.json").read_text(encoding="utf-8"))
    assert (truth["z_um"], truth["mpp"]) == (3.0, 0.25)
    with Image.open(far) as image:
        assert "simulated by FocusViewer" in image.info["Description"]


def test_noise_is_the_same_for_the_same_seed(command: Command, picture: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{name}.png" for name in "abc"]
    for out, seed in zip(outs, (1, 1, 2), strict=True):
        arguments = ["--z", 1, "--mpp", 0.25, "--noise", 0.02, "--seed", seed, "--out", out]
        assert command("simulate", "defocus", picture, *arguments).code == 0
    first, same, other = map(pixels, outs)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).mean() > 1


def test_defocus_asks_for_the_scale(command: Command, picture: Path, tmp_path: Path) -> None:
    outcome = command("simulate", "defocus", picture, "--z", 1, "--out", tmp_path / "a.png")
    assert outcome.code == 2
    assert "--mpp" in outcome.err


def test_defocus_asks_which_plane_of_a_stack(command: Command, stack: Path, tmp_path: Path) -> None:
    soft, sharp = tmp_path / "soft.png", tmp_path / "sharp.png"
    outcome = command("simulate", "defocus", stack, "--z", 1, "--out", soft)
    assert outcome.code == 2
    assert "--plane" in outcome.err
    for plane, out in ((0, soft), (1, sharp)):
        assert command("simulate", "defocus", stack, "--z", 1, "--plane", plane, "--out", out).code == 0
    assert pixels(sharp).std() > 1.05 * pixels(soft).std()
    assert command("simulate", "defocus", stack, "--z", 1, "--plane", 3, "--out", soft).code == 2


def test_a_stack_opens_with_its_planes_and_knows_its_depth(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "stack.ome.tif"
    options = ["--seed", 4, "--size", "320x256", "--planes", 5, "--step", 1.5, "--thickness", 2]
    document = command("simulate", "stack", *options, "--out", out, "--json").document
    with np.load(document["truth"]) as truth:
        planes_um, best_z_um, best = truth["planes_um"], truth["best_z_um"], int(truth["best_plane"])
    with open_slide(out) as slide:
        assert slide.dimensions == (320, 256)
        assert slide.mpp == pytest.approx(0.25)
        assert slide.planes_um == pytest.approx(tuple(planes_um))
        planes = [slide.read_region(Region(0, 0, 0, 320, 256, plane)).astype(float) for plane in range(5)]
    assert best_z_um.shape == (256, 320)
    assert best == np.argmin(np.abs(planes_um - np.median(best_z_um)))
    detail = [np.abs(np.diff(plane, axis=1)).mean() for plane in planes]
    assert abs(int(np.argmax(detail)) - best) <= 1


def test_a_simulated_slide_has_its_focus_map_beside_it(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "slide.ome.tif"
    options = ["--seed", 1, "--size", "1024x768", "--blur", "strip"]
    document = command("simulate", "slide", *options, "--out", out, "--json").document
    with np.load(document["truth"]) as truth:
        z_um, x, y = truth["z_um"], truth["x"], truth["y"]
    assert z_um.shape == (y.size, x.size)
    assert z_um.min() >= 0
    assert z_um.max() - z_um.min() > 0.5
    with open_slide(out) as slide:
        assert slide.dimensions == (1024, 768)
        assert slide.mpp == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("slide", "--blur", "some"), "some"),
        (("slide", "--size", "12"), "12"),
        (("slide", "--size", "0x10"), "0x10"),
        (("slide", "--mpp", "40"), "40"),
        (("stack", "--step", "0"), "--step"),
        (("stack", "--size", "20000x20000"), "16 million pixels"),
        (("stack", "--stain", "giemsa"), "giemsa"),
        (("stack", "--na", "1.4"), "--na"),
        (("stack", "--domain", "colour"), "colour"),
    ],
)
def test_impossible_recipes_are_refused(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    outcome = command("simulate", *arguments, "--out", tmp_path / "a.ome.tif")
    assert outcome.code == 2
    assert word in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_a_sharp_image_is_lifted_to_a_stack(command: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "lifted.ome.tif"
    options = ["--patch", picture, "--size", "160x128", "--planes", 3, "--step", 2, "--thickness", 2, "--noise", 0]
    assert command("simulate", "stack", *options, "--out", out).code == 2  # the picture does not say its scale
    document = command("simulate", "stack", *options, "--mpp", 0.25, "--out", out, "--json").document
    assert document["size"] == [160, 128]
    sharp = pixels(picture)[176:304, 240:400]
    with open_slide(out) as slide:
        planes = [slide.read_region(Region(0, 0, 0, 160, 128, plane)).astype(float) for plane in range(3)]
    errors = [np.abs(plane - sharp).mean() for plane in planes]
    assert int(np.argmin(errors)) == 1


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    options = "simulate stack --seed 5 --size 96x80 --planes 2 --relief 0.4 --dust 3 --fields 64 --jump 0.5 --bayer"
    files = []
    for name, hash_seed in (("a", "1"), ("b", "2")):
        out = tmp_path / f"{name}.ome.tif"
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        call = [sys.executable, "-m", "focusviewer", *options.split(), "--out", str(out)]
        subprocess.run(call, check=True, env=environment, capture_output=True)
        files.append((out.read_bytes(), out.with_name(f"{name}.truth.npz").read_bytes()))
    assert files[0] == files[1]


def test_options_of_the_scanner_change_the_picture_and_are_reported(command: Command, tmp_path: Path) -> None:
    small = ["--seed", 2, "--size", "128x96", "--planes", 2]
    seen = {}
    for name, options in {
        "plain": [],
        "coverslip": ["--coverslip", 190],
        "condenser": ["--condenser", 0.5, "--refraction", 0.2],
        "camera": ["--gamma", 1.8, "--sharpening", 0.5, "--jpeg", 70],
    }.items():
        out = tmp_path / f"{name}.ome.tif"
        document = command("simulate", "stack", *small, *options, "--out", out, "--json").document
        assert len(document["options"]) == len(options) // 2
        with open_slide(out) as slide:
            seen[name] = slide.read_region(Region(0, 0, 0, 128, 96, 0)).astype(float)
    for name in ("coverslip", "condenser", "camera"):
        assert np.abs(seen[name] - seen["plain"]).mean() > 0.5


def test_a_data_set_is_split_by_source_and_has_a_manifest(command: Command, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(1)
    for index in range(4):
        Image.fromarray(rng.integers(60, 255, (96, 96, 3), dtype=np.uint8)).save(images / f"{index}.png")
    (images / "copy.png").write_bytes((images / "0.png").read_bytes())
    (images / "broken.png").write_bytes(b"no picture")
    (images / "cut.png").write_bytes((images / "1.png").read_bytes()[:9000])
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(images / "small.png")
    options = ["--stacks", 9, "--size", "80x64", "--planes", 2, "--patches", images, "--phantoms", 0.4]
    out = tmp_path / "set"
    document = command("simulate", "dataset", "--seed", 6, *options, "--out", out, "--json").document
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert document["stacks"] == {"train": 5, "validation": 2, "test": 2}
    assert manifest["skipped"]["copy.png"] == "the same as 0.png"
    assert {"broken.png", "cut.png", "small.png"} < set(manifest["skipped"])
    sides: dict[str, set[str]] = {}
    for entry in manifest["stacks"]:
        sides.setdefault(entry["source"], set()).add(entry["split"])
        with open_slide(out / entry["path"]) as slide:
            assert slide.dimensions == (80, 64)
    assert all(len(splits) == 1 for splits in sides.values())
    assert any(name.startswith("phantom-") for name in sides)
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == facts["sha256"]
    again = tmp_path / "again"
    told = command("simulate", "dataset", "--seed", 6, *options, "--out", again)
    assert told.code == 0 and "left out: copy.png: the same as 0.png" in told.err
    assert (again / "manifest.json").read_bytes() == (out / "manifest.json").read_bytes()
    assert command("simulate", "dataset", "--seed", 6, *options, "--out", out).code == 2  # it is there already


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("stack", "--jump", "1"), "--fields"),
        (("stack", "--jump", "1", "--curvature", "1"), "--fields"),
        (("stack", "--planes", "64", "--step", "20"), "630 um"),
        (("dataset", "--planes", "9", "--step", "20"), "80 um"),
        (("stack", "--fields", "12"), "--fields"),
        (("stack", "--fields", "wide"), "--fields"),
        (("stack", "--fields", "1x"), "--fields '1"),
        (("stack", "--vectorial", "--condenser", "0.5"), "--vectorial"),
        (("stack", "--condenser", "0"), "--condenser"),
        (("stack", "--section-index", "3"), "--section-index"),
        (("stack", "--section-index", "0"), "--section-index"),
        (("stack", "--refraction", "nan"), "--refraction"),
        (("stack", "--gamma", "0"), "--gamma"),
        (("slide", "--jpeg", "5"), "jpeg"),
        (("dataset", "--patches", "nowhere"), "nowhere"),
        (("dataset", "--size", "10x10"), "--size"),
    ],
)
def test_impossible_scanners_and_data_sets_are_refused(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    outcome = command("simulate", *arguments, "--out", tmp_path / "a.ome.tif")
    assert outcome.code == 2
    assert word in outcome.err
