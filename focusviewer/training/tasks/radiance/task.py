"""Trains the radiance network (Wang 2024, 5.2.5): WSI-DISTS, 3-D consistency and, where asked for, an adversarial loss.

L = a L_recon + b L_consis + w L_GAN (eq 5.13), with a term of our own, the mean absolute error of the pixels. Wang 2024
has 15, 1 and 1 (the recipe ``thesis``), and days on a graphics card. Measured here, at the start of training: the
gradient of 15 L_recon is fifteen times that of 30 times the mean absolute error, and nearly at right angles (cosine
.15) to what is missing in the picture, so that after 75 steps pictures were a decibel worse than at the start; led by
the pixels they were not. Hence the weights below. w is 0 unless the settings say otherwise, as detail that is invented
to please a critic is what this program must never show.

Every step draws two disjoint subsets of each stack. Both are encoded, their features are drawn to each other (eq 5.4),
and both must render the same target, so that no encoding is made for the consistency alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from focusviewer.core.errors import UserError
from focusviewer.refocus.radiance.network import SIZES, Discriminator, RadianceConfig, RadianceNet, load_radiance
from focusviewer.training.common import data_folder, file_digest, save_weights, write_card
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import LossOptimiser, RunFacts, Task, adam
from focusviewer.training.tasks.radiance.cases import Cases, draw_cases
from focusviewer.training.tasks.radiance.checks import CHECKS, check_figures, nearest_plane
from focusviewer.training.tasks.radiance.stacks import Stacks, focuspath_stacks, simulated_stacks
from focusviewer.training.tasks.wsi_dists.distance import WsiDists, load_wsi_dists, plain_dists

COMMAND = "command"
"""Key of the weights' metadata: what made them."""


@dataclass(frozen=True)
class RadianceSettings:
    """Size, variant and losses of a run.

    Attributes
    ----------
    size : str
        Key of :data:`focusviewer.refocus.radiance.network.SIZES`.
    pooling : "fsca", "max" or "mean"
        Over depth, in the decoder.
    distance : "wsi-dists" or "plain-dists"
        The reconstruction loss.
    reconstruction, consistency, adversarial, pixels, share, decibels : float
        Weights of the losses; 0 leaves a loss out. ``pixels`` is of the mean absolute error; ``share`` of that error
        over the error of the nearest given plane, so that near focus, where little is missing, a little harm counts;
        ``decibels`` of the loss in PSNR against that plane, which is what a network is validated by.
    crop_px : int
        Side of the pictures; a multiple of 16, so that the last stage of the features divides evenly.
    rounds : int
        Targets of each pair of subsets: rendering is cheap once they are encoded.
    pairs : float
        Share of subsets made to hold two planes.
    focuspath : str
        Folder of FocusPath: its strip 0 is learned from in place of simulated stacks, and strip 1 is held out.
    fields : int
        Fields of the training bank.
    judged, judged_finally : int
        Held-out stacks of each check, while training and for the card.
    start : str
        Weights to begin with, of the same size and pooling: to go on with what another run has learned, or to tune it
        for one purpose. Give another seed than that run had.
    """

    size: str = "slim"
    pooling: Literal["fsca", "max", "mean"] = "fsca"
    distance: Literal["wsi-dists", "plain-dists"] = "wsi-dists"
    reconstruction: float = 1.0
    consistency: float = 5.0
    adversarial: float = 0.0
    pixels: float = 100.0
    share: float = 0.0
    decibels: float = 0.0
    crop_px: int = 80
    rounds: int = 1
    pairs: float = 0.0
    focuspath: str = ""
    fields: int = 1600
    judged: int = 12
    judged_finally: int = 64
    start: str = ""


class RadianceTask(Task):
    """The radiance network.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    best = "+gain"

    def __init__(self, data: Path | None, settings: RadianceSettings | None = None) -> None:
        self.settings: RadianceSettings = settings or RadianceSettings()
        self.name = run_name(self.settings)
        self._data = data
        self._batch = 0
        self._stacks: Stacks | None = None
        self._distance: WsiDists | None = None
        self._modules: dict[str, nn.Module] = {}

    def prepare(self, config: LabConfig) -> None:
        """Open the banks and the distance; banks are made when they are not there yet, which takes a while."""
        own = self.settings
        self._batch = config.batch
        if own.focuspath:
            self._stacks = focuspath_stacks(Path(own.focuspath), own.fields)
        else:
            self._stacks = simulated_stacks(data_folder(self._data), own.fields)
        distance = load_wsi_dists() if own.distance == "wsi-dists" else plain_dists()
        self._distance = distance.to(self.device)

    def modules(self) -> dict[str, nn.Module]:
        """The network, and the discriminator where there is an adversarial loss."""
        if not self._modules:
            net = RadianceNet(network_config(self.settings))
            if self.settings.start:
                begin_with(net, Path(self.settings.start))
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._modules = {"radiance": net}
            if self.settings.adversarial:
                self._modules["discriminator"] = Discriminator()
        return self._modules

    @property
    def net(self) -> RadianceNet:
        """The network."""
        net = self.modules()["radiance"]
        assert isinstance(net, RadianceNet)
        return net

    def optimisers(self, config: LabConfig) -> list[LossOptimiser]:
        """One Adam for the network, and one like it for the discriminator."""
        parts = {"radiance": "loss", "discriminator": "critic"}
        modules = self.modules()
        return [LossOptimiser(name, adam(list(modules[name].parameters()), config), parts[name]) for name in modules]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """All losses of a batch; ``loss`` is their weighted sum."""
        assert self._stacks is not None
        own = self.settings
        drawn = draw_cases(self._stacks.train, self._batch, own.crop_px, generator, own.rounds, own.pairs)
        cases = drawn.to(self.device)
        features, pictures = [], []
        for subset in (cases.given, cases.other):
            features.append(self.net.encode(subset.images, subset.defocus))
            for target in torch.split(cases.target, self._batch):
                pictures.append(self.net.decode(features[-1], subset.images, subset.defocus, target))
        parts = self._likeness(torch.cat(pictures), cases)
        if own.consistency:
            parts["consistency"] = own.consistency * consistency(*features)
        losses = {}
        if own.adversarial:
            realism, losses["critic"] = self._adversarial(torch.cat(pictures), cases)
            parts["realism"] = own.adversarial * realism
        total = torch.stack(list(parts.values())).sum()
        return {"loss": total} | {name: part.detach() for name, part in parts.items()} | losses

    def _likeness(self, pictures: Tensor, cases: Cases) -> dict[str, Tensor]:
        """Losses of the pictures of both subsets, by what they lack of the answer."""
        assert self._distance is not None
        own, parts = self.settings, {}
        wanted = torch.cat([cases.wanted, cases.wanted])
        if own.reconstruction:
            with torch.no_grad():
                maps = self._distance.maps(cases.wanted)
            made = self._distance.maps(pictures)
            distance = self._distance.between(made, [torch.cat([layer, layer]) for layer in maps])
            parts["reconstruction"] = own.reconstruction * distance.mean()
        error = absolute_error(pictures, wanted)
        if own.pixels:
            parts["pixels"] = own.pixels * error.mean()
        nearest = torch.cat(
            [
                nearest_plane(subset, target)
                for subset in (cases.given, cases.other)
                for target in torch.split(cases.target, self._batch)
            ]
        )
        if own.share:
            before = absolute_error(nearest, wanted)
            parts["share"] = own.share * (error / (before + 1 / 255)).mean()
        if own.decibels:
            parts["decibels"] = own.decibels * decibels_lost(pictures, nearest, wanted).mean()
        return parts

    def _adversarial(self, pictures: Tensor, cases: Cases) -> tuple[Tensor, Tensor]:
        """Least-squares losses of the network and of the discriminator (eq 5.12)."""
        critic = self.modules()["discriminator"]
        target = torch.cat([cases.target, cases.target])
        realism = 0.5 * (critic(pictures, target).float() - 1).square().mean()
        of_real, of_made = critic(cases.wanted, cases.target).float(), critic(pictures.detach(), target).float()
        return realism, 0.5 * (of_real - 1).square().mean() + 0.5 * of_made.square().mean()

    def validate(self) -> dict[str, float]:
        """Gains on stacks not learned from; see :func:`focusviewer.training.tasks.radiance.checks.check_figures`."""
        assert self._stacks is not None
        return check_figures(self.net, self._stacks.validation, self.settings.judged, self.device)

    def identity(self) -> dict[str, Any]:
        """The banks and the distance."""
        assert self._stacks is not None
        assert self._distance is not None
        bank = self._stacks.train
        digest = hashlib.sha256(bank.z_um.tobytes() + bank.source.tobytes())
        for row in np.linspace(0, len(bank) - 1, 8).astype(int):
            digest.update(bank.recorded[row, 0].tobytes())
        weights = hashlib.sha256(self._distance.weights.cpu().numpy().tobytes()).hexdigest()[:16]
        return {"stacks": digest.hexdigest()[:16], "distance": weights}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``NAME.safetensors`` with its model card."""
        path = out / f"{self.name}.safetensors"
        net = self.net.cpu()
        metadata = {"model": "radiance", "simulator": SIMULATOR_VERSION, COMMAND: run.command}
        metadata["config"] = json.dumps(asdict(net.config), sort_keys=True)
        save_weights(path, net.state_dict(), metadata)
        self._write_card(path, run)
        return [path, path.with_suffix(".md")]

    def _write_card(self, path: Path, run: RunFacts) -> None:
        assert self._stacks is not None
        config, stacks = self.net.config, self._stacks
        parameters = sum(parameter.numel() for parameter in self.net.parameters())
        adversarial = f"adversarial loss of weight {self.settings.adversarial:g}"
        facts = {
            "Model": f"radiance network, size {config.name}: {config.channels} channels, {config.depth} layers, "
            f"{config.pooling} pooling, {parameters} parameters; changes a pixel by at most {config.residual_limit:g}",
            "Output": "the picture at any focus, from 1 to 16 planes",
            "Data": stacks.data,
            "Split": stacks.split,
            "Losses": f"{losses_text(self.settings)}; "
            + (adversarial if self.settings.adversarial else "no adversarial loss, so that nothing is invented"),
        }
        if self.settings.start:
            facts["Began with"] = origin(Path(self.settings.start))
        facts |= run.rows(path)
        count = self.settings.judged_finally
        figures = check_figures(self.net, stacks.test, count, torch.device("cpu"))
        head = (
            f"{stacks.figures.format(count=count)}, gained over the nearest given plane:\n\n"
            "| given | asked for | gain |\n|---|---|---|\n"
        )
        known = [check for check in CHECKS if check.name in figures]
        rows = [f"| {check.given} | {check.asked} | {figures[check.name]:+.2f} |" for check in known]
        limits = LIMITS.format(trained=stacks.limits)
        write_card(path.with_suffix(".md"), f"{self.name} refocusing network", facts, head + "\n".join(rows), limits)


def run_name(settings: RadianceSettings) -> str:
    """``radiance`` for what is shipped, else with the size and what is different."""
    usual = RadianceSettings()
    words = [] if settings.size == usual.size else [settings.size]
    words += [] if settings.pooling == usual.pooling else [settings.pooling]
    words += [] if settings.distance == usual.distance else ["plain"]
    words += [] if settings.consistency else ["inconsistent"]
    words += ["adversarial"] if settings.adversarial else []
    words += ["focuspath"] if settings.focuspath else []
    return "-".join(["radiance", *words])


def losses_text(settings: RadianceSettings) -> str:
    """The losses of a run that have a weight, the adversarial one aside."""
    distance = "WSI-DISTS" if settings.distance == "wsi-dists" else "plain DISTS"
    parts = {
        distance: settings.reconstruction,
        "3-D consistency": settings.consistency,
        "pixels": settings.pixels,
        "share of the error": settings.share,
        "decibels of PSNR": settings.decibels,
    }
    return ", ".join(name for name, weight in parts.items() if weight) or "none"


def network_config(settings: RadianceSettings) -> RadianceConfig:
    """The network of a run."""
    return replace(SIZES[settings.size], pooling=settings.pooling)


def begin_with(net: RadianceNet, path: Path) -> None:
    """Put the weights of a file into a network.

    Raises
    ------
    UserError
        If they cannot be read or do not fit.
    """
    try:
        net.load_state_dict(load_radiance(path).state_dict())
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"Cannot begin with the weights {path}", reason, "Correct start in the settings.") from error


def origin(path: Path) -> str:
    """Which weights a file holds and how they were made, in a line."""
    with safe_open(str(path), framework="pt") as file:
        made = (file.metadata() or {}).get(COMMAND, "")
    return f"{path.name}, SHA-256 begins {file_digest(path)}" + (f", made by: {made}" if made else "")


def absolute_error(pictures: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of each picture of a batch: float32 (B,)."""
    return (pictures - wanted).abs().mean((1, 2, 3))


def decibels_lost(pictures: Tensor, before: Tensor, wanted: Tensor) -> Tensor:
    """By how much PSNR is lower than that of the pictures ``before``, dB: float32 (B,).

    Half a gray level is added to the errors, so that what is right already gets no weight.
    """
    floor = (0.5 / 255) ** 2
    error, usual = ((made - wanted).square().mean((1, 2, 3)) + floor for made in (pictures, before))
    return 10 * torch.log10(error / usual)


def consistency(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Mean squared difference of the features of two subsets, over pixels and encoder stages (eq 5.4)."""
    parts = [(a.float() - b.float()).square().mean() for a, b in zip(first, second, strict=True)]
    return torch.stack(parts).mean()


LIMITS = (
    "Bright-field sections at about 0.25 um/px, planes within 4 um of the tissue. {trained} One plane cannot tell its "
    "side of focus, nor bring back what the lens did not pass. Found with the shipped size: features of another "
    "specimen swapped in keep 72 % of the gain, so that most of it is not read from the tissue in view; the finest "
    "pooling over depth does not know the sign of z; neither the consistency loss nor the cross-attention pooling "
    "(FSCA) pays in our ablation. Returns an acquired plane as it is. Not for fluorescence. Research use only; every "
    "pixel it makes is synthesised and marked so."
)


def entries() -> list[TaskEntry]:
    """The sizes of the radiance network; ablations are made of them by settings."""
    return [_entry("slim", 2000), _entry("tiny", 300), _entry("seed", 60_000)]


def _entry(size: str, steps: int) -> TaskEntry:
    # Wang 2024 has a learning rate of 1e-4 for days on a graphics card; minutes on a processor want a higher one.
    config = LabConfig(
        steps=steps, seed=60, batch=3, learning_rate=1.5e-3, weight_decay=1e-7, precision="bf16", validations=8
    )
    summary = f"the virtual refocusing network, size {size}"
    return TaskEntry("radiance", size, summary, _build, RadianceSettings(size=size), config)


def _build(data: Path | None, settings: Any) -> Task:
    return RadianceTask(data, settings)
