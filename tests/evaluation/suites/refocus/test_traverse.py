from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.suites.refocus.traverse import APART, NEIGHBOURS, ONE, evaluate_traverse
from focusviewer.evaluation.test_sets.ground_truth_stacks import GroundTruthStack
from focusviewer.refocus.base import Refocuser
from tests.evaluation.suites.refocus.toys import SAME_DB, Toy, decibel, knowing, nothing, picture

pytestmark = pytest.mark.usefixtures("few_draws")


def sweep_row(engine: Refocuser, stack: GroundTruthStack, case: object) -> dict[str, float]:
    return evaluate_traverse(engine, [stack], sweeps=[case])[0]  # type: ignore[list-item]


def test_a_knowing_engine_turns_without_a_step(grain: GroundTruthStack) -> None:
    for case in (NEIGHBOURS, APART, ONE):
        row = sweep_row(knowing(), grain, case)
        assert row["psnr"] > 148
        assert row["largest_step"] == pytest.approx(0, abs=1e-9)
        assert row["largest_step_nearest"] > 0.1
        assert row["steps_over"] == 0
    assert sweep_row(knowing(), grain, NEIGHBOURS)["targets"] == 4
    assert sweep_row(knowing(), grain, ONE)["targets"] == 76


def test_a_jump_between_two_targets_is_found(grain: GroundTruthStack) -> None:
    engine = Toy(lambda images, zs, z: picture(float(np.mean(z))) + np.uint8(8 * (float(np.mean(z)) > 0.01)))
    row = sweep_row(engine, grain, APART)
    assert row["largest_step"] == pytest.approx(SAME_DB - decibel(8), abs=0.1)
    assert row["steps_over"] == 1
    assert row["jump"] > 3 > sweep_row(knowing(), grain, APART)["jump"]


def test_steps_to_acquired_planes_are_told_apart(grain: GroundTruthStack) -> None:
    engine = Toy(
        lambda images, zs, z: next(
            (image for image, at in zip(images, zs, strict=True) if abs(at - float(np.mean(z))) < 1e-6),
            picture(float(np.mean(z))) + np.uint8(4),
        )
    )
    rows = evaluate_traverse(engine, [grain], sweeps=[ONE])
    assert rows[0]["largest_step"] == pytest.approx(0, abs=1e-9)
    assert rows[0]["largest_step_any"] > 5
    assert [row["level"] for row in rows[1:]] == list(range(1, 17))
    assert rows[1]["psnr_one"] == pytest.approx(decibel(4))
    assert rows[16]["psnr_one"] > 148


def test_one_blurred_plane_lies_on_the_side_that_engines_assume(grain: GroundTruthStack) -> None:
    engine = nothing()
    sweep_row(engine, grain, ONE)
    assert engine.seen == [(-7.5 * 0.25,)]
