"""Trains FocusLiteNN (1, 2 and 10 kernels) on simulated focal stacks of real sharp patches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from focusviewer.files import cache_dir
from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.focuslitenn import FocusLiteNN, FocusLiteNNModule, save_weights
from focusviewer.training.common import (
    Budget,
    TrainingLog,
    augment,
    cosine,
    data_folder,
    file_digest,
    hardware,
    write_card,
)
from focusviewer.training.evaluation import evaluate_focus_simulated
from focusviewer.training.phantoms import phantom_crops
from focusviewer.training.simulator import DefocusSimulator
from focusviewer.training.sources import load_sources, sharp_crops

CROP_PX = 237  # a 235 px window and the pixel around it that the padding of 1 looks at
MAX_Z_UM = 5.0
SCALES = {0.25: (0.6, 0.8), 0.5: (0.4, 0.75)}  # um per pixel: numerical apertures that scan at it


@dataclass(frozen=True)
class FocusConfig:
    """Settings of one training; ``minutes`` is per scale, and all kernel counts learn from the same batches."""

    minutes: float = 8.0
    seed: int = 20
    batch: int = 32
    pool: int = 6000  # simulated crops of real patches, made once per scale: making one costs ten times a step on it
    phantoms: int = 5000  # crops of phantom sections
    learning_rate: float = 1e-2
    kernels: tuple[int, ...] = (1, 2, 10)
    validation_batches: int = 24
    judged_seeds: tuple[int, ...] = (901, 902)  # simulated slides for the model card


class DefocusBatches:
    """Endless (crops, levels) batches: random patches at random defocus."""

    def __init__(self, crops: np.ndarray, mpp: float, config: FocusConfig, seed: int) -> None:
        self.crops, self.mpp, self.config, self.seed = crops, mpp, config, seed
        self.simulator = DefocusSimulator(seed, na_range=SCALES[mpp], max_noise=0.012)

    def next(self) -> tuple[Tensor, Tensor]:
        """One batch: float32 (B, 3, 237, 237) in 0..1 and the true levels (B,)."""
        generator, count = self.simulator.generator, self.config.batch
        pick = torch.randint(len(self.crops), (count,), generator=generator)
        sharp = torch.from_numpy(self.crops[pick.numpy()]).permute(0, 3, 1, 2).float() / 255
        sharp = augment(sharp, generator)
        uniform = torch.rand(count, generator=generator)
        z_um = torch.where(uniform < 0.12, 0.0, torch.rand(count, generator=generator) * MAX_Z_UM)
        sign = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
        draw = self.simulator.draw(count)
        light = self.simulator.tone(sharp, draw)
        blurred = self.simulator.defocus(light, draw, z_um * sign, self.mpp)
        image = self.simulator.record(self.simulator.untone(blurred, draw), draw)
        start = int(torch.randint(image.shape[2] - CROP_PX + 1, (1,), generator=generator))
        return image[:, :, start : start + CROP_PX, start : start + CROP_PX], z_um / LEVEL_UM


class Pool:
    """Simulated crops kept as bytes, to be drawn from again and again."""

    def __init__(self, batches: DefocusBatches, config: FocusConfig) -> None:
        real = -(-config.pool // config.batch) * config.batch
        crops, distances = phantom_crops(
            config.phantoms, CROP_PX, batches.mpp, SCALES[batches.mpp], MAX_Z_UM, batches.seed
        )
        self.images = torch.empty((real + len(crops), 3, CROP_PX, CROP_PX), dtype=torch.uint8)
        self.levels = torch.cat([torch.empty(real), distances / LEVEL_UM])
        self.images[real:] = crops
        for start in range(0, real, config.batch):
            images, levels = batches.next()
            self.images[start : start + config.batch] = (images * 255).round()
            self.levels[start : start + config.batch] = levels
        self.generator = batches.simulator.generator

    def next(self, count: int) -> tuple[Tensor, Tensor]:
        """A random batch: float32 (count, 3, 237, 237) in 0..1 and the levels (count,)."""
        pick = torch.randint(len(self.levels), (count,), generator=self.generator)
        return augment(self.images[pick].float() / 255, self.generator), self.levels[pick]


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman rank correlation of two flat arrays."""
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


@torch.no_grad()
def validate(models: dict[int, FocusLiteNNModule], batches: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """SRCC and mean absolute error (um) of each model on fixed batches."""
    truth = torch.cat([levels for _, levels in batches]).numpy()
    figures = {}
    for kernels, model in models.items():
        scores = torch.cat([model(images) for images, _ in batches]).numpy()
        figures[f"srcc{kernels}"] = spearman(scores, truth)
        figures[f"mae_um{kernels}"] = float(np.abs(scores - truth).mean() * LEVEL_UM)
    return figures


def _train_scale(
    mpp: float, train: np.ndarray, held_out: np.ndarray, config: FocusConfig, log: TrainingLog
) -> tuple[dict[int, FocusLiteNNModule], dict[str, float]]:
    torch.manual_seed(config.seed)
    models = {kernels: FocusLiteNNModule(kernels) for kernels in config.kernels}
    optimiser = torch.optim.Adam([p for model in models.values() for p in model.parameters()], config.learning_rate)
    pool = Pool(DefocusBatches(train, mpp, config, config.seed), config)
    checks = DefocusBatches(held_out, mpp, config, config.seed + 1)
    validation = [checks.next() for _ in range(config.validation_batches)]
    best: dict[int, tuple[float, dict[str, Tensor]]] = {}
    budget, step, next_check, figures = Budget(config.minutes), 0, 0.1, {}
    while budget.progress < 1.0:
        for group in optimiser.param_groups:
            group["lr"] = cosine(budget.progress, config.learning_rate)
        images, levels = pool.next(config.batch)
        loss = torch.stack(
            [torch.nn.functional.smooth_l1_loss(model(images) / 4, levels / 4) for model in models.values()]
        ).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        step += 1
        if budget.progress >= next_check:
            next_check += 0.1
            figures = validate(models, validation)
            log.add({"mpp": mpp, "step": step, "seconds": budget.seconds, "loss": float(loss.detach())} | figures)
            for kernels, model in models.items():
                error = figures[f"mae_um{kernels}"]
                if kernels not in best or error < best[kernels][0]:
                    best[kernels] = (error, {name: value.clone() for name, value in model.state_dict().items()})
    for kernels, (_, state) in best.items():
        models[kernels].load_state_dict(state)
    return models, validate(models, validation) | {"steps": step}


def train_focus(data: Path | None, out: Path, config: FocusConfig | None = None) -> dict[str, Path]:
    """Train every FocusLiteNN and write ``<name>.safetensors`` with its model card to ``out``.

    Method: FocusLiteNN (Wang et al. 2020), y = <w1, max> + <w2, min> over one 7x7 stride-5 convolution; smooth L1 on
    focus levels of 0.25 um, so that the score is absolute; Adam.

    Returns
    -------
    dict of model name to weights file.

    Raises
    ------
    UserError
        If the data folder or the output folder cannot be used.
    """
    config = config or FocusConfig()
    folder = data_folder(data)
    train = sharp_crops(load_sources(folder, "train"), 256)
    held_out = sharp_crops(load_sources(folder, "validation"), 256)
    log = TrainingLog(out / "focuslitenn.csv")
    trained: dict[int, dict[float, FocusLiteNNModule]] = {kernels: {} for kernels in config.kernels}
    results = {}
    for mpp in SCALES:
        models, results[mpp] = _train_scale(mpp, train, held_out, config, log)
        for kernels, model in models.items():
            trained[kernels][mpp] = model
    written = {}
    for kernels in config.kernels:
        path = out / f"focuslitenn-{kernels}.safetensors"
        save_weights(path, trained[kernels])
        write_focus_card(path, kernels, config, results, (len(train), len(held_out)))
        written[path.stem] = path
    return written


def write_focus_card(
    path: Path, kernels: int, config: FocusConfig, results: dict[float, dict[str, float]], crops: tuple[int, int]
) -> None:
    """Judge a trained model on simulated slides and write its model card beside the weights."""
    facts = {
        "Model": f"FocusLiteNN, {kernels} kernel(s) of 7x7x3, stride 5, one set of weights for each scale",
        "Output": "focus levels of 0.25 um, larger is blurrier",
        "Data": f"{crops[0]} sharp 256 px crops of real sections (CC0, Apache-2.0, BSD-3, free use), blurred by "
        "simulated scalar-diffraction defocus of 0-5 um, random optics, tone, noise, JPEG; and about as many crops of "
        "tissue phantoms (thick sections)",
        "Split": f"by image; {crops[1]} crops of held-out images for validation",
        "Command": f"focusviewer train focus --minutes {config.minutes:g} --seed {config.seed}",
        "Hardware, time": f"{hardware()}; {config.minutes:g} min per scale for all kernel counts together, "
        "plus making the crops",
        "Weights": f"SHA-256 begins {file_digest(path)}",
    }
    rows = [
        f"| {mpp:g} um/px | {r[f'srcc{kernels}']:.3f} | {r[f'mae_um{kernels}']:.2f} um | {r['steps']:.0f} |"
        for mpp, r in results.items()
    ]
    figures = (
        "Crops of held-out images, simulated defocus:\n\n| scale | SRCC | mean error | steps |\n|---|---|---|---|\n"
    )
    judged = evaluate_focus_simulated(FocusLiteNN(path.stem, path), cache_dir(), config.judged_seeds)
    slides = (
        "\n\nWhole simulated slides of phantoms not trained on:\n\n| slide | tissue windows | SRCC |\n|---|---|---|\n"
    )
    slides += "\n".join(f"| {row['slide']} | {row['tissue_windows']} | {row['srcc']:.3f} |" for row in judged)
    limits = (
        "Trained on simulated defocus of stained sections. The order of scores transfers to real focal stacks; their "
        "absolute scale does not without calibration (other magnifications and soft optics read higher at best "
        "focus). Not for fluorescence. Research use only."
    )
    write_card(path.with_suffix(".md"), path.stem, facts, figures + "\n".join(rows) + slides, limits)
