"""Scores of many focus models on the crops of a bank: what fusion learns from. Computed once, kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.files import atomic_write, cache_dir
from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.registry import get_model
from focusviewer.training.bank import FocusBank
from focusviewer.training.focus import bank_identity

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
        True distance from focus in levels of 0.25 um. Only for judging: fusion is trained without it.
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
    models = [get_model(name) for name in members]
    count = min(count, len(bank))
    about = [bank_identity(bank), mpp, count, [[model.name, model.version] for model in models]]
    path = cache_dir() / f"fusion-scores-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return ScoreTable(tuple(members), stored["scores"], stored["levels"])

    def judge(index: int) -> list[float]:
        crop = np.array(bank.images[index])
        side = max(model.window_px for model in models)
        start = (crop.shape[0] - side) // 2
        crop = crop[start : start + side, start : start + side]
        return [float(model.score_windows(crop, mpp).scores.mean()) for model in models]

    def prepare() -> None:
        for model in models:
            model.start_thread()

    with ThreadPoolExecutor(_THREADS, initializer=prepare) as pool:
        rows = list(pool.map(judge, range(count)))
    table = ScoreTable(tuple(members), np.array(rows, np.float32), (bank.z_um[:count] / LEVEL_UM).astype(np.float32))
    with atomic_write(path) as temporary:
        np.savez(temporary, scores=table.scores, levels=table.levels)
    return table
