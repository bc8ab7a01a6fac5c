from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.suites.refocus.competitors import Competitors
from focusviewer.evaluation.suites.refocus.inputs import evaluate_refocus_gaps, evaluate_refocus_inputs, nested_inputs
from tests.evaluation.suites.refocus.toys import decibel, knowing, no_competitors, nothing, stack

pytestmark = pytest.mark.usefixtures("few_draws")


def test_inputs_of_one_number_are_among_those_of_the_next_and_never_next_to_the_target() -> None:
    engine = nothing()
    evaluate_refocus_inputs(engine, [stack()], (1, 2, 3, 5), targets=1)
    one, two, three, five = ({abs(z) for z in zs} for zs in engine.seen)
    assert (len(engine.seen[0]), len(engine.seen[3])) == (1, 5)
    assert one <= two <= three <= five
    for _ in range(20):
        target, order = nested_inputs(16, 5, np.random.default_rng(_))
        assert len(set(order)) == 5
        assert min(abs(plane - target) for plane in order) >= 2
    with pytest.raises(ValueError, match="too short"):
        nested_inputs(6, 5, np.random.default_rng(0))


def test_the_rise_is_that_of_the_same_cases() -> None:
    rows = evaluate_refocus_inputs(knowing(lambda planes: 6 - planes), [stack("a"), stack("b"), stack("c")])
    assert [row["inputs"] for row in rows] == [1, 2, 3, 5]
    assert [round(row["psnr"], 2) for row in rows] == [round(decibel(error), 2) for error in (5, 4, 3, 1)]
    assert "rise" not in rows[0]
    assert rows[1]["rise"] == pytest.approx(decibel(4) - decibel(5))
    assert rows[1]["rise_low"] == pytest.approx(rows[1]["rise_high"])
    assert [row["rises"] for row in rows[1:]] == [1.0, 1.0, 1.0]


def test_an_engine_that_knows_the_answer_has_nothing_to_gain() -> None:
    rows = evaluate_refocus_inputs(knowing(), [stack()], targets=1)
    assert all(row["psnr"] > 148 for row in rows)
    assert [row["rise"] for row in rows[1:]] == [0.0, 0.0, 0.0]


def test_gaps_are_compared_with_the_nearer_plane_mixing_and_interpolators() -> None:
    competitors = Competitors(build=lambda name: knowing(lambda planes: 3 if name == "dfi" else 2))
    rows = evaluate_refocus_gaps(knowing(lambda planes: 1), [stack("a"), stack("b"), stack("c")], competitors)
    assert [row["gap_um"] for row in rows] == [1.0, 2.0, 3.0]
    for row in rows:
        assert row["psnr"] == pytest.approx(decibel(1))
        assert row["over_nearest"] == pytest.approx(row["psnr"] - row["psnr_nearest"])
        assert row["over_nearest"] > 3
        assert row["over_blend"] > 3
        assert row["psnr_dfi"] == pytest.approx(decibel(3))
        assert row["over_dfi"] == pytest.approx(decibel(1) - decibel(3))
        assert row["over_linear_latent"] == pytest.approx(decibel(1) - decibel(2))
    assert "psnr_dfi" not in evaluate_refocus_gaps(knowing(), [stack()], no_competitors())[0]
