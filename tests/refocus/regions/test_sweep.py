from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import UserError
from focusviewer.refocus.regions.sweep import badge_text, draw_badge, sweep_targets, write_sweep


def test_a_sweep_goes_there_and_back_without_showing_an_end_twice() -> None:
    assert sweep_targets(-1, 1, 0.5) == [-1, -0.5, 0, 0.5, 1, 0.5, 0, -0.5]
    assert sweep_targets(0, 1, 0.4) == [0, 0.4, 0.8, 1.0, 0.8, 0.4]
    assert 0.0 in sweep_targets(-2, 2, 0.1)
    assert len(sweep_targets(0, 100, 0.5)) == 400


@pytest.mark.parametrize("ends", [(1, 1, 0.5), (2, -2, 0.5), (0, 1, 0), (0, 1, -1), (0, float("nan"), 1), (0, 1, 1e-4),
                                  (0, 1e300, 1e-300), (-1e308, 1e308, 1), (0, 100.5, 0.5)])  # fmt: skip
def test_impossible_sweeps_are_refused(ends: tuple[float, float, float]) -> None:
    with pytest.raises(UserError):
        sweep_targets(*ends)


def frames(count: int) -> list[np.ndarray]:
    ramp = np.linspace(60, 220, 120)[None, :, None]
    return [np.clip(ramp + 10 * i + np.zeros((90, 1, 3)), 0, 255).astype(np.uint8) for i in range(count)]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_sweep_plays_for_ever_and_says_how_it_was_made(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"play é{suffix}"
    facts = {"engine": "fast", "source": "Präparat.svs", "targets_um": [0.0, 1.5, 0.75], "planes_um": [0.0]}
    write_sweep(path, iter(frames(3)), 8, facts)
    with Image.open(path) as image:
        assert image.n_frames == 3
        assert image.info["loop"] == 0
        assert image.size == (120, 90)
        if suffix == ".gif":
            assert json.loads(image.info["comment"]) == facts
            assert image.info["duration"] == pytest.approx(125, abs=5)
        else:
            assert b"Pr\\u00e4parat.svs" in image.info["xmp"]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_every_frame_carries_its_badge() -> None:
    assert badge_text(1.5, [0.0]) == "synthesised  z = +1.50 um"
    assert badge_text(-0.25, [0.0]).startswith("synthesised")
    assert badge_text(2.0, [0.0, 2.0]) == "acquired plane  z = +2.00 um"
    assert badge_text(0.2 - 0.2000001, [1.0]) == "synthesised  z = 0.00 um"
    assert badge_text(-0.125, [1.0]) == "synthesised  z = -0.125 um"
    plain = np.full((300, 400, 3), 230, np.uint8)
    badged = np.asarray(draw_badge(plain, badge_text(1.5, [0.0])))
    changed = (badged != plain).any(axis=2)
    assert changed[-12:, :60].all()
    assert not changed[:250].any()
    assert badged[-20:, :200].max() > 240  # white letters
    assert badged[-20:, :200].min() < 80
    assert (plain == 230).all()


def test_frames_and_targets_must_be_as_many(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_sweep(tmp_path / "a.gif", frames(2), 8, {"targets_um": [0.0, 1.0, 2.0], "planes_um": [0.0]})
    assert not list(tmp_path.iterdir())


def test_other_moving_pictures_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="webp"):
        write_sweep(tmp_path / "a.mp4", frames(1), 8, {"targets_um": [0.0], "planes_um": [0.0]})


@pytest.mark.parametrize(("suffix", "width"), [(".gif", 65536), (".webp", 16384)])
def test_pictures_that_a_file_type_cannot_hold_are_told(tmp_path: Path, suffix: str, width: int) -> None:
    wide = np.zeros((1, width, 3), np.uint8)
    with pytest.raises(UserError, match=f"{width} x 1"):
        write_sweep(tmp_path / f"a{suffix}", [wide, wide], 8, {"targets_um": [0.0, 1.0], "planes_um": [0.0]})
    assert not list(tmp_path.iterdir())
