"""WSI-DISTS: the distance between two pictures of one field, as a loss (Wang 2024, 5.2.4, eq 5.6 to 5.11).

The form is that of DISTS: similarity of feature maps by their means (luminance) and their covariance (structure),
channel by channel, with the pixels as layer 0. What makes it WSI-DISTS is the features (:mod:`.features`) and the
weights alpha and beta of the terms, which are fitted so that the distance between two planes of a focal stack is
proportional to the difference of their distances from focus. There is no term for similarity of texture: detail must be
where it is.

The ablation's plain form has equal weights on all terms, so that the means of feature maps, which describe texture
wherever it lies, count as much as structure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.core.files import resource_path
from focusviewer.metrics.correlation import srcc
from focusviewer.metrics.dists import C1, C2
from focusviewer.training.common import data_folder, save_weights, write_card
from focusviewer.training.data.stack_bank import StackBank, StackBankConfig, stack_bank
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.tasks.wsi_dists.features import WIDTHS, WsiFeatures, load_features

WEIGHTS = ("weights", "wsi-dists.safetensors")

CHANNELS = (3, *WIDTHS)
"""Channels of the layers, pixels first."""

UM_PER_UNIT = 8.0
"""Difference of distances from focus, um, that is a distance of 1 where the fit begins. It is fitted as well: with a
fixed unit, a third of all weight went to terms that never change, only to make distances smaller."""

_AT_ONCE = 16


def terms(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Luminance and structure term of every channel of every layer: maps (B, C, h, w) to float32 (B, 2, channels)."""
    found = []
    for a, b in zip(first, second, strict=True):
        x, y = a.float().flatten(2), b.float().flatten(2)
        mean_x, mean_y = x.mean(2), y.mean(2)
        x, y = x - mean_x[..., None], y - mean_y[..., None]
        spread = x.square().mean(2) + y.square().mean(2)
        luminance = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
        found.append(torch.stack([luminance, (2 * (x * y).mean(2) + C2) / (spread + C2)], 1))
    return torch.cat(found, 2)


def equal_weights() -> Tensor:
    """Weights that count every layer alike, its channels alike, and both terms alike: float32 (2, channels), sum 1."""
    shares = [torch.full((2, count), 0.5 / count / len(CHANNELS)) for count in CHANNELS]
    return torch.cat(shares, 1)


class WsiDists(nn.Module):
    """The distance as a module; nothing in it learns.

    Parameters
    ----------
    features : WsiFeatures
        What the pictures are looked at through.
    weights : float32 (2, channels)
        Alpha and beta of every channel of every layer, pixels first; all together 1.
    """

    weights: Tensor

    def __init__(self, features: WsiFeatures, weights: Tensor) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.register_buffer("weights", weights.clone())

    def maps(self, images: Tensor) -> list[Tensor]:
        """Pixels and feature maps of pictures, float (B, 3, H, W) in 0..1."""
        return [images, *self.features(images)]

    def between(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Distance of pictures whose :meth:`maps` are known: float32 (B,)."""
        return 1 - (self.weights * terms(first, second)).sum((1, 2))

    def forward(self, images: Tensor, reference: Tensor) -> Tensor:
        """Distances, float32 (B,): 0 for equal pictures."""
        return self.between(self.maps(images), self.maps(reference))


def load_wsi_dists(path: Path | None = None, features: Path | None = None) -> WsiDists:
    """The shipped distance, or that of files; on the CPU."""
    from safetensors.torch import load_file

    return WsiDists(load_features(features), load_file(str(path or resource_path(*WEIGHTS)))["weights"])


def plain_dists(features: Path | None = None) -> WsiDists:
    """The plain form of the ablation: the same features, equal weights, texture counting as much as structure."""
    return WsiDists(load_features(features), equal_weights())


@dataclass(frozen=True)
class WsiDistsSettings:
    """What the weights are fitted to: so many pairs of planes, drawn from so many stacks of the bank."""

    pairs: int = 1600
    held_out: int = 400
    fields: int = 1600


@dataclass(frozen=True)
class Pairs:
    """Terms of pairs of planes, float32 (N, 2, channels), and their difference in focus, um, float32 (N,)."""

    terms: Tensor
    apart_um: Tensor


@torch.no_grad()
def pairs_of(bank: StackBank, features: WsiFeatures, count: int, seed: int) -> Pairs:
    """Draw pairs of planes, each of one stack, without the camera's noise."""
    rng = np.random.default_rng((seed, 51))
    rows = rng.integers(0, len(bank), count)
    planes = np.stack([rng.choice(bank.z_um.shape[1], 2, replace=False) for _ in range(count)])
    distance = WsiDists(features, equal_weights())
    parts = []
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        first, second = (
            torch.from_numpy(bank.clean[rows[part], planes[part, side]]).permute(0, 3, 1, 2).float() / 255
            for side in (0, 1)
        )
        parts.append(terms(distance.maps(first), distance.maps(second)))
    blur = np.abs(np.stack([bank.z_um[rows, planes[:, side]] for side in (0, 1)]))
    return Pairs(torch.cat(parts), torch.from_numpy(np.abs(blur[0] - blur[1])))


class TermWeights(nn.Module):
    """Alpha and beta as a softmax, so that none is negative and all together are 1; and the unit of the distance."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(equal_weights().log())
        self.log_unit = nn.Parameter(torch.tensor(UM_PER_UNIT).log())

    def forward(self) -> Tensor:
        """Weights (2, channels)."""
        return torch.softmax(self.logits.flatten(), 0).view_as(self.logits)


class WsiDistsTask(Task):
    """Fits alpha and beta (eq 5.11).

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    features : Path, optional
        Feature network; the shipped one when missing.
    """

    name = "wsi-dists"
    best = "error_um"

    def __init__(
        self, data: Path | None, settings: WsiDistsSettings | None = None, features: Path | None = None
    ) -> None:
        self.settings: WsiDistsSettings = settings or WsiDistsSettings()
        self._data, self._features = data, features
        self._batch = 0
        self._pairs: dict[str, Pairs] = {}
        self._weights = TermWeights()

    def prepare(self, config: LabConfig) -> None:
        """Open the banks and look at all pairs once."""
        self._batch, own = config.batch, self.settings
        folder, network = data_folder(self._data), load_features(self._features)
        for split, count in (("train", own.pairs), ("validation", own.held_out)):
            bank = stack_bank(folder, split, StackBankConfig(fields=own.fields))
            self._pairs[split] = pairs_of(bank, network, count, config.seed)

    def modules(self) -> dict[str, nn.Module]:
        """The weights."""
        return {"weights": self._weights}

    def _error(self, pairs: Pairs) -> Tensor:
        distance = 1 - (self._weights() * pairs.terms.to(self.device)).sum((1, 2))
        error: Tensor = (distance * self._weights.log_unit.exp() - pairs.apart_um.to(self.device)).abs().mean()
        return error

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean absolute error, um, of the distances of a batch of pairs."""
        pairs = self._pairs["train"]
        pick = torch.randint(len(pairs.apart_um), (self._batch,), generator=generator)
        return {"loss": self._error(Pairs(pairs.terms[pick], pairs.apart_um[pick]))}

    def validate(self) -> dict[str, float]:
        """Mean error, um, and rank correlation on held-out pairs; the latter with equal weights as well."""
        pairs = self._pairs["validation"]
        figures = {"error_um": float(self._error(pairs))}
        for name, weights in (("srcc", self._weights().cpu()), ("srcc_equal", equal_weights())):
            figures[name] = srcc((1 - (weights * pairs.terms).sum((1, 2))).numpy(), pairs.apart_um.numpy())
        return figures | {"unit_um": float(self._weights.log_unit.exp())}

    def identity(self) -> dict[str, Any]:
        """The pairs."""
        digest = hashlib.sha256(self._pairs["train"].apart_um.numpy().tobytes())
        return {"pairs": digest.hexdigest()[:16]}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``wsi-dists.safetensors`` with its model card."""
        path = out / "wsi-dists.safetensors"
        weights = self._weights().detach().cpu()
        save_weights(path, {"weights": weights}, {"model": "wsi-dists"})
        facts = {
            "Model": "alpha and beta of the distance WSI-DISTS, on the features of wsi-features.safetensors",
            "Data": f"{self.settings.pairs} pairs of planes of simulated focal stacks, 0.25 um/px, without noise",
            "Split": f"by picture; {self.settings.held_out} pairs of held-out stacks test it",
        } | run.rows(path)
        write_card(path.with_suffix(".md"), "wsi-dists: distance between planes", facts, _figures(weights, run), LIMITS)
        return [path, path.with_suffix(".md")]


def _figures(weights: Tensor, run: RunFacts) -> str:
    lines = [
        f"Held-out pairs: distance against the difference of their distances from focus has SRCC "
        f"{run.figures['srcc']:.3f} (with equal weights {run.figures['srcc_equal']:.3f}); read as "
        f"{run.figures['unit_um']:.2f} um per unit, it is off by {run.figures['error_um']:.2f} um on average.",
        "",
        "Share of each layer:",
        "",
        "| layer | alpha (luminance) | beta (structure) |",
        "|---|---|---|",
    ]
    names = ("pixels", "conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
    for name, part in zip(names, torch.split(weights, list(CHANNELS), dim=1), strict=True):
        lines.append(f"| {name} | {float(part[0].sum()):.3f} | {float(part[1].sum()):.3f} |")
    return "\n".join(lines)


LIMITS = (
    "A loss for pictures of one field. Fitted to simulated defocus; planes on both sides of focus at equal distance "
    "count as alike. Not comparable with published DISTS."
)


def entries() -> list[TaskEntry]:
    """The weights of the distance."""
    config = LabConfig(steps=1500, seed=51, batch=128, learning_rate=2e-2, clip=0.0)
    return [TaskEntry("features", "wsi-dists", "weights of the distance WSI-DISTS", _build, WsiDistsSettings(), config)]


def _build(data: Path | None, settings: Any) -> Task:
    return WsiDistsTask(data, settings)
