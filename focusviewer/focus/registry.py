"""The registry of focus models: every name, what it is, and how to build it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from focusviewer.core.registry import ModelEntry, Registry, trained_entry
from focusviewer.focus import fusion, knowledge, networks
from focusviewer.focus.base import FocusModel
from focusviewer.focus.measures import MEASURES, Measure

DEFAULT_MODEL = "focuslitenn-10"


def models() -> list[ModelEntry[FocusModel]]:
    """Every focus model, the ones to prefer first."""
    learned = [_focuslitenn(kernels) for kernels in (10, 2, 1)] + networks.entries() + fusion.entries(get_model)
    return learned + knowledge.entries() + [_measure(measure) for measure in MEASURES]


FOCUS_MODELS: Registry[FocusModel] = Registry("focus", "There is no focus model {name}", models)


def get_model(name: str) -> FocusModel:
    """Build a focus model.

    Raises
    ------
    UserError
        If there is no model of that name, or its weights are missing or unreadable.
    """
    return FOCUS_MODELS.get(name)


def _focuslitenn(kernels: int) -> ModelEntry[FocusModel]:
    name = f"focuslitenn-{kernels}"

    def build(weights: Path) -> FocusModel:
        from focusviewer.focus.networks.focuslitenn import FocusLiteNN  # brings torch

        return FocusLiteNN(name, weights)

    noun = "kernel" if kernels == 1 else "kernels"
    summary = f"FocusLiteNN, one convolution of {kernels} {noun}; distance from focus in levels of 0.25 um"
    return trained_entry(name, "focus", build, summary)


def _measure(measure: Measure) -> ModelEntry[FocusModel]:
    factory: Callable[[], FocusModel] = partial(_build_measure, measure)
    return ModelEntry(measure.name, "focus", factory, measure.summary)


def _build_measure(measure: Measure) -> FocusModel:
    from focusviewer.focus.measures import MeasureModel

    return MeasureModel(measure)
