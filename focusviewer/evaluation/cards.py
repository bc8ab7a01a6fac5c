"""The figures that ``focusviewer train`` puts on model cards: finished models on what they never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.core.files import cache_dir
from focusviewer.evaluation.suites.focus.simulated import evaluate_focus_simulated
from focusviewer.evaluation.suites.refocus.real_tissue import compared, evaluate_real_tissue, tissue_summary
from focusviewer.evaluation.suites.refocus.simulated import refocus_simulated_table
from focusviewer.evaluation.test_sets.real_tissue import RealPair, development_pairs, real_pairs
from focusviewer.focus.base import FocusModel
from focusviewer.refocus.base import Refocuser


class CardEvaluator:
    """The :class:`focusviewer.training.lab.evaluator.Evaluator` of the command line."""

    def simulated_slides(self, model: FocusModel, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Map whole simulated slides; see :func:`evaluate_focus_simulated`."""
        return evaluate_focus_simulated(model, cache_dir(), tuple(seeds))

    def held_out_fields(self, engine: Refocuser, data: Path, fields: int) -> list[dict[str, Any]]:
        """Refocus held-out fields; see :func:`refocus_simulated_table`."""
        return refocus_simulated_table(engine, data, fields)

    def real_gain(self, draw: Callable[[RGB], FloatArray], data: Path) -> dict[str, float]:
        """Draw the pairs of :func:`development_pairs`."""
        gains = []
        for pair in _development(data):
            scan, made = compared(pair.blurred, pair.sharp), compared(draw(pair.blurred), pair.sharp)
            gains.append((made["psnr"] - scan["psnr"], made["ssim"] - scan["ssim"]))
        if not gains:
            return {}
        decibel, similarity = (float(np.mean(column)) for column in zip(*gains, strict=True))
        worst = float(min(gain for gain, _ in gains))
        return {"real_gain": decibel, "real_ssim_gain": similarity, "real_worst": worst}

    def real_tissue(self, engine: Refocuser, data: Path) -> list[dict[str, Any]]:
        """Refocus real tissue; see :func:`tissue_summary`."""
        return tissue_summary(evaluate_real_tissue(engine, real_pairs(data)))


@lru_cache(maxsize=1)
def _development(data: Path) -> tuple[RealPair, ...]:
    return tuple(development_pairs(data))
