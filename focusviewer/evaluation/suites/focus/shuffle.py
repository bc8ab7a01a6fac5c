"""Shuffled weights: a model that has learned nothing, to show that the evaluation can tell good from bad."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.files import weights_from
from focusviewer.core.registry import AnyEntry
from focusviewer.evaluation.suites.focus.simulated import field_scores
from focusviewer.evaluation.test_sets.fields import BLURRY_LEVEL, FieldSet
from focusviewer.focus.base import FocusModel
from focusviewer.metrics import bootstrap_interval, roc_auc, srcc


@contextmanager
def shuffled_weights(weights: Path, seed: int) -> Iterator[None]:
    """Inside the block, the model of this weights file is built with the values of each tensor in random order."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    rng = np.random.default_rng(seed)
    tensors = {
        name: rng.permutation(tensor.ravel()).reshape(tensor.shape) for name, tensor in load_file(weights).items()
    }
    with safe_open(weights, framework="numpy") as file:
        metadata = file.metadata()
    with tempfile.TemporaryDirectory() as folder:
        save_file(tensors, Path(folder) / weights.name, metadata)
        with weights_from(Path(folder)):
            yield


def evaluate_shuffled(
    name: str, entries: Callable[[], list[AnyEntry]], fields: FieldSet, shuffles: int = 10
) -> dict[str, Any]:
    """Evaluate a model and shuffles of its weights on the simulated test stacks.

    A shuffled network is still a random filter, and random filters see contrast: single shuffles correlate with
    focus, in either direction. What chance means is that their mean does not.

    Returns
    -------
    One row: figures of the trained weights (``trained_srcc``, ``trained_roc_auc``), mean over shuffles with its
    interval (``srcc``, ``roc_auc``), and the share of shuffles that do at least as well as training
    (``as_good``; small when training has taught something).

    Raises
    ------
    UserError
        If the model has no weights to shuffle.
    """
    entry = next(entry for entry in entries() if entry.name == name)
    if not entry.trained or entry.weights is None or not entry.weights.exists():
        raise UserError(f"{name} has no weights to shuffle")
    trained = _figures(entry.build(), fields)
    drawn = []
    for seed in range(shuffles):
        with shuffled_weights(entry.weights, seed):
            model = next(entry for entry in entries() if entry.name == name).build()
        drawn.append(_figures(model, fields))
    row: dict[str, Any] = {"model": name, "shuffles": shuffles}
    for index, figure in enumerate(("srcc", "roc_auc")):
        values = np.array([pair[index] for pair in drawn])
        low, high = bootstrap_interval(np.mean, np.arange(shuffles), values)
        row |= {figure: float(values.mean()), f"{figure}_low": low, f"{figure}_high": high}
        row[f"trained_{figure}"] = trained[index]
    row["as_good"] = float(np.mean([pair[0] >= trained[0] for pair in drawn]))
    return row


def _figures(model: FocusModel, fields: FieldSet) -> tuple[float, float]:
    """SRCC and ROC-AUC; a model that gives one score to everything is at chance level, not without a figure."""
    scores, levels = field_scores(model, fields).ravel(), np.abs(fields.levels).ravel()
    rank = srcc(scores, levels)
    return (rank if np.isfinite(rank) else 0.0), roc_auc(scores, levels >= BLURRY_LEVEL)
