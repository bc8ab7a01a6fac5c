from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.registry import ModelEntry
from focusviewer.evaluation.suites.refocus.competitors import Competitors, competitors_key
from focusviewer.evaluation.suites.refocus.simulated import evaluate_refocus_simulated
from focusviewer.optics import Optics
from focusviewer.refocus.base import Refocuser
from focusviewer.slides.base import RGB
from tests.evaluation.suites.refocus.toys import nothing, picture

pytestmark = pytest.mark.usefixtures("few_draws")


def test_other_methods_are_worked_out_once() -> None:
    calls: list[str] = []

    def oracle(image: RGB, optics: Optics, z_um: float, mpp: float, noise: float) -> RGB:
        calls.append("oracle")
        return image

    def build(name: str) -> Refocuser:
        calls.append(name)
        return nothing()

    competitors = Competitors(oracle, build)
    for _ in range(2):
        told = competitors.told(picture(1), picture(0), Optics(), 1.0, 0.25, 0.002)
        blind = competitors.blind(picture(1), picture(0), 0.25)
    assert calls == ["oracle", "wiener-blind"]
    assert told["psnr_oracle"] == blind["psnr_blind"] < 40
    competitors.told(picture(1), picture(0), Optics(), 2.0, 0.25, 0.002)
    assert calls[-1] == "oracle"


def test_kept_figures_hold_only_for_the_same_interpolators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "dfi.safetensors"
    entry = ModelEntry("dfi", "refocus-baseline", nothing, "", weights, trained=True)
    monkeypatch.setattr("focusviewer.refocus.registry.baselines", lambda: [entry])
    keys = {competitors_key()}
    for content in (b"first", b"second"):
        weights.write_bytes(content)
        keys.add(competitors_key())
    assert len(keys) == 3


def test_engines_are_set_beside_the_oracle() -> None:
    crops = np.stack([picture(0), picture(0.2)])
    competitors = Competitors(lambda image, optics, z_um, mpp, noise: image, lambda name: nothing())
    rows = evaluate_refocus_simulated(nothing(), crops, (0.0, 1.0), 0.002, 1, competitors=competitors)
    assert "psnr_oracle" not in rows[0]
    assert rows[1]["over_oracle"] == rows[1]["over_blind"] == rows[1]["ssim_over_oracle"] == 0
    assert rows[1]["psnr_oracle"] == rows[1]["psnr_before"]
