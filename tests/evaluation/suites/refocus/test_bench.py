from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.refocus import planes as planes_module
from focusviewer.evaluation.suites.refocus.bench import derived_rows
from focusviewer.evaluation.suites.refocus.planes import evaluate_refocus_planes
from focusviewer.evaluation.suites.refocus.real_planes import (
    evaluate_real_planes,
    summary,
)
from focusviewer.evaluation.suites.refocus.traverse import NEIGHBOURS, ONE, evaluate_traverse
from focusviewer.evaluation.test_sets.ground_truth_stacks import GroundTruthStack
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from focusviewer.metrics import psnr
from focusviewer.refocus.base import FloatMap
from focusviewer.slides.base import RGB
from tests.evaluation.suites.refocus.toys import Toy, no_competitors, stack

pytestmark = pytest.mark.usefixtures("few_draws")


def test_tables_that_follow_from_others() -> None:
    real = {"model": "m", "stack": "a", "psnr_before": 30.0, "psnr_after": 31.0, "ssim_before": 0.5, "ssim_after": 0.5}
    best = {"model": "m", "stack": "a", "psnr_before": None, "psnr_after": 148.0}
    rows = derived_rows(
        {
            "refocus-traverse": ({"model": "m", "case": "x"}, {"model": "m", "level": 1}),
            "refocus-real": (real, best, {"model": "broken", "why": "no weights"}),
        }
    )
    assert rows["refocus-traverse"] == ({"model": "m", "case": "x"},)
    assert rows["refocus-levels"] == ({"model": "m", "level": 1},)
    summed, broken = rows["refocus-real-summary"]
    assert (summed["task"], summed["pictures"], summed["gain"]) == ("to best focus", 1, 1.0)
    assert broken == {"model": "broken", "task": "to best focus", "why": "no weights"}


def test_a_refused_task_says_why_and_the_others_go_on(
    real: RealStack, grain: GroundTruthStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planes_module, "similarity_figures", lambda image, truth: {"psnr": psnr(image, truth)})

    def between(images: list[RGB], zs: tuple[float, ...], z: float | FloatMap) -> RGB:
        if len(zs) < 2 or not zs[0] <= np.mean(z) <= zs[-1]:
            raise UserError("It only interpolates", "", "")
        return images[0]

    rows = {
        row["task"]: row
        for row in evaluate_refocus_planes(Toy(between), [stack()], [("refocus", 1), ("interpolate", 2)])
    }
    assert "only interpolates" in rows["refocus"]["why"]
    assert rows["interpolate"]["psnr"] > 20
    planes = [
        {"model": "toy", **row} for row in evaluate_real_planes(Toy(between), [real], no_competitors(), crop_px=64)
    ]
    summed = {row["task"]: row for row in summary(planes)}
    assert "only interpolates" in summed["1 step nearer"]["why"]
    assert summed["between planes 2 apart"]["pictures"] > 0
    swept = evaluate_traverse(Toy(between), [grain], step=0.4, sweeps=[NEIGHBOURS, ONE])
    assert [("why" in row) for row in swept] == [False, True]
