"""Published data sets on this machine, when ``FOCUSVIEWER_DATASETS`` points to them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.focus.simulated import correlation_figures, intervals
from focusviewer.evaluation.suites.refocus.planes import Planes, evaluate_refocus_planes
from focusviewer.focus.base import FocusModel
from focusviewer.metrics import pr_auc, roc_auc
from focusviewer.refocus.base import Refocuser
from focusviewer.training.datasets import (
    Dataset,
    datasets_root,
    find_datasets,
    focal_stacks,
    focus_images,
    open_dataset,
)


@dataclass(frozen=True)
class DataSets:
    """What was found: data sets that can be used, and why others cannot."""

    usable: tuple[Dataset, ...]
    refused: tuple[tuple[str, str], ...]


def present_datasets(root: Path | None = None) -> DataSets:
    """The published data sets below a folder (or ``FOCUSVIEWER_DATASETS``); none when neither is given."""
    folder = datasets_root(root)
    usable, refused = [], []
    for path, entry in find_datasets(folder) if folder else []:
        if entry is None:
            continue
        try:
            usable.append(open_dataset(path, entry.about.name))
        except UserError as error:
            refused.append((entry.about.title, str(error)))
    return DataSets(tuple(usable), tuple(refused))


def held_out_split(dataset: Dataset) -> str:
    """The split to evaluate on: the test side where the data set has one, else everything."""
    return "test" if dataset.select("test") else "all"


def some_of(dataset: Dataset, split: str, limit: int) -> Dataset:
    """The data set with at most ``limit`` records of a split, evenly chosen; its stacks stay whole."""
    records = dataset.select(split)
    if len(records) > limit:
        records = tuple(records[i] for i in np.linspace(0, len(records) - 1, limit).astype(int))
    part = copy.copy(dataset)
    part.records = records
    return part


def evaluate_focus_dataset(model: FocusModel, dataset: Dataset, limit: int) -> dict[str, Any]:
    """Score images of a data set and compare with its truth.

    Returns
    -------
    One row. Levels: every figure of :func:`correlation_figures`. Labels and masks: ROC-AUC and PR-AUC.
    Intervals by slide.
    """
    split = held_out_split(dataset)
    part = some_of(dataset, split, limit)
    mpp = part.records[0].mpp
    scored = [(model.score(image.pixels, mpp), image.truth, image.slide) for image in focus_images(part)]
    scores, truth, slides = (np.array(column) for column in zip(*scored, strict=True))
    row = {"dataset": dataset.name, "model": model.name, "split": split, "images": len(scored)}
    row["slides"] = len(set(slides.tolist()))
    if dataset.about.truth == "level":
        return row | correlation_figures(scores, truth, slides, model.absolute)
    return row | intervals({"roc_auc": roc_auc, "pr_auc": pr_auc}, slides, (scores, truth > 0.5))


def evaluate_refocus_dataset(
    engine: Refocuser, dataset: Dataset, limit: int, crop_px: int = 512
) -> list[dict[str, Any]]:
    """Refocus planes of a data set's stacks from others of the same stack; see :func:`evaluate_refocus_planes`."""
    rows = evaluate_refocus_planes(engine, _planes(dataset, limit, crop_px))
    return [{"dataset": dataset.name, **row} for row in rows]


def _planes(dataset: Dataset, limit: int, crop_px: int) -> Iterator[Planes]:
    split = held_out_split(dataset)
    names = list(dict.fromkeys(record.stack for record in dataset.select(split) if record.stack is not None))
    chosen = {names[i] for i in np.linspace(0, len(names) - 1, min(limit, len(names))).astype(int)} if names else set()
    part = copy.copy(dataset)
    part.records = tuple(record for record in dataset.select(split) if record.stack in chosen)
    for stack in focal_stacks(part):
        if not stack.z_known or stack.reference is None:
            raise UserError(f"{stack.name} has no known focal positions")
        planes = stack.planes
        y, x = (max(0, (side - crop_px) // 2) for side in planes.shape[1:3])
        cut = planes[:, y : y + crop_px, x : x + crop_px]
        yield Planes(cut, stack.z_um, stack.reference, stack.slide, stack.mpp or 0.25)
