from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from focusviewer.cli.program import app
from focusviewer.focus import get_model, map_focus
from focusviewer.focus.calibration.store import known_calibrations
from focusviewer.focus.tissue.fluorescence import FluorescenceError, looks_fluorescent
from focusviewer.focus.tissue.mask import tissue_mask
from focusviewer.qc.batch.slide_task import VerdictTask
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import load_rules
from focusviewer.slides import open_slide
from tests.focus.doubles import MemorySlide

COLOURS = [(60, 90, 255), (40, 230, 50), (255, 30, 20), (200, 200, 200), (255, 255, 255)]


def glow(rng: np.random.Generator, colour: tuple[int, int, int], size: int = 768) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei on a dark ground in the left two thirds, and where they are."""
    yy, xx = np.mgrid[:size, :size]
    light = np.zeros((size, size))
    for y, x in zip(rng.uniform(30, size - 30, 260), rng.uniform(30, size * 2 / 3 - 30, 260), strict=True):
        near = (slice(max(0, int(y) - 30), int(y) + 30), slice(max(0, int(x) - 30), int(x) + 30))
        light[near] += np.exp(-((((yy[near] - y) ** 2 + (xx[near] - x) ** 2) / 110) ** 2))
    grain = 1 + 0.2 * rng.standard_normal(light.shape)
    picture = np.clip(light * grain, 0, 1)[..., None] * np.array(colour) + rng.normal(6, 2, (size, size, 3))
    return np.clip(picture, 0, 255).astype(np.uint8), light > 0.5


@pytest.mark.parametrize("colour", COLOURS)
def test_what_glows_is_the_tissue_and_no_pen(rng: np.random.Generator, colour: tuple[int, int, int]) -> None:
    picture, nuclei = glow(rng, colour)
    found = tissue_mask(MemorySlide(picture, mpp=0.25))
    assert found.fluorescence
    assert not found.artefacts
    near = found.fraction(0, 0, 480, 768)
    assert near > nuclei[:, :480].mean()
    assert found.fraction(560, 0, 768, 768) < 0.02


@pytest.mark.parametrize(("haze", "share"), [(0, 0.04), (30, 1.0), (30, 0.04)])
@pytest.mark.parametrize("colour", COLOURS)
def test_sparse_and_hazy_fluorescence_is_told_too(
    rng: np.random.Generator, colour: tuple[int, int, int], haze: int, share: float
) -> None:
    side = round(200 / share**0.5)
    picture = rng.normal(6, 2, (side, side, 3)).clip(0, 255)
    picture[:200, :200] = glow(rng, colour)[0][:200, :200]
    assert looks_fluorescent(np.clip(picture + haze, 0, 255).astype(np.uint8))


def test_models_of_stained_tissue_refuse_fluorescence_by_name(rng: np.random.Generator) -> None:
    slide = MemorySlide(glow(rng, COLOURS[0])[0], mpp=0.25)
    with pytest.raises(FluorescenceError, match="looks like fluorescence"):
        map_focus(slide)


def test_measures_rank_fluorescence_and_no_calibration_makes_distances_of_it(rng: np.random.Generator) -> None:
    slide = MemorySlide(glow(rng, COLOURS[1])[0], mpp=0.25)
    model = get_model("tenengrad")
    found = map_focus(slide, model, calibrations=known_calibrations({"tenengrad"}))
    assert found.fluorescence
    assert found.tissue.any()
    assert not found.absolute
    assert found.cannot_tell is not None and not found.cannot_tell.any()


@pytest.fixture
def file(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "glow.tif"
    options = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(path, glow(rng, COLOURS[0])[0], tile=(256, 256), photometric="rgb", compression="jpeg", **options)
    return path


def test_a_verdict_on_fluorescence_asks_a_person_and_says_why(tmp_path: Path, file: Path) -> None:
    from focusviewer.focus import DEFAULT_MODEL

    result = VerdictTask(file, tmp_path / "out", load_rules(), DEFAULT_MODEL).run()
    assert result.judgement.verdict is Verdict.REVIEW
    assert "fluorescence" in result.judgement.reasons[0]
    assert not any("pen" in reason or "pixel size" in reason for reason in result.judgement.reasons)
    assert result.features.mpp == pytest.approx(0.25)


def test_heatmap_says_fluorescence(file: Path) -> None:
    refused = CliRunner().invoke(app, ["heatmap", str(file)])
    assert refused.exit_code != 0
    assert "fluorescence" in refused.stderr + str(refused.exception)
    mapped = CliRunner().invoke(app, ["heatmap", str(file), "--model", "tenengrad"])
    assert "looks like fluorescence" in mapped.stdout
    document = json.loads(CliRunner().invoke(app, ["heatmap", str(file), "--model", "tenengrad", "--json"]).stdout)
    assert document["fluorescence"] is True
    with open_slide(file) as slide:
        assert slide.mpp == pytest.approx(0.25)
