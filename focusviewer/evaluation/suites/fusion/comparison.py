"""Score fusion against its members, against other ways to fuse, and with members that are only noise.

After Wang 2024, chapter 4: fusion is trained without labels; reciprocal rank fusion needs none
either, support vector regression and the cascade network do. "With noise" adds two members whose scores are random
numbers: a fusion that weighs its members well hardly changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.evaluation.suites.focus.simulated import intervals
from focusviewer.evaluation.suites.fusion.baselines import (
    CascadeFusion,
    SupportVectorFusion,
    reciprocal_rank_fusion,
    weighted_rank_fusion,
)
from focusviewer.evaluation.tables.table import Column, Table
from focusviewer.focus.fusion import VARIANTS
from focusviewer.metrics import srcc
from focusviewer.training.data.bank import FocusBank, banks_for
from focusviewer.training.lab import train
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.tasks.focus.networks import NetSettings
from focusviewer.training.tasks.fusion.scores import ScoreTable, score_table
from focusviewer.training.tasks.fusion.task import FusionSettings, FusionTask, entries

Floats = npt.NDArray[np.floating]

NOISE_MEMBERS = 2
COLUMNS = (
    Column("method", "method"),
    Column("labels", "learns from"),
    Column("mpp", "µm/px"),
    Column("srcc", "SRCC", 3, "high"),
    Column("srcc_noise", "SRCC with noise", 3, "high"),
    Column("over_best", "over the best member", 3, "high"),
    Column("us_per_score", "µs per score", 2, "low"),
)
NOTE = (
    "Crops of held-out pictures and phantoms that neither trained nor chose a state, true distance 0 to 5 µm. "
    "Interval: 95 %, drawn by picture. With noise: two members more, of random numbers. Time is that of fusing alone."
)


@dataclass(frozen=True)
class ScoreSplits:
    """Scores of one scale: windows for training, for choosing a state (validation), and for the figures (test)."""

    mpp: float
    train: ScoreTable
    validation: ScoreTable
    test: ScoreTable
    groups: npt.NDArray[np.int32]

    def with_noise(self) -> ScoreSplits:
        """The same with members of random numbers."""
        tables = (self.train, self.validation, self.test)
        noisy = [table.with_noise(NOISE_MEMBERS, seed) for seed, table in enumerate(tables)]
        return replace(self, train=noisy[0], validation=noisy[1], test=noisy[2])


class _GivenScores(FusionTask):
    """Fusion of scores that are there already."""

    def __init__(self, name: str, splits: ScoreSplits) -> None:
        super().__init__(name, None, replace(FusionSettings(), members=splits.train.members, scales=(splits.mpp,)))
        self._splits = splits

    def prepare(self, config: LabConfig) -> None:
        """Take the scores."""
        self.learn_from(self._splits.mpp, self._splits.train.scores, self._splits.validation, config)


def load_splits(data: Path, settings: FusionSettings | None = None) -> list[ScoreSplits]:
    """The members' scores at every scale; computed once (minutes), then kept in the cache folder."""
    own, usual = settings or FusionSettings(), NetSettings()
    banks = banks_for(data, "train", usual.scales, usual.crops)
    unseen = banks_for(data, "validation", usual.scales, usual.held_out)
    return [_splits(mpp, banks[mpp], unseen[mpp], own) for mpp in own.scales]


def _splits(mpp: float, bank: FocusBank, unseen: FocusBank, own: FusionSettings) -> ScoreSplits:
    train = score_table(bank, mpp, own.members, own.windows)
    held_out = score_table(unseen, mpp, own.members, own.held_out)
    groups = np.asarray(unseen.source[: len(held_out.scores)])
    in_test = np.isin(groups, np.unique(groups)[1::2])  # every second picture: none is on both sides
    return ScoreSplits(mpp, train, _rows(held_out, ~in_test), _rows(held_out, in_test), groups[in_test])


def _rows(table: ScoreTable, pick: npt.NDArray[np.bool_]) -> ScoreTable:
    return ScoreTable(table.members, table.scores[pick], table.levels[pick])


def evaluate_fusion(splits: ScoreSplits, steps: int | None = None) -> list[dict[str, Any]]:
    """Evaluate every member, every baseline and every kind of fusion at one scale.

    Parameters
    ----------
    steps : int, optional
        Training steps of each fusion; those of ``focusviewer train fusion`` when missing.

    Returns
    -------
    One row a method: SRCC with its interval, the same with members of random numbers, the gain over the best single
    member, and microseconds a fused score.
    """
    noisy = splits.with_noise()
    rows = [
        _row(splits, member, "-", splits.test.scores[:, index]) for index, member in enumerate(splits.train.members)
    ]
    best = max(row["srcc"] for row in rows)
    for name, labels, method in _methods(steps):
        fused, seconds = method(splits)
        row = _row(splits, name, labels, fused)
        row |= {
            "srcc_noise": srcc(method(noisy)[0], splits.test.levels),
            "over_best": row["srcc"] - best,
            "us_per_score": 1e6 * seconds / len(fused),
        }
        rows.append(row)
    return rows


def _row(splits: ScoreSplits, method: str, labels: str, scores: Floats) -> dict[str, Any]:
    figures = intervals({"srcc": srcc}, splits.groups, (np.asarray(scores), splits.test.levels))
    return {"method": method, "labels": labels, "mpp": splits.mpp, **figures}


_Method = Callable[[ScoreSplits], tuple[Floats, float]]
"""Fused scores of the test windows, and the seconds that took."""


def _methods(steps: int | None) -> list[tuple[str, str, _Method]]:
    methods: list[tuple[str, str, _Method]] = [
        ("RRF", "nothing", lambda splits: _timed(lambda: reciprocal_rank_fusion(splits.test.scores))),
        ("weighted RRF", "nothing", lambda splits: _timed(lambda: weighted_rank_fusion(splits.test.scores)[0])),
        ("SVR", "labels", lambda splits: _supervised(SupportVectorFusion(), splits)),
        ("cascade", "labels", lambda splits: _supervised(CascadeFusion(), splits)),
    ]
    return methods + [(variant.name, "scores", _fusion(variant.name, steps)) for variant in VARIANTS]


def _supervised(learner: SupportVectorFusion | CascadeFusion, splits: ScoreSplits) -> tuple[Floats, float]:
    fitted = learner.fit(splits.train.scores, splits.train.levels)
    return _timed(lambda: fitted.predict(splits.test.scores))


def _fusion(name: str, steps: int | None) -> _Method:
    defaults = next(entry.defaults for entry in entries() if entry.model == name)

    def method(splits: ScoreSplits) -> tuple[Floats, float]:
        task = _GivenScores(name, splits)
        config = replace(defaults, steps=steps or defaults.steps, device="cpu")
        with TemporaryDirectory() as folder:
            train(task, config, Path(folder))
        fuser = task.fuser(splits.mpp)
        return _timed(lambda: fuser.fuse(splits.test.scores).scores)

    return method


def _timed(fuse: Callable[[], Floats]) -> tuple[Floats, float]:
    """The better of three runs."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        fused = fuse()
        seconds.append(time.perf_counter() - start)
    return fused, min(seconds)


def fusion_table(splits: list[ScoreSplits], on_progress: Callable[[float], None] | None = None) -> Table:
    """The table of ``focusviewer evaluate fusion``."""
    rows: list[dict[str, Any]] = []
    for index, each in enumerate(splits):
        rows += evaluate_fusion(each)
        if on_progress is not None:
            on_progress((index + 1) / len(splits))
    return Table("focus-fusion", "Score fusion", COLUMNS, tuple(rows), NOTE)
