"""The fusion network: encoder and observation model, trained end to end without labels.

Wang 2024, equations 4.1 to 4.6; ``focus/fusion/fuser.py`` cites the work and computes the same with what is learned
here.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.focus.fusion.fuser import SLOPE

LAYERS = 6
"""Fully connected layers of the encoder, each as wide as there are members."""

FLOOR = 0.15
"""Least standard deviation of a member's noise, its scores spanning about 0..1.

Without one the likelihood has no upper bound: an encoder that repeats one member's score, with no noise left to it,
would be infinitely likely; and members that share their errors, as filters of one family do, would be taken for
certain. The best of these models correlate with the truth at .84 on published data (Wang 2024, table 4.7), which leaves
``0.29 sqrt(1 - .84^2) = 0.157`` of noise in ranks.
"""

PRIOR = 12.0
"""One over the variance of the uniform prior of z."""

_OUTSIDE = 100.0  # what a z outside 0..1 costs, times its squared distance: the uniform prior, made smooth
_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


class FusionNetwork(nn.Module):
    """Weights for scores, and how each member's score depends on what is fused.

    Parameters
    ----------
    members : int
        Number M of models whose scores are fused.
    score_level : bool
        Whether each member has noise that depends on the score (skew-normal, scale quadratic in z).
    linear : bool
        Weigh all windows alike instead of by six fully connected layers.
    """

    def __init__(self, members: int, *, score_level: bool = True, linear: bool = False) -> None:
        super().__init__()
        self.score_level = score_level
        self.layers = nn.ModuleList(nn.Linear(members, members) for _ in range(1 if linear else LAYERS))
        self._linear = linear
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu")
            nn.init.zeros_(layer.bias)
            last = layer.weight
        nn.init.zeros_(last)  # at first every member counts the same
        # f(z) = c - exp(a (z - b)) from about 0 to 1, rising
        self.response = nn.Parameter(torch.tensor([-0.5, 1.9, 3.1]).mul(torch.ones(members, 3)))
        self.spread = nn.Parameter(torch.tensor([0.0, 0.0, 0.15 if score_level else 0.0]).mul(torch.ones(members, 3)))
        self.shape = nn.Parameter(torch.zeros(members))
        self.log_noise = nn.Parameter(torch.full((members,), math.log(0.15)))
        self.spread.requires_grad_(score_level)
        self.shape.requires_grad_(score_level)
        if linear:
            self.layers[0].weight.requires_grad_(False)

    def weights(self, x: Tensor) -> Tensor:
        """Weights (B, M), positive and summing to 1, for normalised scores (B, M)."""
        hidden = 2 * x - 1
        for layer in self.layers[:-1]:
            hidden = functional.leaky_relu(layer(hidden), SLOPE)
        return torch.softmax(self.layers[-1](hidden), dim=1)

    def fuse(self, x: Tensor) -> Tensor:
        """Z (B,): the weighted sum."""
        return (self.weights(x) * x).sum(1)

    def noise(self) -> Tensor:
        """Standard deviation of each member's own noise (M,)."""
        return (self.log_noise.exp().square() + FLOOR**2).sqrt()

    def expected(self, z: Tensor) -> Tensor:
        """F of every member (B, M) at z (B,)."""
        a, b, c = self.response.unbind(1)
        return c - torch.exp((a * (z[:, None] - b)).clamp(max=10))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """Log-likelihood of every score given z, (B, M): eq 4.2, with the square of the scale in its exponent."""
        residual = x - self.expected(z)
        scale_of_score = self._scale(z)
        noise = self.noise()
        variance = scale_of_score.square() + noise.square()
        scale = variance.sqrt()
        shape = self.shape * scale_of_score / (variance + self.shape.square() * noise.square()).sqrt()
        standard = residual / scale
        log_density = -0.5 * standard.square() - scale.log() - _HALF_LOG_2_PI
        skew: Tensor = torch.special.log_ndtr(shape * standard)
        return log_density + skew + math.log(2)

    def _scale(self, z: Tensor) -> Tensor:
        z = z[:, None]
        quadratic = (self.spread[:, 0] * z + self.spread[:, 1]) * z + self.spread[:, 2]
        return quadratic.abs()

    def precision(self, z: Tensor) -> Tensor:
        """One over the variance of z (B,), given the scores: the prior's, and slope^2 over variance of each member."""
        a, b, _ = self.response.unbind(1)
        slope = a * torch.exp((a * (z[:, None] - b)).clamp(max=10))
        delta = self.shape.square() / (1 + self.shape.square())
        variance = self._scale(z).square() * (1 - 2 / math.pi * delta) + self.noise().square()
        return PRIOR + (slope.square() / variance).sum(1)

    def objective(self, x: Tensor, draw: Tensor | None = None) -> Tensor:
        """What is minimised for normalised scores (B, M), a mean over windows and members.

        Parameters
        ----------
        draw : float (B,), optional
            Standard normal numbers: z is drawn from its posterior. Without them z is taken as certain (eq 4.5).
        """
        z = self.fuse(x)
        gained: Tensor | float = 0.0
        if draw is not None:
            spread = self.precision(z).rsqrt()
            z = z + spread * draw
            gained = spread.log().mean() / x.shape[1]
        outside = (z - z.clamp(0, 1)).square().mean()
        return _OUTSIDE * outside - self.log_likelihood(x, z.clamp(-0.3, 1.3)).mean() - gained

    def forward(self, x: Tensor) -> Tensor:
        """Fused scores (B,) of normalised scores (B, M)."""
        return self.fuse(x)

    def tensors(self) -> dict[str, np.ndarray]:
        """What :class:`focusviewer.focus.fusion.fuser.Fuser` reads, besides the reference quantiles."""
        layers = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        parts = {
            "encoder.weights": torch.stack([layer.weight for layer in layers]),
            "encoder.biases": torch.stack([layer.bias for layer in layers]),
            "response": self.response,
            "spread": self.spread,
            "shape": self.shape,
            "noise": self.noise(),
        }
        return {name: tensor.detach().cpu().float().contiguous().numpy() for name, tensor in parts.items()}
