"""What focus networks are trained on: correlation, concordance, errors, ranked probability, balanced cross-entropy.

Numbers in brackets are the equations of Wang 2024, chapter 3, which compares them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from focusviewer.core.errors import UserError

LEVEL_SCALE = 4.0
"""Errors are counted in steps of this many focus levels (1 um), so that losses are about 1 when training starts."""

_EPSILON = 1e-6

RegressionLoss = Callable[[Tensor, Tensor], Tensor]
"""Scores (B,) and true levels (B,) to a scalar."""


def plcc_loss(scores: Tensor, levels: Tensor) -> Tensor:
    """Negative Pearson correlation over the batch [3.7]; blind to the scale of the scores."""
    a, b = scores - scores.mean(), levels - levels.mean()
    return -(a * b).sum() / (a.square().sum() * b.square().sum()).clamp_min(_EPSILON).sqrt()


def ccc_loss(scores: Tensor, levels: Tensor) -> Tensor:
    """One minus Lin's concordance correlation over the batch: correlation that also minds scale and offset."""
    mean_a, mean_b = scores.mean(), levels.mean()
    covariance = ((scores - mean_a) * (levels - mean_b)).mean()
    spread = scores.var(unbiased=False) + levels.var(unbiased=False) + (mean_a - mean_b).square()
    return 1 - 2 * covariance / spread.clamp_min(_EPSILON)


def mse_loss(scores: Tensor, levels: Tensor) -> Tensor:
    """Mean squared error, in units of LEVEL_SCALE levels."""
    return functional.mse_loss(scores / LEVEL_SCALE, levels / LEVEL_SCALE)


def mae_loss(scores: Tensor, levels: Tensor) -> Tensor:
    """Mean absolute error, in units of LEVEL_SCALE levels."""
    return functional.l1_loss(scores / LEVEL_SCALE, levels / LEVEL_SCALE)


def huber_loss(scores: Tensor, levels: Tensor) -> Tensor:
    """Huber's loss: squared up to an error of LEVEL_SCALE levels, absolute beyond."""
    return functional.huber_loss(scores / LEVEL_SCALE, levels / LEVEL_SCALE)


REGRESSION_LOSSES: dict[str, RegressionLoss] = {
    "huber": huber_loss,
    "mse": mse_loss,
    "mae": mae_loss,
    "plcc": plcc_loss,
    "ccc": ccc_loss,
}
"""Losses for networks that give levels, the default first."""


def regression_loss(name: str) -> RegressionLoss:
    """The loss of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    if name not in REGRESSION_LOSSES:
        raise UserError(f"There is no loss {name!r}", advice=f"Choose one of: {', '.join(REGRESSION_LOSSES)}.")
    return REGRESSION_LOSSES[name]


def rps_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Ranked probability score of ordered classes (Murphy 1971), 0..1.

    The mean squared distance between the cumulative distributions of answer and truth: a class next to the true one
    costs less than one far away.

    Parameters
    ----------
    logits : float (B, K)
    classes : int64 (B,)
    """
    count = logits.shape[1]
    answer = torch.softmax(logits, dim=1).cumsum(1)
    truth = functional.one_hot(classes, count).to(answer.dtype).cumsum(1)
    return (answer - truth).square().sum(1).mean() / (count - 1)


def balanced_bce(logits: Tensor, blurred: Tensor, share: float) -> Tensor:
    """Binary cross-entropy in which sharp and blurred windows weigh the same in all, however rare one of them is.

    Parameters
    ----------
    logits : float (B,), positive for blurred
    blurred : float (B,), 1 for blurred, 0 for sharp
    share : float
        Share of blurred windows in the data drawn from (1/14 where sharp ones are thirteen times as many).
    """
    share = min(max(share, 1e-3), 1 - 1e-3)
    weight = torch.where(blurred > 0.5, 0.5 / share, 0.5 / (1 - share))
    return functional.binary_cross_entropy_with_logits(logits, blurred, weight)
