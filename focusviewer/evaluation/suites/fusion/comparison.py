"""Score fusion against its members, against other ways to fuse, and with members that say nothing.

After chapter 4 of the thesis on virtual focus: fusion is trained without labels; reciprocal rank fusion needs none
either, support vector regression and the cascade network do. "With noise" adds two members whose scores are random
numbers: a fusion that knows whom to believe hardly changes.
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
class Halves:
    """Scores of one scale: windows to learn from, to choose a state by, and to judge on."""

    mpp: float
    known: ScoreTable
    choosing: ScoreTable
    judged: ScoreTable
    groups: npt.NDArray[np.int32]

    def with_noise(self) -> Halves:
        """The same with members of random numbers."""
        tables = (self.known, self.choosing, self.judged)
        noisy = [table.with_noise(NOISE_MEMBERS, seed) for seed, table in enumerate(tables)]
        return replace(self, known=noisy[0], choosing=noisy[1], judged=noisy[2])


class _GivenScores(FusionTask):
    """Fusion of scores that are there already."""

    def __init__(self, name: str, halves: Halves) -> None:
        super().__init__(name, None, replace(FusionSettings(), members=halves.known.members, scales=(halves.mpp,)))
        self._halves = halves

    def prepare(self, config: LabConfig) -> None:
        """Take the scores."""
        self.learn_from(self._halves.mpp, self._halves.known.scores, self._halves.choosing, config)


def load_halves(data: Path, settings: FusionSettings | None = None) -> list[Halves]:
    """The members' scores at every scale; computed once (minutes), then kept in the cache folder."""
    own, usual = settings or FusionSettings(), NetSettings()
    banks = banks_for(data, "train", usual.scales, usual.crops)
    unseen = banks_for(data, "validation", usual.scales, usual.held_out)
    return [_halves(mpp, banks[mpp], unseen[mpp], own) for mpp in own.scales]


def _halves(mpp: float, bank: FocusBank, unseen: FocusBank, own: FusionSettings) -> Halves:
    known = score_table(bank, mpp, own.members, own.windows)
    held_out = score_table(unseen, mpp, own.members, own.held_out)
    groups = np.asarray(unseen.source[: len(held_out.scores)])
    judging = np.isin(groups, np.unique(groups)[1::2])  # every second picture: none is on both sides
    return Halves(mpp, known, _rows(held_out, ~judging), _rows(held_out, judging), groups[judging])


def _rows(table: ScoreTable, pick: npt.NDArray[np.bool_]) -> ScoreTable:
    return ScoreTable(table.members, table.scores[pick], table.levels[pick])


def evaluate_fusion(halves: Halves, steps: int | None = None) -> list[dict[str, Any]]:
    """Judge every member, every baseline and every kind of fusion at one scale.

    Parameters
    ----------
    steps : int, optional
        Training steps of each fusion; those of ``focusviewer train fusion`` when missing.

    Returns
    -------
    One row a method: SRCC with its interval, the same with members of random numbers, the gain over the best single
    member, and microseconds a fused score.
    """
    noisy = halves.with_noise()
    rows = [
        _row(halves, member, "-", halves.judged.scores[:, index]) for index, member in enumerate(halves.known.members)
    ]
    best = max(row["srcc"] for row in rows)
    for name, labels, method in _methods(steps):
        fused, seconds = method(halves)
        row = _row(halves, name, labels, fused)
        row |= {
            "srcc_noise": srcc(method(noisy)[0], halves.judged.levels),
            "over_best": row["srcc"] - best,
            "us_per_score": 1e6 * seconds / len(fused),
        }
        rows.append(row)
    return rows


def _row(halves: Halves, method: str, labels: str, scores: Floats) -> dict[str, Any]:
    figures = intervals({"srcc": srcc}, halves.groups, (np.asarray(scores), halves.judged.levels))
    return {"method": method, "labels": labels, "mpp": halves.mpp, **figures}


_Method = Callable[[Halves], tuple[Floats, float]]
"""Fused scores of the judged windows, and the seconds that took."""


def _methods(steps: int | None) -> list[tuple[str, str, _Method]]:
    methods: list[tuple[str, str, _Method]] = [
        ("RRF", "nothing", lambda halves: _timed(lambda: reciprocal_rank_fusion(halves.judged.scores))),
        ("weighted RRF", "nothing", lambda halves: _timed(lambda: weighted_rank_fusion(halves.judged.scores)[0])),
        ("SVR", "labels", lambda halves: _supervised(SupportVectorFusion(), halves)),
        ("cascade", "labels", lambda halves: _supervised(CascadeFusion(), halves)),
    ]
    return methods + [(variant.name, "scores", _fusion(variant.name, steps)) for variant in VARIANTS]


def _supervised(learner: SupportVectorFusion | CascadeFusion, halves: Halves) -> tuple[Floats, float]:
    fitted = learner.fit(halves.known.scores, halves.known.levels)
    return _timed(lambda: fitted.predict(halves.judged.scores))


def _fusion(name: str, steps: int | None) -> _Method:
    defaults = next(entry.defaults for entry in entries() if entry.model == name)

    def method(halves: Halves) -> tuple[Floats, float]:
        task = _GivenScores(name, halves)
        config = replace(defaults, steps=steps or defaults.steps, device="cpu")
        with TemporaryDirectory() as folder:
            train(task, config, Path(folder))
        fuser = task.fuser(halves.mpp)
        return _timed(lambda: fuser.fuse(halves.judged.scores).scores)

    return method


def _timed(fuse: Callable[[], Floats]) -> tuple[Floats, float]:
    """The better of three runs."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        fused = fuse()
        seconds.append(time.perf_counter() - start)
    return fused, min(seconds)


def fusion_table(halves: list[Halves], on_progress: Callable[[float], None] | None = None) -> Table:
    """The table of ``focusviewer evaluate fusion``."""
    rows: list[dict[str, Any]] = []
    for index, each in enumerate(halves):
        rows += evaluate_fusion(each)
        if on_progress is not None:
            on_progress((index + 1) / len(halves))
    return Table("focus-fusion", "Score fusion", COLUMNS, tuple(rows), NOTE)
