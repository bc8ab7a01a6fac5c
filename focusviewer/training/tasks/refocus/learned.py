"""Trains the network of the engine ``learned``: from a scan and its Wiener pictures to the plane in focus.

It learns from the bank of simulated focal stacks, onto which is drawn what real scans have beyond the model of blur
(:mod:`focusviewer.training.data.imperfections`). The distance that the Wiener pictures assume is wrong on purpose, and
often has nothing to do with the true one, because what reads it on real tissue is wrong too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.refocus.learned.engine import LEAST_ASSUMED_UM, draw_in_focus
from focusviewer.refocus.learned.network import WienerMixer
from focusviewer.refocus.learned.pictures import LEAST_UM, MOST_UM, assumed_um, wiener_pictures
from focusviewer.refocus.wiener.filters import PictureSpectrum
from focusviewer.training.common import data_folder, write_card
from focusviewer.training.data.imperfections import Imperfections, record
from focusviewer.training.data.stack_bank import StackBank, StackBankConfig, stack_bank
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts
from focusviewer.training.tasks.refocus.network_task import NetworkTask, decibels, robust

FINE_MPP, COARSE_MPP = 0.25, 0.5
_EPSILON = 1e-2
_WINDOW = 7
_C1, _C2 = (0.01) ** 2, (0.03) ** 2  # Wang et al. 2004, of values 0..1
_VALIDATION_SEED = 99
_VALIDATION_BATCH = 16
_BORDER_PX = 8


@dataclass(frozen=True)
class LearnedSettings(Imperfections):
    """What the network learns from, beside the imperfections that are drawn.

    Attributes
    ----------
    fields : int
        Focal stacks of each bank.
    coarse : float
        Share of the cases at 0.5 um per pixel; the others are at 0.25.
    held_out : int
        Cases of held-out pictures that validate it.
    in_focus, near : float
        Shares of the cases that show the plane in focus, and that are drawn from planes within ``near_um`` only.
    wrong : float
        Share of the cases whose Wiener pictures assume a distance that has nothing to do with the true one; in the
        others it is wrong by a factor with a spread of ``spread`` (logarithm).
    similarity : float
        Weight of 1 - SSIM beside the robust L1.
    """

    fields: int = 1600
    coarse: float = 0.2
    held_out: int = 128
    in_focus: float = 0.1
    near: float = 0.4
    near_um: float = 2.2
    wrong: float = 0.45
    spread: float = 0.35
    similarity: float = 0.05


@dataclass(frozen=True)
class Case:
    """One scan and its plane in focus.

    ``scan`` and ``wanted`` are float32 (S, S, 3), 0..1, ``filtered`` float32 (F, S, S, 3); distances are in um.
    """

    scan: FloatArray
    filtered: FloatArray
    wanted: FloatArray
    assumed_um: float


Banks = Mapping[float, StackBank]
"""By pixel size, um."""


def draw_case(banks: Banks, settings: LearnedSettings, rng: np.random.Generator) -> Case:
    """A random field of a bank at a random distance, with random imperfections, turned and flipped."""
    mpp = COARSE_MPP if rng.random() < settings.coarse else FINE_MPP
    bank = banks[mpp]
    row, other = (int(rng.integers(len(bank))) for _ in range(2))
    z_um = np.asarray(bank.z_um[row])
    focus, plane = int(np.flatnonzero(z_um == 0)[0]), int(rng.integers(len(z_um)))
    draw = rng.random()
    if draw < settings.in_focus:
        plane = focus
    elif draw < settings.in_focus + settings.near:
        plane = int(rng.choice(np.flatnonzero(np.abs(z_um) < settings.near_um)))
    foreign = bank.clean[other, int(rng.integers(len(z_um)))]
    scan, wanted = record(bank.clean[row, plane], bank.clean[row, focus], foreign, settings, mpp, rng)
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    scan, wanted = (_turned(image, turns, mirrored) for image in (scan, wanted))
    distance = abs(float(z_um[plane])) * float(np.exp(settings.spread * rng.standard_normal()))
    if rng.random() < settings.wrong:
        distance = float(rng.uniform(LEAST_UM, MOST_UM))
    assumed = assumed_um(distance)
    return Case(scan, wiener_pictures(PictureSpectrum(scan, mpp), assumed), wanted, assumed)


def _turned(image: FloatArray, turns: int, mirrored: bool) -> FloatArray:
    turned = np.rot90(image, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


class LearnedTask(NetworkTask[WienerMixer]):
    """The network of the engine ``learned``.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    name = "learned"
    best = "+real"

    def __init__(self, data: Path | None, settings: LearnedSettings | None = None) -> None:
        self.settings: LearnedSettings = settings or LearnedSettings()
        self._data = data
        self._banks: Banks = {}
        self._batch = 0
        self._checks: list[Case] = []

    def _new_network(self) -> WienerMixer:
        return WienerMixer()

    def prepare(self, config: LabConfig) -> None:
        """Open the banks; they are made when they are not there yet, which takes minutes."""
        folder = data_folder(self._data)
        self._batch = config.batch
        configs = [StackBankConfig(mpp, self.settings.fields) for mpp in (FINE_MPP, COARSE_MPP)]
        self._banks = {bank.mpp: stack_bank(folder, "train", bank) for bank in configs}
        held_out = {bank.mpp: stack_bank(folder, "validation", bank) for bank in configs}
        rng = np.random.default_rng(_VALIDATION_SEED)
        self._checks = [draw_case(held_out, self.settings, rng) for _ in range(self.settings.held_out)]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Robust L1 and 1 - SSIM over random squares, without their borders."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        cases = [draw_case(self._banks, self.settings, rng) for _ in range(self._batch)]
        made, wanted, _ = self._made(cases)
        return {"loss": self._loss(made, wanted)}

    def _loss(self, made: Tensor, wanted: Tensor) -> Tensor:
        return robust(made, wanted, _EPSILON) + self.settings.similarity * (1 - similarity(made, wanted).mean())

    def _made(self, cases: Sequence[Case]) -> tuple[Tensor, Tensor, Tensor]:
        """The network's pictures, those wanted, and the scans: float32 (B, 3, s, s), without borders."""
        scan, wanted = (_tensor([getattr(case, name) for case in cases]).to(self.device) for name in ("scan", "wanted"))
        filtered = torch.from_numpy(np.stack([case.filtered for case in cases])).permute(0, 1, 4, 2, 3).to(self.device)
        assumed = torch.tensor([case.assumed_um for case in cases], device=self.device)
        made = self.net(scan, filtered.contiguous(), assumed)
        inner = (..., slice(_BORDER_PX, -_BORDER_PX), slice(_BORDER_PX, -_BORDER_PX))
        return made[inner], wanted[inner], scan[inner]

    def validate(self) -> dict[str, float]:
        """Gains on real planes of development, and the loss, PSNR (dB) and SSIM on held-out simulated pictures.

        The real ones decide which weights are kept: simulation goes on gaining long after they have begun to lose.
        """
        parts = []
        for start in range(0, len(self._checks), _VALIDATION_BATCH):
            made, wanted, scan = self._made(self._checks[start : start + _VALIDATION_BATCH])
            loss = self._loss(made, wanted).expand(len(made))
            made = made.clamp(0, 1)
            figures = [
                decibels(scan, wanted),
                decibels(made, wanted),
                similarity(scan, wanted),
                similarity(made, wanted),
            ]
            parts.append(torch.stack([loss, *figures], 1))
        loss, before, after, like_before, like_after = torch.cat(parts).mean(0).tolist()
        real = self._real_gain()
        return {
            # The best textbook filter gains eighteen times as much in decibels as in SSIM: both count alike.
            "real": real["real_gain"] + 18 * real["real_ssim_gain"] if real else -loss,
            **real,
            "loss": loss,
            "psnr_before": before,
            "psnr": after,
            "gain": after - before,
            "ssim_before": like_before,
            "ssim": like_after,
        }

    def _real_gain(self) -> dict[str, float]:
        """What is gained on the real planes of development; empty where there are none."""
        if self.evaluator is None:
            return {}

        def draw(scan: RGB) -> FloatArray:
            return draw_in_focus(self.net, scan, PictureSpectrum(scan, FINE_MPP), LEAST_ASSUMED_UM)

        return self.evaluator.real_gain(draw, data_folder(self._data))

    def identity(self) -> dict[str, Any]:
        """The distances stand for the bank, which follows from the same generator."""
        return {
            f"planes_um at {mpp:g}": [len(bank), float(np.abs(bank.z_um).sum())] for mpp, bank in self._banks.items()
        }

    def _write_card(self, path: Path, run: RunFacts, figures: dict[str, float]) -> None:
        settings = self.settings
        parameters = sum(parameter.numel() for parameter in self.net.parameters())
        facts = {
            "Model": f"U-net of {parameters} parameters over the scan and five Wiener pictures of it: weights of their "
            "mixture for each pixel, and a rest of at most 0.15 of full scale",
            "Output": "pixels",
            "Data": f"{settings.fields} simulated focal stacks of 10 planes within 4 um, of sharp crops of real "
            f"sections (CC0, Apache-2.0, BSD-3, free use) and of phantoms, at 0.25 um/px, and as many at 0.5 um/px (a "
            f"share of {settings.coarse:g}), with random softness, errors "
            "of the transfer, foreign structure, noise and JPEG ("
            + ", ".join(f"{item.name} {getattr(settings, item.name):g}" for item in fields(Imperfections))
            + f"); {run.steps * run.config.batch} squares of 128 px seen",
            "Split": f"by image; the figures are of {settings.held_out} cases of held-out images",
        } | run.rows(path)
        text = (
            "Held-out images with the same imperfections, mean PSNR (dB) and SSIM against the plane in focus:\n\n"
            "| PSNR as scanned | learned | SSIM as scanned | learned |\n|---|---|---|---|\n"
            f"| {figures['psnr_before']:.2f} | {figures['psnr']:.2f} | {figures['ssim_before']:.3f} "
            f"| {figures['ssim']:.3f} |" + self._on_real_tissue(path)
        )
        write_card(path.with_suffix(".md"), "learned refocusing engine: mixer of Wiener pictures", facts, text, LIMITS)

    def _on_real_tissue(self, path: Path) -> str:
        """The whole engine on real planes, as a section of the card."""
        if self.evaluator is None:
            return ""
        from focusviewer.refocus.learned.engine import LearnedRefocuser

        rows = self.evaluator.real_tissue(LearnedRefocuser(path), data_folder(self._data))
        if not rows:
            return ""
        return (
            "\n\nReal tissue out of focus, blind, all in focus (`focusviewer evaluate refocus --part tissue`), mean "
            "gains over the scan, beside the textbook Wiener filter picked with the answer known:\n\n"
            "| tissue | pictures | PSNR, dB | SSIM | best filter, dB | best filter, SSIM |\n|---|---|---|---|---|---|\n"
        ) + "\n".join(
            f"| {row['tissue']} | {row['pairs']} | {row['gain_all']:+.2f} | {row['ssim_gain_all']:+.3f} "
            f"| {row['gain_best']:+.2f} | {row['ssim_gain_best']:+.3f} |"
            for row in rows
        )


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of the gray of pictures (B, 3, H, W), 0..1, in windows of 7 px (Wang et al. 2004): float32 (B,)."""
    first, second = (picture.float().mean(1, keepdim=True) for picture in (first, second))

    def local(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, _WINDOW, 1)

    mean1, mean2 = local(first), local(second)
    spread = local(first.square()) - mean1.square() + local(second.square()) - mean2.square()
    shared = local(first * second) - mean1 * mean2
    light = (2 * mean1 * mean2 + _C1) / (mean1.square() + mean2.square() + _C1)
    return (light * (2 * shared + _C2) / (spread + _C2)).mean((1, 2, 3))


def _tensor(images: Sequence[FloatArray]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


LIMITS = (
    "Bright-field sections at 0.25 and 0.5 um/px, |z| up to 4 um; no real plane at 0.5 um/px was judged. One plane "
    "cannot tell its side of focus, nor bring back what the lens did not pass. Besides sharpening it takes camera "
    "noise away, which is part of its gain. How soft fields may be in training was chosen after a first network had "
    "sharpened real sections (retroscope) too much: those planes are no independent evidence. Draws pixels: it may "
    "show detail that the scan does not hold; the rest that it adds to mixed Wiener filters is bounded. Research use "
    "only; every pixel it makes is synthesised and marked so."
)


def entries() -> list[TaskEntry]:
    """The network of the engine ``learned``."""
    return [
        TaskEntry(
            "refocus",
            LearnedTask.name,
            "the learned engine's mixer of Wiener pictures",
            LearnedTask,
            LearnedSettings(),
            LabConfig(
                steps=6000, seed=70, batch=12, learning_rate=4e-4, weight_decay=1e-4, precision="bf16", validations=10
            ),
        )
    ]
