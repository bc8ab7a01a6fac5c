from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_tools import Outcome
from PIL import Image

from focusviewer.slides import Region, open_slide

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
