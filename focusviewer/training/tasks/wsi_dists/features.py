"""A small VGG-style network trained on stained tissue: the feature extractor behind the distance WSI-DISTS.

Published perceptual distances look through networks that were trained on photographs. Following Wang 2024 (5.2.4), ours
learns to tell slides from each other: every picture of stained tissue that may be learned from is a class, and the many
small pictures of one series are one class together. The stages are those of VGG16 (two, two, three, three and three
convolutions), narrow; what is asked for is the last layer of each, conv1_2 to conv5_3.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.core.arrays import RGB
from focusviewer.core.files import resource_path
from focusviewer.training.common import augment, data_folder, save_weights, write_card
from focusviewer.training.data.sources import Source, load_sources
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task

WIDTHS = (16, 24, 32, 48, 64)
"""Channels of the five stages."""

DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions of the five stages, as VGG16 has them."""

WEIGHTS = ("weights", "wsi-features.safetensors")

MEAN, SPREAD = 0.7, 0.2
"""Pixels in 0..1 are brought to about zero mean and unit spread by these."""

HELD_OUT = 0.25
"""Share of each picture, at its right edge, that is not learned from; of series, of the pictures."""

MIN_CLASS_PX = 480
"""A smaller picture holds too few different crops to be a class."""

_SERIES = "bbbc038"
_SMALLEST, _LARGEST = 0.75, 1.6  # of the crop: pictures are of several magnifications, and focus comes at any


class WsiFeatures(nn.Module):
    """The five stages; between them pictures are halved by the root of the mean square, which aliases little.

    Parameters
    ----------
    normalised : bool
        With batch normalisation behind every convolution, as it is trained; without, as it is used.
    """

    def __init__(self, normalised: bool = False) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        before = 3
        for width, depth in zip(WIDTHS, DEPTHS, strict=True):
            layers: list[nn.Module] = []
            for _ in range(depth):
                layers.append(nn.Conv2d(before, width, 3, padding=1))
                layers.append(nn.BatchNorm2d(width) if normalised else nn.Identity())
                layers.append(nn.ReLU())
                before = width
            self.stages.append(nn.Sequential(*layers))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Float (B, 3, H, W) in 0..1 to five feature maps (B, C, H / 2^l, W / 2^l), none negative."""
        x = (images - MEAN) / SPREAD
        found = []
        for number, stage in enumerate(self.stages):
            if number:
                x = torch.sqrt(functional.avg_pool2d(x.square(), 2) + 1e-12)
            x = stage(x)
            found.append(x)
        return found


def folded(network: WsiFeatures) -> WsiFeatures:
    """The same function without batch normalisation: it is worked into the convolutions before it."""
    plain = WsiFeatures()
    for stage, target in zip(network.stages, plain.stages, strict=True):
        assert isinstance(stage, nn.Sequential)
        assert isinstance(target, nn.Sequential)
        for index in range(0, len(stage), 3):
            convolution, norm = stage[index].eval(), stage[index + 1].eval()
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            target[index].load_state_dict(torch.nn.utils.fuse_conv_bn_eval(convolution, norm).state_dict())
    return plain.eval()


def load_features(path: Path | None = None) -> WsiFeatures:
    """The shipped network, or that of a file; on the CPU, for inference."""
    from safetensors.torch import load_file

    network = WsiFeatures()
    network.load_state_dict(load_file(str(path or resource_path(*WEIGHTS))))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


@dataclass(frozen=True)
class FeatureSettings:
    """What the feature network learns from. ``held_out`` is the number of held-out crops of each class."""

    crop_px: int = 96
    held_out: int = 12


@dataclass(frozen=True)
class TissueClass:
    """One class, a picture or a series of small ones: a part to train on and a held-out part."""

    name: str
    train: tuple[RGB, ...]
    held_out: tuple[RGB, ...]


def tissue_classes(sources: list[Source], crop_px: int) -> list[TissueClass]:
    """Sort pictures into classes; each keeps a part of itself as held-out data.

    Pictures too small to be a class are left out.
    """
    classes = []
    series = [source.image for source in sources if _SERIES in source.name]
    if len(series) >= 2:
        kept = max(1, round(len(series) * (1 - HELD_OUT)))
        classes.append(TissueClass(_SERIES, tuple(series[:kept]), tuple(series[kept:])))
    for source in sources:
        width = source.image.shape[1]
        if _SERIES in source.name or min(source.image.shape[:2]) < max(MIN_CLASS_PX, crop_px / HELD_OUT):
            continue
        edge = round(width * (1 - HELD_OUT))
        classes.append(TissueClass(source.name, (source.image[:, :edge],), (source.image[:, edge:],)))
    return classes


def draw_crops(
    classes: list[TissueClass], labels: list[int], side: str, crop_px: int, generator: torch.Generator
) -> Tensor:
    """A random crop of each class asked for, at a random scale and brightness: float32 (B, 3, crop_px, crop_px)."""
    crops = []
    for label in labels:
        pictures = getattr(classes[label], side)
        picture = pictures[int(torch.randint(len(pictures), (1,), generator=generator))]
        scale = _SMALLEST + (_LARGEST - _SMALLEST) * float(torch.rand(1, generator=generator))
        size = min(round(crop_px * scale), *picture.shape[:2])
        y, x = (int(torch.randint(length - size + 1, (1,), generator=generator)) for length in picture.shape[:2])
        crop = torch.from_numpy(picture[y : y + size, x : x + size].transpose(2, 0, 1).astype(np.float32) / 255)
        crops.append(functional.interpolate(crop[None], (crop_px, crop_px), mode="bilinear", antialias=True)[0])
    batch = torch.stack(crops)
    gain = 1 + 0.1 * (2 * torch.rand(len(labels), 3, 1, 1, generator=generator) - 1)
    return augment((batch * gain).clamp(0, 1), generator)


class FeatureTask(Task):
    """The feature network, trained to tell tissue classes apart.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    name = "wsi-features"
    best = "+accuracy"

    def __init__(self, data: Path | None, settings: FeatureSettings | None = None) -> None:
        self.settings: FeatureSettings = settings or FeatureSettings()
        self._data = data
        self._batch = 0
        self._classes: list[TissueClass] = []
        self._checks = torch.empty(0)
        self._network: WsiFeatures | None = None
        self._head: nn.Linear | None = None

    def prepare(self, config: LabConfig) -> None:
        """Read the pictures and cut the held-out crops."""
        self._batch = config.batch
        self._classes = tissue_classes(load_sources(data_folder(self._data), "train"), self.settings.crop_px)
        generator = torch.Generator().manual_seed(config.seed)
        labels = [label for label in range(len(self._classes)) for _ in range(self.settings.held_out)]
        self._checks = draw_crops(self._classes, labels, "held_out", self.settings.crop_px, generator)

    def modules(self) -> dict[str, nn.Module]:
        """Network and classifier."""
        return {"features": self.network, "head": self.head}

    @property
    def network(self) -> WsiFeatures:
        """The network, with batch normalisation."""
        if self._network is None:
            self._network = WsiFeatures(normalised=True)
            self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._network

    @property
    def head(self) -> nn.Linear:
        """The classifier: it sees the mean of the last stage, and is thrown away."""
        if self._head is None:
            self._head = nn.Linear(WIDTHS[-1], len(self._classes))
        return self._head

    def _logits(self, images: Tensor) -> Tensor:
        pictures = images.to(self.device).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.head(self.network(pictures)[-1].mean((2, 3)))
        return logits.float()

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of a batch in which classes are equally likely."""
        labels = torch.randint(len(self._classes), (self._batch,), generator=generator)
        images = draw_crops(self._classes, labels.tolist(), "train", self.settings.crop_px, generator)
        logits = self._logits(images)
        return {"loss": functional.cross_entropy(logits, labels.to(self.device), label_smoothing=0.05)}

    def validate(self) -> dict[str, float]:
        """Share of held-out crops that are classified correctly, and their cross-entropy."""
        labels = torch.arange(len(self._classes)).repeat_interleave(self.settings.held_out)
        logits = torch.cat([self._logits(part) for part in torch.split(self._checks, 64)]).cpu()
        return {
            "accuracy": float((logits.argmax(1) == labels).float().mean()),
            "entropy": float(functional.cross_entropy(logits, labels)),
        }

    def identity(self) -> dict[str, Any]:
        """The classes and the held-out crops."""
        pixels = hashlib.sha256(self._checks.numpy().tobytes()).hexdigest()[:16]
        return {"classes": [item.name for item in self._classes], "crops": pixels}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``wsi-features.safetensors`` with its model card."""
        path = out / "wsi-features.safetensors"
        plain = folded(self.network.cpu().float())
        save_weights(path, plain.state_dict(), {"model": "wsi-features"})
        parameters = sum(tensor.numel() for tensor in plain.state_dict().values())
        names = ", ".join(item.name.split("/")[-1] for item in self._classes)
        facts = {
            "Model": f"VGG-style, stages of {WIDTHS} channels, {parameters} parameters; the classifier is not kept",
            "Output": "feature maps of conv1_2, conv2_2, conv3_3, conv4_3 and conv5_3, for WSI-DISTS",
            "Data": f"{len(self._classes)} classes, each a picture of stained tissue or a series (CC0, Apache-2.0, "
            f"BSD, free use): {names}",
            "Split": f"the right {HELD_OUT:.0%} of each picture (of series, of the pictures) is held out; pictures "
            "held out of the training of focus and refocusing are not used at all",
        } | run.rows(path)
        figures = f"Held-out crops told right: {run.figures['accuracy']:.1%} of {len(self._checks)}."
        write_card(path.with_suffix(".md"), "wsi-features: what stained tissue looks like", facts, figures, LIMITS)
        return [path, path.with_suffix(".md")]


LIMITS = (
    "Made for comparing pictures of one field in a loss or a metric, by whole feature maps. It has seen few slides, so "
    "its classes mean nothing outside them, and its distances are not those of published DISTS or LPIPS."
)


def entries() -> list[TaskEntry]:
    """The feature network."""
    config = LabConfig(steps=900, seed=50, batch=32, learning_rate=2e-3, weight_decay=1e-4, precision="bf16")
    summary = "small VGG-style features of stained tissue, for WSI-DISTS"
    return [TaskEntry("features", FeatureTask.name, summary, FeatureTask, FeatureSettings(), config)]
