"""Knowledge-based focus models: MaxPol family, phase coherence, sparse coding, the classical detector's map.

MLV, another of them, is one of the measures (``focus/measures/__init__.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from focusviewer.core.registry import ModelEntry, trained_entry
from focusviewer.focus.base import FocusModel

_SUMMARIES = {
    "fqpath": "FQPath: tail of the response to the inverse of a scanner's blur",
    "hvs-maxpol-1": "HVS-MaxPol, one kernel: tail of the response to a filter that boosts detail as the eye does",
    "hvs-maxpol-2": "HVS-MaxPol with two kernels",
    "synthetic-maxpol": "Synthetic-MaxPol: tails of the first and third derivative",
    "lpc": "LPC-SI: agreement of local phases across scales",
    "gpc": "global phase coherence: total variation against that of random phases, in closed form",
    "sparish": "SPARISH: energy of sparse codes over a dictionary of sharp tissue",
    "hifst": "HiFST: sorted high-frequency cosine coefficients, the blur map of the classical detector; 64 px windows",
}


def entries() -> list[ModelEntry[FocusModel]]:
    """Registry lines of the knowledge-based models."""
    return [_entry(name, summary) for name, summary in _SUMMARIES.items()]


def _entry(name: str, summary: str) -> ModelEntry[FocusModel]:
    if name == "sparish":
        return trained_entry(name, "focus", _sparish, summary)
    if name == "hifst":
        return trained_entry(name, "focus", _hifst, summary, file="hifst.json")
    factory: Callable[[], FocusModel] = partial(_untrained, name)
    return ModelEntry(name, "focus", factory, summary)


def _sparish(weights: Path) -> FocusModel:
    from focusviewer.focus.knowledge.sparish import Sparish

    return Sparish(weights)


def _hifst(weights: Path) -> FocusModel:
    from focusviewer.focus.knowledge.detector import HiFST, load_curve

    return HiFST(load_curve(weights))


def _untrained(name: str) -> FocusModel:
    from focusviewer.focus.knowledge import maxpol_models
    from focusviewer.focus.knowledge.gpc import GlobalPhaseCoherence
    from focusviewer.focus.knowledge.lpc import LocalPhaseCoherence

    makers: dict[str, Callable[[], FocusModel]] = {
        "fqpath": maxpol_models.FQPath,
        "hvs-maxpol-1": partial(maxpol_models.HVSMaxPol, 1),
        "hvs-maxpol-2": partial(maxpol_models.HVSMaxPol, 2),
        "synthetic-maxpol": maxpol_models.SyntheticMaxPol,
        "lpc": LocalPhaseCoherence,
        "gpc": GlobalPhaseCoherence,
    }
    return makers[name]()
