from __future__ import annotations

import numpy as np
import pytest
import torch

from focusviewer.core.errors import UserError
from focusviewer.training.tasks.focus.losses import (
    REGRESSION_LOSSES,
    balanced_bce,
    ccc_loss,
    plcc_loss,
    regression_loss,
    rps_loss,
)

_LEVELS = torch.tensor([0.0, 3.0, 8.0, 20.0])


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_the_truth_has_the_lowest_loss(name: str) -> None:
    loss = regression_loss(name)
    exact = float(loss(_LEVELS, _LEVELS))
    assert exact == pytest.approx(-1.0 if name == "plcc" else 0.0, abs=1e-5)
    assert float(loss(_LEVELS.flip(0), _LEVELS)) > exact + 0.5


def test_unknown_losses_are_named() -> None:
    with pytest.raises(UserError, match=r"no loss 'l3'.*huber, mse, mae, plcc, ccc"):
        regression_loss("l3")


def test_correlation_is_pearsons_and_blind_to_scale() -> None:
    scores = torch.tensor([1.0, 2.0, 2.5, 7.0])
    expected = np.corrcoef(scores.numpy(), _LEVELS.numpy())[0, 1]
    assert float(plcc_loss(scores, _LEVELS)) == pytest.approx(-expected, abs=1e-5)
    assert float(plcc_loss(5 + 3 * scores, _LEVELS)) == pytest.approx(-expected, abs=1e-5)


def test_concordance_minds_scale_and_offset() -> None:
    assert float(ccc_loss(_LEVELS + 5, _LEVELS)) > 0.1
    assert float(ccc_loss(2 * _LEVELS, _LEVELS)) > 0.1


def test_correlation_losses_are_finite_when_all_scores_are_equal() -> None:
    for loss in (plcc_loss, ccc_loss):
        scores = torch.zeros(4, requires_grad=True)
        value = loss(scores, _LEVELS)
        value.backward()
        assert torch.isfinite(value) and scores.grad is not None and bool(torch.isfinite(scores.grad).all())


def test_ranked_probability_grows_with_the_distance_of_the_wrong_class() -> None:
    def wrong(by: int) -> float:
        logits = torch.full((1, 10), -30.0)
        logits[0, 2 + by] = 30.0
        return float(rps_loss(logits, torch.tensor([2])))

    assert wrong(0) == pytest.approx(0.0, abs=1e-6)
    # The cumulative distributions differ in as many classes as lie between.
    assert [wrong(by) for by in (1, 4, 7)] == pytest.approx([1 / 9, 4 / 9, 7 / 9])


def test_balanced_entropy_weighs_the_rare_class_up() -> None:
    # Thirteen sharp windows to one blurred: calling all sharp must cost as much as calling all blurred.
    blurred = torch.tensor([1.0] + [0.0] * 13)
    all_sharp = float(balanced_bce(torch.full((14,), -4.0), blurred, 1 / 14))
    all_blurred = float(balanced_bce(torch.full((14,), 4.0), blurred, 1 / 14))
    assert all_sharp == pytest.approx(all_blurred, rel=1e-4)
    assert float(balanced_bce(torch.zeros(14), blurred, 1 / 14)) == pytest.approx(np.log(2), rel=1e-4)
