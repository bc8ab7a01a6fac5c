"""Scores of many focus models on the crops of a bank: what fusion learns from. Computed once, kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.files import atomic_write, cache_dir, output_folder
from focusviewer.core.json_text import json_digest
from focusviewer.focus.base import LEVEL_UM, FocusModel
from focusviewer.focus.registry import get_model
from focusviewer.training.data.bank import FocusBank
from focusviewer.training.tasks.focus.focuslitenn import bank_identity

Scores = npt.NDArray[np.float32]

_THREADS = 2


@dataclass(frozen=True)
class ScoreTable:
    """Scores of M models on N windows.

    Attributes
    ----------
    members : tuple of str
    scores : float32 (N, M)
        In each model's own unit, larger is blurrier.
    levels : float32 (N,)
        True distance from focus in levels of 0.25 um. Only for evaluation: fusion is trained without it.
    """

    members: tuple[str, ...]
    scores: Scores
    levels: Scores

    def with_noise(self, count: int, seed: int = 0) -> ScoreTable:
        """The table with ``count`` more members whose scores are random numbers."""
        noise = np.random.default_rng(seed).random((len(self.scores), count), np.float32)
        names = tuple(f"noise-{index + 1}" for index in range(count))
        return ScoreTable(self.members + names, np.concatenate([self.scores, noise], axis=1), self.levels)


def score_table(bank: FocusBank, mpp: float, members: Sequence[str], count: int) -> ScoreTable:
    """Scores of the windows in the middle of the first ``count`` crops of a bank.

    Raises
    ------
    UserError
        If a member is not known or its weights are missing.
    """
    count = min(count, len(bank))
    columns = [_member_scores(bank, mpp, get_model(name), count) for name in members]
    return ScoreTable(tuple(members), np.stack(columns, axis=1), (bank.z_um[:count] / LEVEL_UM).astype(np.float32))


def _member_scores(bank: FocusBank, mpp: float, model: FocusModel, count: int) -> Scores:
    """Scores of one member: float32 (count,); kept in the cache folder."""
    about = [bank_identity(bank), mpp, count, model.name, model.version]
    path = cache_dir() / "fusion" / f"{model.name}-{json_digest(about, 16)}.npy"
    if path.exists():
        return np.asarray(np.load(path, allow_pickle=False), np.float32)

    def member_score(index: int) -> float:
        crop = np.array(bank.images[index])
        start = (crop.shape[0] - model.window_px) // 2
        crop = crop[start : start + model.window_px, start : start + model.window_px]
        return float(model.score_windows(crop, mpp).scores[0, 0])

    with ThreadPoolExecutor(_THREADS, initializer=model.start_thread) as pool:
        scores = np.array(list(pool.map(member_score, range(count))), np.float32)
    output_folder(path.parent)
    with atomic_write(path) as temporary:
        np.save(temporary, scores)
    return scores
