from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.suites.refocus.real_planes import (
    equally_bright,
    evaluate_real_planes,
    plane_distance_um,
    real_cases,
    summary,
)
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from tests.evaluation.suites.refocus.toys import no_competitors, nothing

pytestmark = pytest.mark.usefixtures("few_draws")


def test_the_distance_of_planes_follows_from_their_blur(real: RealStack) -> None:
    assert plane_distance_um(list(real.planes), 4) == pytest.approx(0.6, abs=0.12)


def test_pictures_of_real_stacks_are_made_from_planes_one_to_three_steps_off(real: RealStack) -> None:
    cases = list(real_cases(real, 96))
    assert {case.task for case in cases} == {
        "1 step nearer",
        "2 steps nearer",
        "3 steps nearer",
        "between planes 2 apart",
        "between planes 4 apart",
    }
    for case in cases:
        assert case.target_um is not None
        steps = len(case.images) == 1 and round(case.target_um / 0.6)
        assert len(case.images) == 2 or case.task.startswith(str(steps))
    fused = RealStack("fused", real.planes, None, real.planes[4])
    assert {case.task for case in real_cases(fused, 64)} == {"all in focus"}


def test_a_lamp_that_flickers_decides_nothing(real: RealStack) -> None:
    lamp = np.linspace(0.7, 1.0, 9)[:, None, None, None]
    flickering = RealStack("made", (real.planes * lamp).astype(np.uint8), (4, 4))
    steady = RealStack("made", (real.planes * lamp[4]).astype(np.uint8), (4, 4))
    rows = [evaluate_real_planes(nothing(), [stack], no_competitors(), crop_px=64) for stack in (flickering, steady)]
    for first, second in zip(*rows, strict=True):
        assert min(first["psnr_before"], 40) == pytest.approx(min(second["psnr_before"], 40), abs=0.5)
    assert any(row["psnr_before"] < 35 for row in rows[0])
    np.testing.assert_array_equal(equally_bright([real.planes[4]], real.planes[4])[0], real.planes[4])


def test_doing_nothing_gains_nothing_on_real_planes(real: RealStack) -> None:
    rows = evaluate_real_planes(nothing(), [real], no_competitors(), crop_px=96)
    single = [row for row in rows if "psnr_blend" not in row]
    assert single
    assert all(row["psnr_after"] == row["psnr_before"] for row in single)
    summed = {row["task"]: row for row in summary({"model": "toy", **row} for row in single)}
    assert summed["1 step nearer"]["gain"] == 0
    assert summed["1 step nearer"]["lost"] == 0


def test_the_summary_names_the_worst_stack_and_counts_the_lost_ones() -> None:
    gains = {"a": (1.0, 0.0), "b": (-0.5, -0.3), "c": (0.2, -0.4)}
    rows = [
        {"model": "m", "task": "t", "stack": stack, "psnr_before": 30.0, "psnr_after": 30 + gain, "psnr_blind": 29.0,
         "ssim_before": 0.5, "ssim_after": 0.6, "ssim_blind": 0.4}
        for stack, pair in gains.items()
        for gain in pair
    ]  # fmt: skip
    (row,) = summary(rows)
    assert row["gain"] == pytest.approx(0.0)
    assert row["gain_over_blind"] == pytest.approx(1.0)
    assert row["ssim_gain"] == pytest.approx(0.1)
    assert (row["worst_stack"], row["lost"], row["stacks"], row["pictures"]) == ("b", 1, 3, 6)
    assert row["worst_stack_gain"] == pytest.approx(-0.4)
    assert row["worst_gain"] == pytest.approx(-0.5)
    assert row["gain_low"] < 0 < row["gain_high"]
