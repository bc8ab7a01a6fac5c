"""Trains the selector of the fast refocusing engine on simulated defocus of real sharp patches.

Two losses, one after the other. First cross-entropy towards soft labels: hypotheses whose operator brings the blurred
crop closest to the sharp one get the probability. Then the risk: the logarithm of the expected squared error of the
choice, relative to doing nothing. The labels alone make a bold selector that loses on sharp images (measured: -12 dB
in focus, -1 dB at 1-2 um); the risk alone collapses within a minute; one after the other keeps sharp images and gains
on blurred ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.files import atomic_write, cache_dir, output_folder
from focusviewer.refocus.fast import FastRefocuser
from focusviewer.refocus.filtering import filter_image
from focusviewer.refocus.operators import HYPOTHESES, operator_bank
from focusviewer.refocus.selector import CELL, Selector, features
from focusviewer.training.common import augment, data_folder, save_weights, write_card
from focusviewer.training.evaluation import refocus_simulated_table
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.lab.tasks import TaskEntry
from focusviewer.training.simulator import SIMULATOR_VERSION, DefocusSimulator
from focusviewer.training.sources import load_sources, sharp_crops

CROP_PX = 224
PAD_PX = 40
SCALES = ((0.25, (0.55, 0.8), 0.75), (0.5, (0.4, 0.75), 0.25))  # um per pixel, apertures, share of the crops


MIN_JUDGED_UM = 0.75
"""The best checkpoint is the one with the highest gain from here on; nearer to focus the engine's guards decide."""

_POOL_VERSION = 1  # raised when the same settings would give other numbers


@dataclass(frozen=True)
class RefocusSettings:
    """What the selector learns. ``temperature`` is the softness of the labels, ``caution`` favours doing nothing."""

    pool: int = 2600
    width: int = 48
    max_z_um: float = 4.0
    temperature: float = 0.15
    caution: float = 0.04
    risk_weight: float = 5.0
    validation: int = 320
    judged_fields: int = 24


@dataclass(frozen=True)
class Pool:
    """Simulated crops reduced to what training needs: features, errors of each hypothesis, the true blur."""

    features: np.ndarray  # float16 (N, FEATURES, h, w)
    errors: np.ndarray  # float16 (N, K, h, w): log of the local squared error
    z_um: np.ndarray  # float32 (N,)

    def __len__(self) -> int:
        return len(self.z_um)

    def batch(self, index: np.ndarray | slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """Features and errors of some crops, float32."""
        parts = (torch.from_numpy(np.array(array[index])) for array in (self.features, self.errors))
        some_features, errors = (part.to(device).float() for part in parts)
        return some_features, errors


def blur_pairs(
    crops: np.ndarray, simulator: DefocusSimulator, count: int, mpp: float, max_z_um: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Random crops, sharp and blurred: two float32 (B, 3, S, S) in 0..1, and |z| in um (B,)."""
    generator = simulator.generator
    pick = torch.randint(len(crops), (count,), generator=generator)
    sharp = augment(torch.from_numpy(crops[pick.numpy()]).permute(0, 3, 1, 2).float() / 255, generator)
    in_focus = torch.rand(count, generator=generator) < 0.15
    z_um = torch.where(in_focus, 0.0, torch.rand(count, generator=generator) * max_z_um)
    sign = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    draw = simulator.draw(count)
    light = simulator.tone(sharp, draw)
    # In focus means untouched: axial colour and aberration of the drawn system would blur it all the same.
    blurred = torch.where(in_focus[:, None, None, None], light, simulator.defocus(light, draw, z_um * sign, mpp))
    return simulator.untone(light, draw), simulator.record(simulator.untone(blurred, draw), draw), z_um


def hypothesis_errors(sharp: Tensor, blurred: Tensor, filtered: Tensor, coefficients: np.ndarray) -> Tensor:
    """Local squared error of each hypothesis's restoration, as log10: float32 (B, K, h, w)."""
    mixing = torch.from_numpy(coefficients[:, 0])
    errors = []
    for image, truth, layers in zip(blurred, sharp, filtered, strict=True):
        restored = (mixing @ layers.flatten(1)).view(-1, *image.shape).add_(image).clamp_(0, 1)
        squared = restored.sub_(truth).square_().mean(1)
        cells = torch.nn.functional.avg_pool2d(squared, CELL)
        errors.append(torch.nn.functional.avg_pool2d(cells, 5, 1, 2, count_include_pad=False))
    return torch.log10(torch.stack(errors) + 1e-6)


@torch.no_grad()
def make_pool(crops: np.ndarray, settings: RefocusSettings, count: int, seed: int) -> Pool:
    """Simulate ``count`` crops and compute what each hypothesis would make of them."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for index, (mpp, apertures, share) in enumerate(SCALES):
        simulator = DefocusSimulator(seed + 100 * index, na_range=apertures)
        bank = operator_bank(mpp)
        for _ in range(-(-round(count * share) // 8)):
            sharp, blurred, z_um = blur_pairs(crops, simulator, 8, mpp, settings.max_z_um)
            filtered = torch.from_numpy(np.stack([filter_image(image, bank, PAD_PX) for image in blurred.numpy()]))
            errors = hypothesis_errors(sharp, blurred, filtered, bank.coefficients)
            parts.append((features(blurred, filtered, bank).half(), errors.half(), z_um))
    return Pool(*(torch.cat(column).numpy() for column in zip(*parts, strict=True)))


def kept_pool(crops: np.ndarray, settings: RefocusSettings, count: int, seed: int) -> Pool:
    """The pool from the cache folder, made first when it is not there: a resumed run must not wait for it again."""
    key = hashlib.sha256(crops.tobytes())
    key.update(json.dumps([_POOL_VERSION, SIMULATOR_VERSION, count, seed, settings.max_z_um]).encode())
    folder = cache_dir() / "banks" / f"refocus-{key.hexdigest()[:12]}"
    names = [field.name for field in dataclasses.fields(Pool)]
    if not all((folder / f"{name}.npy").exists() for name in names):
        output_folder(folder)
        pool = make_pool(crops, settings, count, seed)
        for name in names:
            with atomic_write(folder / f"{name}.npy") as temporary:
                np.save(temporary, getattr(pool, name))
    return Pool(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names))


def soft_labels(errors: Tensor, settings: RefocusSettings) -> Tensor:
    """Probability of each hypothesis by its error in decades: (B, K, h, w)."""
    decades = errors.float()
    decades[:, 0] -= settings.caution
    return torch.softmax(-decades / settings.temperature, 1)


def selection_loss(log_weights: Tensor, errors: Tensor, settings: RefocusSettings, ramp: float) -> Tensor:
    """Cross-entropy at ``ramp`` 0, mostly risk at 1."""
    entropy = -(soft_labels(errors.clone(), settings) * log_weights).sum(1).mean()
    expected = (log_weights.exp() * 10**errors).sum(1).log10() - errors[:, 0]
    return (1 - 0.8 * ramp) * entropy + ramp * settings.risk_weight * expected.mean()


def judge(selector: Selector, pool: Pool, settings: RefocusSettings, device: torch.device) -> dict[str, float]:
    """Cross-entropy, and the mean error in dB of the expected choice against doing nothing (positive is better)."""
    losses, gains = [], []
    for start in range(0, len(pool), 32):
        some_features, errors = pool.batch(slice(start, start + 32), device)
        log_weights = torch.log_softmax(selector(some_features), 1)
        losses.append(-(soft_labels(errors.clone(), settings) * log_weights).sum(1).mean())
        expected = (log_weights.exp() * 10**errors).sum(1).mean((1, 2))
        gains.append(10 * torch.log10((10 ** errors[:, 0]).mean((1, 2)) / expected))
    gain, z_um = torch.cat(gains).cpu().numpy(), pool.z_um
    near, far = (z_um >= 1) & (z_um <= 2), z_um > 2
    return {
        "entropy": float(torch.stack(losses).mean()),
        "gain": float(gain[z_um >= MIN_JUDGED_UM].mean()),
        "gain_0": float(gain[z_um == 0].mean()),
        "gain_1_2": float(gain[near].mean()),
        "gain_2_4": float(gain[far].mean()),
    }


class SelectorTask(Task):
    """The selector of the fast engine.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    """

    name = "fast"
    best = "+gain"

    def __init__(self, data: Path | None, settings: RefocusSettings | None = None) -> None:
        self.settings: RefocusSettings = settings or RefocusSettings()
        self._data = data
        self._batch = self._crops = 0
        self._selector: Selector | None = None
        self._pool: Pool | None = None
        self._checks: Pool | None = None

    def prepare(self, config: LabConfig) -> None:
        """Open the pools; they are made when they are not there yet, which takes a while."""
        folder = data_folder(self._data)
        self._batch = config.batch
        crops = sharp_crops(load_sources(folder, "train"), CROP_PX)
        held_out = sharp_crops(load_sources(folder, "validation"), CROP_PX)
        self._crops = len(crops)
        self._pool = kept_pool(crops, self.settings, self.settings.pool, config.seed)
        self._checks = kept_pool(held_out, self.settings, self.settings.validation, config.seed + 1)

    def modules(self) -> dict[str, nn.Module]:
        """The selector."""
        return {"selector": self.selector}

    @property
    def selector(self) -> Selector:
        """The network."""
        if self._selector is None:
            self._selector = Selector(self.settings.width)
        return self._selector

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy for 30 % of the run, then ever more risk, from 60 % on mostly risk."""
        assert self._pool is not None
        pick = torch.randint(len(self._pool), (self._batch,), generator=generator).numpy()
        some_features, errors = self._pool.batch(pick, self.device)
        log_weights = torch.log_softmax(self.selector(some_features).float(), 1)
        ramp = min(1.0, max(0.0, (step / self.steps - 0.3) / 0.3))
        return {"loss": selection_loss(log_weights, errors, self.settings, ramp)}

    def validate(self) -> dict[str, float]:
        """See :func:`judge`."""
        assert self._checks is not None
        return judge(self.selector, self._checks, self.settings, self.device)

    def identity(self) -> dict[str, Any]:
        """The simulated distances stand for the whole pool, which follows from the same generator."""
        assert self._pool is not None
        return {"pool": hashlib.sha256(self._pool.z_um.tobytes()).hexdigest()[:16], "crops": self._crops}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``fast.safetensors`` with its model card."""
        path = out / "fast.safetensors"
        metadata = {"model": "fast", "hypotheses": str(len(HYPOTHESES)), "width": str(self.settings.width)}
        metadata["simulator"] = SIMULATOR_VERSION
        save_weights(path, self.selector.cpu().state_dict(), metadata)
        self._write_card(path, run)
        return [path, path.with_suffix(".md")]

    def _write_card(self, path: Path, run: RunFacts) -> None:
        """Judge the whole engine (selector, operators, guards) on held-out images and write its model card."""
        settings = self.settings
        facts = {
            "Model": f"selector over {len(HYPOTHESES)} physical operators, {settings.width} channels, "
            "quarter resolution",
            "Output": "weights of the operators; never pixels",
            "Data": f"{settings.pool} simulated defocused crops from {self._crops} sharp crops of real sections "
            "(CC0, Apache-2.0, BSD-3, free use); 0-4 um, random optics, tone, noise, JPEG; 0.25 and 0.5 um/px",
            "Split": f"by image; the figures are of {settings.judged_fields} fields of held-out images",
        } | run.rows(path)
        rows = refocus_simulated_table(FastRefocuser(path), data_folder(self._data), settings.judged_fields)
        text = (
            "Held-out images, simulated defocus at 0.25 um/px, one plane, refocused blind to all in focus; PSNR in "
            "dB:\n\n| defocus | noise | before | after | worst field | SSIM before | SSIM after |\n"
            "|---|---|---|---|---|---|---|\n"
        ) + "\n".join(
            f"| {row['z_um']:g} um | {row['noise']:g} | {row['psnr_before']:.2f} | {row['psnr_auto']:.2f} "
            f"| {row['worst_gain_auto']:+.2f} | {row['ssim_before']:.3f} | {row['ssim_auto']:.3f} |"
            for row in rows
        )
        write_card(path.with_suffix(".md"), "fast refocusing engine: operator selector", facts, text, LIMITS)


LIMITS = (
    "Bright-field sections at 0.2-0.6 um/px and |z| up to 4 um. One plane cannot tell its side of focus, nor bring "
    "back what the lens did not pass. An image that is in focus but soft may be sharpened by the automatic target; "
    "at z = 0 the scan is always returned as it is. Specimens that refract (smears) are not sharpened where rims "
    "brighter than glass give them away; the thresholds of that guard were set with one blood-smear stack of the "
    "evaluation data in view, so that stack is no independent evidence for it. Not for fluorescence. Research use "
    "only; every pixel it makes is synthesised and marked so."
)


def entries() -> list[TaskEntry]:
    """The selector of the fast engine."""
    return [
        TaskEntry(
            "refocus",
            SelectorTask.name,
            "the fast engine's selector of physical operators",
            SelectorTask,
            RefocusSettings(),
            # bfloat16 and the clipped gradient are as it was first trained.
            LabConfig(minutes=9, seed=30, batch=16, learning_rate=2e-3, weight_decay=1e-3, clip=1.0, precision="bf16"),
        )
    ]
