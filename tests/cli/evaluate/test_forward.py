from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.optics import Camera, Optics, defocus_image
from tests.cli.tools import Outcome

Run = Callable[..., Outcome]
KEYS = {"psnr", "ssim", "gaussian_psnr", "disk_psnr", "z_um", "thickness_um", "na", "noise", "first_zero", "mpp"}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A sharp gray picture and the same 2.5 um out of focus."""
    rng = np.random.default_rng(2)
    spectrum = np.fft.rfft2(rng.standard_normal((128, 128)))
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    grain = np.fft.irfft2(spectrum / np.maximum(radius, 0.02), s=(128, 128))
    light = np.repeat(np.clip(0.6 + 0.1 * grain / grain.std(), 0, 1)[..., None], 3, axis=2).astype(np.float32)
    blurred = Camera(noise=0.003).capture(defocus_image(light, 2.5, 0.25, Optics()), rng)
    folder = tmp_path_factory.mktemp("pair")
    for name, pixels in (("sharp", (light * 255).round().astype(np.uint8)), ("blurred", blurred)):
        Image.fromarray(pixels[..., 1]).save(folder / f"{name}.png")
    return folder / "sharp.png", folder / "blurred.png"


def test_forward_prints_one_document_with_the_agreed_keys(
    command: Run, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    outcome = command("evaluate", "forward", *pair, "--mpp", "0.25", "--out", tmp_path, "--json")
    assert outcome.code == 0
    assert set(outcome.document) >= KEYS
    assert outcome.document["z_um"] == pytest.approx(2.5, rel=0.1)
    assert outcome.document["psnr"] > outcome.document["gaussian_psnr"]
    assert Image.open(tmp_path / "forward.png").size == (320, 240)
    assert json.loads((tmp_path / "forward.json").read_text(encoding="utf-8")) == outcome.document


def test_a_stated_aperture_is_used_and_the_figures_are_told_in_words(command: Run, pair: tuple[Path, Path]) -> None:
    outcome = command("evaluate", "forward", *pair, "--magnification", "40", "--na", "0.7")
    assert outcome.code == 0
    assert "NA 0.70" in outcome.out
    assert "Best Gaussian" in outcome.out


def test_bad_pairs_are_one_line_and_exit_2(command: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    sharp, blurred = pair
    small, other = tmp_path / "small.png", tmp_path / "other.png"
    Image.open(sharp).crop((0, 0, 100, 128)).save(small)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (128, 128)).astype(np.uint8)).save(other)
    cases = (
        ([sharp, blurred], "pixel size"),
        ([sharp, "--mpp", "0.25"], "One plane alone"),
        ([sharp, tmp_path / "none.png", "--mpp", "0.25"], "none.png"),
        ([sharp, small, "--mpp", "0.25"], "100 x 128"),
        ([sharp, other, "--mpp", "0.25"], "same tissue"),
        ([sharp, blurred, "--mpp", "0.25", "--na", "7"], "--na 7"),
        (["--data", tmp_path], "No focal stacks"),
    )
    for arguments, words in cases:
        outcome = command("evaluate", "forward", *arguments, "--json")
        assert outcome.code == 2, words
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
        assert outcome.out == ""


def test_transfer_needs_weights_and_stacks(command: Run, tmp_path: Path) -> None:
    assert "No weights" in command("evaluate", "transfer", "--weights", tmp_path, "--data", tmp_path).err
    outcome = command("evaluate", "transfer", "--model", "focuslitenn-1", "--data", tmp_path)
    assert outcome.code == 2
    assert "No test stacks" in outcome.err
