"""The registry of focus models: every name, what it is, and how to build it."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.focus import fusion, knowledge, networks
from focusviewer.focus.base import FocusModel, ModelEntry
from focusviewer.focus.measures import MEASURES, Measure

DEFAULT_MODEL = "focuslitenn-10"


def models() -> list[ModelEntry]:
    """Every focus model, the ones to prefer first."""
    learned = [_focuslitenn(kernels) for kernels in (10, 2, 1)] + networks.entries() + fusion.entries()
    return learned + knowledge.entries() + [_measure(measure) for measure in MEASURES]


def get_model(name: str) -> FocusModel:
    """Build a focus model.

    Raises
    ------
    UserError
        If there is no model of that name, or its weights are missing or unreadable.
    """
    entries = {entry.name: entry for entry in models()}
    entry = entries.get(name)
    if entry is None:
        close = get_close_matches(name, entries, 1)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise UserError(f"There is no focus model {name!r}", advice=f"{hint}Choose one of: {', '.join(entries)}.")
    if not entry.available:
        raise UserError(
            f"The weights of {name} are missing", f"this installation has no {name}.safetensors", "Reinstall it."
        )
    model: FocusModel = entry.build()
    return model


def _focuslitenn(kernels: int) -> ModelEntry:
    name = f"focuslitenn-{kernels}"
    weights = _weights(name)

    def build() -> FocusModel:
        from focusviewer.focus.networks.focuslitenn import FocusLiteNN  # brings torch

        assert weights is not None
        return FocusLiteNN(name, weights)

    noun = "kernel" if kernels == 1 else "kernels"
    summary = f"FocusLiteNN, one convolution of {kernels} {noun}; distance from focus in levels of 0.25 um"
    return ModelEntry(name, "focus", build, summary, weights, trained=True)


def _measure(measure: Measure) -> ModelEntry:
    return ModelEntry(measure.name, "focus", _builder(measure), measure.summary)


def _builder(measure: Measure) -> Callable[[], FocusModel]:
    def build() -> FocusModel:
        from focusviewer.focus.measures import MeasureModel

        return MeasureModel(measure)

    return build


def _weights(name: str) -> Path | None:
    try:
        return resource_path("weights", f"{name}.safetensors")
    except FileNotFoundError:
        return None
