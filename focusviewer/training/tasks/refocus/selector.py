"""Trains the selector of the fast refocusing engine on simulated defocus: thin and lifted real patches, phantoms.

Two losses, one after the other. First cross-entropy towards soft labels: hypotheses whose operator brings the blurred
crop closest to the sharp one get the probability. Then the risk of the mixture: the logarithm of the squared error of
the picture that the weights make, relative to doing nothing. With the labels alone the selector sharpens too much and
loses on sharp images; with the risk alone training collapses within a minute; one after the other keeps sharp images
and gains on blurred ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.core.errors import UserError
from focusviewer.refocus.fast.engine import FastRefocuser
from focusviewer.refocus.fast.operators import HYPOTHESES, operator_bank
from focusviewer.refocus.fast.selector import Selector
from focusviewer.training.common import data_folder, save_weights, write_card
from focusviewer.training.data.refracting import refracting_sources
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.data.sources import load_sources, sharp_crops
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.entry import TaskEntry
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.tasks.refocus.pool import (
    BLOCK,
    SCALES,
    SHARES,
    Pool,
    Pools,
    cached_pool,
    cached_pools,
    cached_refracting_pool,
    quadratic,
)

PATCH_PX = 256

MIN_VALIDATED_UM = 0.75
"""The best checkpoint is the one with the highest gain from here on; nearer to focus the engine's guards decide."""

_FLOOR = 1e-6
_ODDS = ((0.0, 0.2, 1.8), (0.5, 1.6, 2.5))  # distances drawn more often: in focus, and where sharpening first pays


@dataclass(frozen=True)
class RefocusSettings:
    """Settings of the selector's training.

    ``temperature`` is the softness of the labels, ``caution`` favours doing nothing. Of each batch,
    ``refracting_share`` shows specimens that refract, out of ``refracting`` crops, if there are pictures of such.
    """

    pool: int = 8000
    refracting: int = 480
    refracting_share: float = 0.25
    width: int = 48
    max_z_um: float = 4.4
    temperature: float = 0.12
    caution: float = 0.04
    risk_weight: float = 3.0
    validation: int = 96
    judged_fields: int = 24


@lru_cache(maxsize=4)
def _table(mpp: float, device: torch.device) -> Tensor:
    """Coefficients of each hypothesis to best focus: (K, J)."""
    return torch.from_numpy(operator_bank(mpp).coefficients[:, 0]).to(device)


def mixture_errors(log_weights: Tensor, terms: Tensor, mpp: float) -> Tensor:
    """Squared error of the picture that the weights make, in each block: (B, h / BLOCK, w / BLOCK)."""
    shares = torch.nn.functional.avg_pool2d(log_weights.exp(), BLOCK).movedim(1, -1)
    return (quadratic(shares @ _table(mpp, terms.device)) * terms.movedim(1, -1)).sum(-1).clamp_min(0)


def hypothesis_errors(terms: Tensor, mpp: float) -> Tensor:
    """Squared error of each hypothesis by itself: (B, K, h / BLOCK, w / BLOCK)."""
    return torch.einsum("kt,bthw->bkhw", quadratic(_table(mpp, terms.device)), terms).clamp_min(0)


def _decades(errors: Tensor) -> Tensor:
    """Errors of each neighbourhood, as log10."""
    return torch.log10(torch.nn.functional.avg_pool2d(errors, 5, 1, 2, count_include_pad=False) + _FLOOR)


def soft_labels(errors: Tensor, settings: RefocusSettings) -> Tensor:
    """Probability of each hypothesis by its error: (B, K, h, w)."""
    decades = _decades(errors)
    decades[:, 0] -= settings.caution
    return torch.softmax(-decades / settings.temperature, 1)


def selection_loss(log_weights: Tensor, terms: Tensor, mpp: float, settings: RefocusSettings, ramp: float) -> Tensor:
    """Cross-entropy at ``ramp`` 0, mostly the risk of the mixture at 1: of each neighbourhood and of each crop."""
    with torch.no_grad():
        labels = soft_labels(hypothesis_errors(terms, mpp), settings)
    logs = torch.nn.functional.avg_pool2d(log_weights, BLOCK)
    entropy = -(labels * logs).sum(1).mean()
    mixed, before = mixture_errors(log_weights, terms, mpp), terms[:, -1]
    near = (_decades(mixed[:, None]) - _decades(before[:, None])).mean()
    whole = (torch.log10(mixed.mean((1, 2)) + _FLOOR) - torch.log10(before.mean((1, 2)) + _FLOOR)).mean()
    return (1 - 0.8 * ramp) * entropy + ramp * settings.risk_weight * (near + whole)


@torch.no_grad()
def selector_figures(
    selector: Selector, pool: Pool, settings: RefocusSettings, device: torch.device
) -> dict[str, float]:
    """Cross-entropy, and the mean error in dB of the mixture against doing nothing (positive is better)."""
    losses, gains, distances = [], [], []
    for mpp, _, _ in SCALES:
        rows = pool.rows(mpp)
        for start in range(0, len(rows), 16):
            index = rows[start : start + 16]
            cells, windows, terms = pool.batch(index, device)
            log_weights = torch.log_softmax(selector(cells, windows), 1)
            labels = soft_labels(hypothesis_errors(terms, mpp), settings)
            losses.append(-(labels * torch.nn.functional.avg_pool2d(log_weights, BLOCK)).sum(1).mean())
            mixed = mixture_errors(log_weights, terms, mpp).mean((1, 2))
            gains.append(10 * torch.log10((terms[:, -1].mean((1, 2)) + _FLOOR) / (mixed + _FLOOR)))
            distances.append(pool.z_um[index])
    gain, z_um = torch.cat(gains).cpu().numpy(), np.concatenate(distances)
    figures = {"entropy": float(torch.stack(losses).mean()), "gain": _mean(gain[z_um >= MIN_VALIDATED_UM])}
    figures["gain_0"] = _mean(gain[z_um < 0.3])
    for low in (0.75, 1.5, 2.5, 3.5):
        figures[f"gain_{low:g}"] = _mean(gain[(z_um >= low) & (z_um < low + (0.75 if low < 1 else 1.0))])
    figures["worst"] = float(gain.min())
    return figures


def _drawn(rows: np.ndarray, odds: Tensor, count: int, generator: torch.Generator) -> np.ndarray:
    """Some of the rows, by their odds."""
    return np.asarray(rows[torch.multinomial(odds, count, replacement=True, generator=generator).numpy()])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


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
        self._pool: Pools | None = None
        self._checks: Pool | None = None
        self._refracting: Pool | None = None
        self._refracting_checks: Pool | None = None

    def prepare(self, config: LabConfig) -> None:
        """Open the pools; they are made when they are not there yet, which takes a while."""
        folder = data_folder(self._data)
        share = self.settings.refracting_share
        if not 0 <= share <= 0.9:
            raise UserError(f"refracting_share = {share:g}", "the rest of a batch is what is learned", "Give 0 to 0.9.")
        self._batch = config.batch
        patches = sharp_crops(load_sources(folder, "train"), PATCH_PX)
        held_out = sharp_crops(load_sources(folder, "validation"), PATCH_PX)
        self._crops = len(patches)
        self._pool = cached_pools(patches, self.settings.max_z_um, self.settings.pool, config.seed)
        self._checks = cached_pool(held_out, self.settings.max_z_um, self.settings.validation, config.seed + 1)
        self._refracting = self._kept_refracting(folder, "train", self.settings.refracting, config.seed)
        checks = self.settings.validation // 2
        self._refracting_checks = self._kept_refracting(folder, "validation", checks, config.seed + 1)

    def _kept_refracting(self, folder: Path, split: str, count: int, seed: int) -> Pool | None:
        sources = refracting_sources(folder, split)
        return cached_refracting_pool(sources, count, seed) if sources and count else None

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
        odd = float(torch.rand((), generator=generator))
        mpp = SCALES[0][0] if odd < SCALES[0][2] else SCALES[1][0]
        rows = self._pool.rows(mpp)
        z_um = self._pool.z_um[rows]
        odds = torch.ones(len(rows))
        for low, high, weight in _ODDS:
            odds[torch.from_numpy((z_um >= low) & (z_um < high))] = weight
        refracting = 0 if self._refracting is None else round(self._batch * self.settings.refracting_share)
        parts = [self._pool.batch(_drawn(rows, odds, self._batch - refracting, generator), self.device)]
        if self._refracting is not None and refracting:
            rows = self._refracting.rows(mpp)
            drawn = _drawn(rows, torch.ones(len(rows)), refracting, generator)
            parts.append(self._refracting.batch(drawn, self.device))
        cells, windows, terms = (torch.cat(column) for column in zip(*parts, strict=True))
        log_weights = torch.log_softmax(self.selector(cells, windows).float(), 1)
        ramp = min(1.0, max(0.0, (step / self.steps - 0.3) / 0.3))
        return {"loss": selection_loss(log_weights, terms, mpp, self.settings, ramp)}

    def validate(self) -> dict[str, float]:
        """See :func:`selector_figures`."""
        assert self._checks is not None
        figures = selector_figures(self.selector, self._checks, self.settings, self.device)
        if self._refracting_checks is not None:
            kept = selector_figures(self.selector, self._refracting_checks, self.settings, self.device)
            figures |= {"refracting": kept["gain_0"], "refracting_worst": kept["worst"]}
        return figures

    def identity(self) -> dict[str, Any]:
        """The simulated distances stand for the whole pool, which follows from the same generator."""
        assert self._pool is not None
        digest = hashlib.sha256(self._pool.z_um.tobytes()).hexdigest()[:16]
        refracting = 0 if self._refracting is None else len(self._refracting)
        return {"pool": digest, "crops": self._crops, "refracting": refracting}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """``fast.safetensors`` with its model card."""
        path = out / "fast.safetensors"
        metadata = {"model": "fast", "hypotheses": str(len(HYPOTHESES)), "width": str(self.settings.width)}
        metadata["simulator"] = SIMULATOR_VERSION
        save_weights(path, self.selector.cpu().state_dict(), metadata)
        self._write_card(path, run)
        return [path, path.with_suffix(".md")]

    def _left_alone(self) -> str:
        if self._refracting is None:
            return "no pictures of refracting specimens"
        return (
            f"{len(self._refracting)} crops, a share of {self.settings.refracting_share:g}, of blood smears and algae "
            "(MIT) and of cytology (CC0), which are to be left as they are"
        )

    def _write_card(self, path: Path, run: RunFacts) -> None:
        """Write the model card beside the weights."""
        settings = self.settings
        facts = {
            "Model": f"selector over {len(HYPOTHESES)} physical operators (0.5 to 4.75 um by 0.25 um, three noise "
            f"levels), {settings.width} channels, quarter resolution, with spectra of 32 um windows",
            "Output": "weights of the operators; never pixels",
            "Data": f"{settings.pool} simulated defocused crops from {self._crops} sharp crops of real sections "
            f"(CC0, Apache-2.0, BSD-3, free use): {_shares()}; 0-{settings.max_z_um:g} um; 0.25 and 0.5 um/px; "
            + self._left_alone(),
            "Split": f"by image; the figures are of {settings.judged_fields} fields of held-out images",
        } | run.rows(path)
        write_card(
            path.with_suffix(".md"), "fast refocusing engine: operator selector", facts, self._figures(path), LIMITS
        )

    def _figures(self, path: Path) -> str:
        """The whole engine (selector, operators, guards) on held-out images, as a section of the card."""
        if self.evaluator is None:
            return "None were taken."
        engine, folder = FastRefocuser(path), data_folder(self._data)
        rows = self.evaluator.held_out_fields(engine, folder, self.settings.judged_fields)
        return (
            "Held-out images, simulated defocus at 0.25 um/px, one plane, refocused blind to all in focus; PSNR in "
            "dB:\n\n| defocus | noise | before | after | worst field | SSIM before | SSIM after |\n"
            "|---|---|---|---|---|---|---|\n"
        ) + "\n".join(
            f"| {row['z_um']:g} um | {row['noise']:g} | {row['psnr_before']:.2f} | {row['psnr_auto']:.2f} "
            f"| {row['worst_gain_auto']:+.2f} | {row['ssim_before']:.3f} | {row['ssim_auto']:.3f} |"
            for row in rows
        )


def _shares() -> str:
    names = {"plain": "defocus and white noise only", "thin": "thin through random scanners"}
    names |= {"lifted": "lifted to thick sections", "phantom": "drawn phantoms"}
    return ", ".join(f"{share:.0%} {names[kind]}" for kind, share in SHARES.items())


LIMITS = (
    "Bright-field sections at 0.2-0.6 um/px and |z| up to 4 um. One plane cannot tell its side of focus, nor bring "
    "back what the lens did not pass. A blur below about 0.75 um is left alone, so that images in focus are; between "
    "that and 1 um, and in thick sections, an image that is in focus but soft may still be sharpened by the automatic "
    "target; at z = 0 the scan is always returned as it is. Specimens that refract (smears) are not sharpened where "
    "the selector knows them or rims brighter than glass give them away; the thresholds of that guard, of what counts "
    "as empty glass, and the rules for refracting specimens in several planes were set with real stacks and pictures "
    "of the evaluation data in view, so these are no independent evidence for them. Sharpening raises the grain and "
    "blocks of strong JPEG compression (quality 75 and below). Not for fluorescence. Research use only; every pixel it "
    "makes is synthesised and marked so."
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
            LabConfig(steps=6000, seed=30, batch=12, learning_rate=2e-3, weight_decay=1e-3, clip=1.0, precision="bf16"),
        )
    ]
