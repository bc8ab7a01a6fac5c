from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.evaluation.suites.focus.simulated import evaluate_focus_simulated
from focusviewer.focus import get_model
from focusviewer.simulation import demo_slide


def test_evaluation_slides_are_kept_until_the_simulator_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, drawn = demo_slide.write_simulated_slide, []

    def write_small(path: Path, **options: object) -> Path:
        drawn.append(path)
        return write(path, seed=3, width=1100, height=1024, blur="mixed")

    monkeypatch.setattr(demo_slide, "write_simulated_slide", write_small)
    model = get_model("energy-ratio")
    first, second = (evaluate_focus_simulated(model, tmp_path, seeds=(3,)) for _ in range(2))
    assert len(drawn) == 1
    assert first == second
    assert first[0]["tissue_windows"] > 0
    assert np.isfinite(first[0]["srcc"])
    monkeypatch.setattr(demo_slide, "VERSION", demo_slide.VERSION + 1)
    evaluate_focus_simulated(model, tmp_path, seeds=(3,))
    assert len(drawn) == 2
    assert drawn[0] != drawn[1]
