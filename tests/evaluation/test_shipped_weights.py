"""The promises of the shipped weights, on real focal stacks that no model has seen in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.evaluation.suites.focus.simulated import evaluate_focus_simulated
from focusviewer.evaluation.suites.refocus.simulated import evaluate_refocus_real, evaluate_refocus_simulated
from focusviewer.evaluation.test_sets.real_stacks import RealStack, evaluate_focus, real_stacks
from focusviewer.focus import get_model
from focusviewer.metrics import psnr
from focusviewer.refocus import get_engine
from focusviewer.simulation.phantom.tissue import TissuePhantom
from focusviewer.simulation.sections.blur_pattern import BlurPattern
from focusviewer.simulation.slides import SlideSimulator
from focusviewer.training.data.sources import load_sources, sharp_crops


@pytest.fixture(scope="module")
def stacks(data_dir: Path) -> list[RealStack]:
    return [stack for stack in real_stacks(data_dir) if stack.best]


@pytest.mark.parametrize("name", ["focuslitenn-1", "focuslitenn-2", "focuslitenn-10"])
def test_the_sharpest_plane_scores_lowest(name: str, stacks: list[RealStack]) -> None:
    rows = evaluate_focus(get_model(name), stacks)
    assert len(rows) == 3
    assert {row["stack"]: row["planes_off"] for row in rows if row["planes_off"] > 1} == {}


def test_refocusing_never_makes_a_real_plane_worse(stacks: list[RealStack]) -> None:
    rows = evaluate_refocus_real(get_engine("fast"), stacks, crop_px=512)
    gains = {(row["stack"], row["plane"]): row["gain_db"] for row in rows if row["gain_db"] is not None}
    assert len(gains) > 40
    assert {place: gain for place, gain in gains.items() if gain < -0.2} == {}


def test_refocusing_gains_on_held_out_fields_and_keeps_sharp_ones(data_dir: Path) -> None:
    crops = sharp_crops(load_sources(data_dir, "validation"), 224)
    crops = crops[np.linspace(0, len(crops) - 1, 8).astype(int)]
    rows = evaluate_refocus_simulated(get_engine("fast"), crops, (0.0, 1.0, 1.5, 2.0), noise=0.004, seed=3)
    gain = {row["z_um"]: row["psnr_auto"] - row["psnr_before"] for row in rows}
    assert np.mean([gain[z] for z in (1.0, 1.5, 2.0)]) >= 2.0
    assert rows[0]["psnr_knob"] == rows[0]["psnr_before"]


def test_radiance_gains_between_planes_of_a_thick_section() -> None:
    """A phantom that no network was trained on: its seed is below those of training."""
    scene = TissuePhantom(2401, 512, 512, mpp=0.25, thickness_um=2.4, slabs=3, kind="tumour")
    below, between, above = SlideSimulator(scene, BlurPattern()).stack(128, 128, 192, (-1.5, 0.0, 1.5))
    engine = get_engine("radiance")
    encoded = engine.encode([below, above], 0.25, (-1.5, 1.5))
    made = engine.render(encoded, 0.0)
    nearest = max(psnr(below, between), psnr(above, between))
    assert psnr(made, between) > nearest + 0.5
    np.testing.assert_array_equal(engine.render(encoded, 1.5), above)


def test_a_map_follows_the_truth_of_a_simulated_slide(tmp_path: Path) -> None:
    rows = evaluate_focus_simulated(get_model("focuslitenn-10"), tmp_path, seeds=(901,))
    assert rows[0]["tissue_windows"] > 500
    assert rows[0]["srcc"] > 0.7
