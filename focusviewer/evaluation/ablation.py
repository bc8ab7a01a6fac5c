"""The ablation of the radiance network: the same small network trained for the same steps with one thing changed.

After Wang 2024, section 5.3.3: without the 3-D consistency loss, with maximum or mean in place of cross-attention
pooling, with the plain form of DISTS; and, for us, with the adversarial loss. Runs are short, so differences are those
of a beginning, not of an end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from focusviewer.evaluation.tables.table import Column, Row, Table
from focusviewer.metrics import bootstrap_interval, dists_form, ms_ssim, psnr, ssim
from focusviewer.training.catalogue import build, find_entry
from focusviewer.training.common import data_folder
from focusviewer.training.data.stack_bank import VALIDATION_SHARE, StackBank, StackBankConfig, draw_case, stack_bank
from focusviewer.training.lab import train
from focusviewer.training.tasks.radiance.cases import CasePlan, assemble, believed_tissue
from focusviewer.training.tasks.radiance.checks import nearest_plane
from focusviewer.training.tasks.radiance.task import RadianceSettings, RadianceTask

INPUTS = 3
"""Planes given, as in Wang 2024."""

FIELDS, FIELDS_PX = 24, 192
"""Held-out fields for the figures, and their side: MS-SSIM needs 176 px."""

_SEED = 62

VARIANTS: dict[str, dict[str, object]] = {
    "full": {},
    "no consistency": {"consistency": 0.0},
    "max pooling": {"pooling": "max"},
    "mean pooling": {"pooling": "mean"},
    "plain DISTS": {"distance": "plain-dists"},
    "with adversarial loss": {"adversarial": 1.0},
}
"""What each variant changes."""

COLUMNS = (
    Column("variant", "variant"),
    Column("steps", "steps"),
    Column("psnr", "PSNR, dB", 2, "high"),
    Column("ssim", "SSIM", 4, "high"),
    Column("ms_ssim", "MS-SSIM", 4, "high"),
    Column("dists", "DISTS form", 4, "low"),
    Column("over_nearest", "over the nearest plane, dB", 2, "high"),
    Column("over_full", "over full, dB", 2, "high"),
)
NOTE = (
    f"Size tiny, equal steps, batches and seed; {INPUTS} planes given, the nearest 0.5 um or more from the target, the "
    f"tissue's depth told with errors. {FIELDS} held-out simulated fields, one target each; gains are means over the "
    "same fields; intervals: 95 %, drawn by picture. The DISTS form looks through fixed derivatives, so that no "
    "variant has trained on it."
)


def ablation_table(
    data: Path | None,
    out: Path,
    steps: int = 300,
    variants: tuple[str, ...] = tuple(VARIANTS),
    progress: Callable[[str], object] = print,
) -> Table:
    """Train and evaluate the variants.

    Parameters
    ----------
    data : Path or None
        Folder of training data; see :func:`focusviewer.training.common.data_folder`.
    out : Path
        A folder for the runs; those that are there already are gone on with.
    steps : int
        Of every run.
    progress : callable
        Told the name of each run that begins.
    """
    fields = StackBankConfig(fields=FIELDS * VALIDATION_SHARE, crop_px=FIELDS_PX, seed=_SEED)
    bank = stack_bank(data_folder(data), "validation", fields)
    plans = evaluation_cases(bank)
    before = picture_figures(bank, plans, None)
    rows: list[Row] = [{"variant": "the nearest plane as it is", "steps": 0} | _summary(bank, before, before)]
    full: dict[str, np.ndarray] | None = None
    for name in variants:
        progress(name)
        task = trained(data, name, out / name.replace(" ", "-"), steps)
        figures = picture_figures(bank, plans, task)
        row = {"variant": name, "steps": steps} | _summary(bank, figures, before)
        if name == "full":
            full = figures
        elif full is not None:
            row |= _gain(bank, figures, full, "over_full")
        rows.append(row)
    return Table("refocus-ablation", "Ablation of the radiance network", COLUMNS, tuple(rows), NOTE)


def trained(data: Path | None, variant: str, out: Path, steps: int) -> RadianceTask:
    """A variant's run; the task holds its weights afterwards."""
    entry = find_entry("radiance", "tiny")
    settings = replace(entry.settings, judged=6, judged_finally=6, **VARIANTS[variant])  # validated on more stacks here
    assert isinstance(settings, RadianceSettings)
    task = build(entry, data, settings)
    assert isinstance(task, RadianceTask)
    config = entry.defaults.overridden(steps=steps, validations=1)
    train(task, config, out, resume=(out / f"{task.name}.checkpoint").exists())
    return task


def evaluation_cases(bank: StackBank) -> list[CasePlan]:
    """One case of every stack."""
    plans = []
    for row in range(len(bank)):
        rng = np.random.default_rng((_SEED, row))
        given, target = draw_case(bank, row, INPUTS, rng)
        tissue_um = believed_tissue(bank.z_um[row][given], bank.recorded.shape[2], rng)
        plans.append(CasePlan(row, given, given, target, 1.0, tissue_um, following=False))
    return plans


@torch.no_grad()
def picture_figures(bank: StackBank, plans: list[CasePlan], task: RadianceTask | None) -> dict[str, np.ndarray]:
    """Figures of every case, rendered by a network or taken from the nearest plane: arrays (N,) by name."""
    figures: dict[str, list[float]] = {"psnr": [], "ssim": [], "ms_ssim": [], "dists": []}
    for plan in plans:
        cases = assemble(bank, [plan], np.zeros((1, 2), np.int64), bank.recorded.shape[2])
        if task is None:
            made = nearest_plane(cases.given, cases.target)
        else:
            made = task.net(cases.given.images, cases.given.defocus, cases.target).clamp(0, 1)
        picture, wanted = (part[0].permute(1, 2, 0).double().numpy() for part in (made, cases.wanted))
        for name, figure in (("psnr", psnr), ("ssim", ssim), ("ms_ssim", ms_ssim), ("dists", dists_form)):
            figures[name].append(figure(picture, wanted))
    return {name: np.asarray(values) for name, values in figures.items()}


def _summary(bank: StackBank, figures: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> dict[str, float]:
    """Means, and the gain in PSNR over the nearest plane."""
    return {name: float(values.mean()) for name, values in figures.items()} | _gain(
        bank, figures, before, "over_nearest"
    )


def _gain(
    bank: StackBank, figures: dict[str, np.ndarray], others: dict[str, np.ndarray], name: str
) -> dict[str, float]:
    """The mean difference in PSNR over the same fields, with its interval."""
    gain = figures["psnr"] - others["psnr"]
    interval = bootstrap_interval(lambda part: float(np.mean(part)), bank.source, gain)
    return {name: float(gain.mean()), f"{name}_low": interval.low, f"{name}_high": interval.high}
