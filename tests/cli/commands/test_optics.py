"""``calibrate --optics`` from the command line: measured, listed, used, forgotten, refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.optics import Optics, defocus_image
from tests.cli.tools import Outcome, tissue_like


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A field in focus and out of it, by a lens of NA 0.5."""
    monkeypatch.setenv("FOCUSVIEWER_CONFIG", str(tmp_path / "config"))
    sharp = tissue_like(160, 320)
    light = defocus_image(sharp.astype(np.float32) / 255, 2.0, 0.25, Optics(na=0.5))
    files = tmp_path / "sharp.png", tmp_path / "blurred.png"
    Image.fromarray(sharp).save(files[0])
    Image.fromarray(np.asarray(np.clip(light * 255, 0, 255) + 0.5, np.uint8)).save(files[1])
    return files


def test_a_pair_is_measured_and_refocusing_uses_it(
    pair: tuple[Path, Path], command: Callable[..., Outcome], tmp_path: Path
) -> None:
    made = command("calibrate", "--optics", *pair, "--mpp", "0.25", "--json").document
    assert made["kind"] == "optics" and made["method"] == "pair" and made["mpp"] == 0.25
    assert made["source"] == "sharp.png and blurred.png" and made["notes"]
    listed = command("calibrate", "--list", "--json").document
    assert [entry["scanner"] for entry in listed if entry["kind"] == "optics"] == [made["scanner"]]
    assert made["scanner"] in command("calibrate", "--list").out
    out = tmp_path / "out.png"
    refocus = ["refocus", pair[1], "--mpp", "0.25", "--z", "1.5", "--engine", "wiener", "--out", out, "--json"]
    assert command(*refocus).document["optics_profile"]["scanner"] == made["scanner"]
    gone = command("calibrate", "--optics", "--forget", "--scanner", made["scanner"], "--json").document
    assert gone["forgotten"] == 1 and gone["kind"] == "optics"
    assert "optics_profile" not in command(*refocus).document


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--optics needs planes"),
        (("sharp.png",), "no focal stack"),
        (("sharp.png", "sharp.png", "sharp.png"), "3 files are too many"),
        (("sharp.png", "blurred.png", "--step", "1"), "go with a focal stack"),
        (("sharp.png", "blurred.png", "--model", "tenengrad"), "does not go with --model"),
        (("sharp.png", "other.png"), "same tissue"),
        (("sharp.png", "small.png"), "do not fit together"),
        (("sharp.png", "--forget"), "no optics profile"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    pair: tuple[Path, Path], command: Callable[..., Outcome], arguments: tuple[str, ...], told: str
) -> None:
    folder = pair[0].parent
    Image.fromarray(tissue_like(160, 320, 77)[::-1].copy()).save(folder / "other.png")
    Image.fromarray(tissue_like(100, 100)).save(folder / "small.png")
    full = [folder / one if one.endswith(".png") else one for one in arguments]
    outcome = command("calibrate", "--optics", *full, "--mpp", "0.25")
    assert outcome.code == 2 and told in outcome.err and outcome.err.count("\n") == 1


def test_a_scale_is_needed(pair: tuple[Path, Path], command: Callable[..., Outcome]) -> None:
    outcome = command("calibrate", "--optics", *pair)
    assert outcome.code == 2 and "--mpp" in outcome.err
