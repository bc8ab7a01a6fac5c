"""What score fusion is compared with: two ways to fuse ranks without labels, and two that need labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.stats import rankdata
from torch import Tensor, nn

from focusviewer.core.arrays import DoubleArray

RRF_K = 60.0
"""Cormack et al. 2009; the constant that keeps the first ranks from deciding alone."""


def reciprocal_rank_fusion(
    scores: npt.ArrayLike, weights: npt.ArrayLike | None = None, k: float = RRF_K
) -> DoubleArray:
    """Reciprocal rank fusion (eq 2.27) of scores (N, M): blur (N,), the negated sum of ``1 / (k + rank)``.

    The sharpest window has rank 1.
    """
    ranks = rankdata(scores, axis=0)
    share = np.ones(ranks.shape[1]) if weights is None else np.asarray(weights, float)
    return np.asarray(-(share / (k + ranks)).sum(axis=1))


def weighted_rank_fusion(
    scores: npt.ArrayLike, k: float = RRF_K, tolerance: float = 1e-4
) -> tuple[DoubleArray, DoubleArray]:
    """Weighted reciprocal rank fusion (Akritidis et al. 2019): members near the consensus count more.

    Weights and consensus are found in turns; a member's weight grows by ``exp(-t d)``, d being its mean footrule
    distance (eq 2.28, as a share of the largest) from the consensus of turn t.

    Returns
    -------
    Blur (N,) and the weights (M,), which sum to 1.
    """
    ranks = rankdata(scores, axis=0)
    count, members = ranks.shape
    weights = np.full(members, 1 / members)
    grown = np.zeros(members)
    for turn in range(1, 200):
        consensus = rankdata(reciprocal_rank_fusion(scores, weights, k))
        distance = np.abs(ranks - consensus[:, None]).sum(axis=0) / (count**2 / 2)
        grown += np.exp(-turn * distance)
        moved = grown / grown.sum()
        done = np.abs(moved - weights).max() < tolerance
        weights = moved
        if done:
            break
    return reciprocal_rank_fusion(scores, weights, k), weights


class SupportVectorFusion:
    """Support vector regression of levels on scores, as in multi-method fusion (MMF), with a Gaussian kernel.

    The kernel machine with the squared epsilon-insensitive loss, solved in the primal on at most ``most`` samples.
    """

    def __init__(self, cost: float = 1.0, epsilon: float = 0.1, most: int = 800, seed: int = 0) -> None:
        self.cost, self.epsilon, self.most, self.seed = cost, epsilon, most, seed

    def fit(self, scores: npt.ArrayLike, levels: npt.ArrayLike) -> SupportVectorFusion:
        """Learn from scores (N, M) and true levels (N,)."""
        x, y = np.asarray(scores, float), np.asarray(levels, float)
        pick = np.random.default_rng(self.seed).permutation(len(x))[: self.most]
        self._mean, self._spread = x.mean(0), x.std(0) + 1e-9
        self._offset, self._unit = y.mean(), y.std() + 1e-9
        self._support = (x[pick] - self._mean) / self._spread
        target = (y[pick] - self._offset) / self._unit
        kernel = self._kernel(self._support)

        def objective(parameters: DoubleArray) -> tuple[float, DoubleArray]:
            beta, bias = parameters[:-1], parameters[-1]
            through = kernel @ beta
            error = through + bias - target
            beyond = np.sign(error) * np.maximum(np.abs(error) - self.epsilon, 0)
            value = 0.5 * beta @ through + self.cost * (beyond**2).sum()
            gradient = through + 2 * self.cost * (kernel @ beyond)
            return float(value), np.append(gradient, 2 * self.cost * beyond.sum())

        found = minimize(objective, np.zeros(len(pick) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300})
        self._beta, self._bias = found.x[:-1], found.x[-1]
        return self

    def predict(self, scores: npt.ArrayLike) -> DoubleArray:
        """Levels (N,)."""
        x = (np.asarray(scores, float) - self._mean) / self._spread
        return np.asarray((self._kernel(x) @ self._beta + self._bias) * self._unit + self._offset)

    def _kernel(self, x: DoubleArray) -> DoubleArray:
        squared = (x**2).sum(1)[:, None] + (self._support**2).sum(1)[None] - 2 * x @ self._support.T
        return np.asarray(np.exp(-np.maximum(squared, 0) / x.shape[1]))


class CascadeNetwork(nn.Module):
    """Cascade-forward network (CNNM): every layer sees the scores and all layers before it."""

    def __init__(self, members: int, layers: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(members * (index + 1), members) for index in range(layers))
        self.last = nn.Linear(members * (layers + 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Level (B,), standardised, of standardised scores (B, M)."""
        for layer in self.layers:
            x = torch.cat([x, torch.tanh(layer(x))], dim=1)
        answer: Tensor = self.last(x)
        return answer[:, 0]


class CascadeFusion:
    """A cascade-forward network trained on labels, with Adam on the mean squared error."""

    def __init__(self, steps: int = 1500, seed: int = 0) -> None:
        self.steps, self.seed = steps, seed

    def fit(self, scores: npt.ArrayLike, levels: npt.ArrayLike) -> CascadeFusion:
        """Learn from scores (N, M) and true levels (N,)."""
        x, y = torch.as_tensor(np.asarray(scores, np.float32)), torch.as_tensor(np.asarray(levels, np.float32))
        self._mean, self._spread = x.mean(0), x.std(0) + 1e-9
        self._offset, self._unit = y.mean(), y.std() + 1e-9
        x, y = (x - self._mean) / self._spread, (y - self._offset) / self._unit
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._network = CascadeNetwork(x.shape[1])
        optimiser = torch.optim.Adam(self._network.parameters(), 5e-3)
        for _ in range(self.steps):
            pick = torch.randint(len(x), (256,), generator=generator)
            loss = (self._network(x[pick]) - y[pick]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return self

    @torch.no_grad()
    def predict(self, scores: npt.ArrayLike) -> DoubleArray:
        """Levels (N,)."""
        x = (torch.as_tensor(np.asarray(scores, np.float32)) - self._mean) / self._spread
        return np.asarray((self._network(x) * self._unit + self._offset).numpy(), float)
