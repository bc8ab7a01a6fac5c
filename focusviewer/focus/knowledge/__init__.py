"""Knowledge-based focus models: MaxPol family, phase coherence, sparse coding, the classical detector's map.

MLV, another of them, is one of the measures (``focus/measures/__init__.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from focusviewer.core.files import resource_path
from focusviewer.focus.base import FocusModel, ModelEntry

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
_WEIGHTS = {"sparish": "sparish.safetensors", "hifst": "hifst.json"}


def entries() -> list[ModelEntry]:
    """Registry lines of the knowledge-based models."""
    return [
        ModelEntry(name, "focus", _builder(name), summary, _weights(name), trained=name in _WEIGHTS)
        for name, summary in _SUMMARIES.items()
    ]


def _builder(name: str) -> Callable[[], FocusModel]:
    def build() -> FocusModel:
        from focusviewer.focus.knowledge import maxpol_models
        from focusviewer.focus.knowledge.detector import HiFST
        from focusviewer.focus.knowledge.gpc import GlobalPhaseCoherence
        from focusviewer.focus.knowledge.lpc import LocalPhaseCoherence
        from focusviewer.focus.knowledge.sparish import Sparish

        makers: dict[str, Callable[[], FocusModel]] = {
            "fqpath": maxpol_models.FQPath,
            "hvs-maxpol-1": lambda: maxpol_models.HVSMaxPol(1),
            "hvs-maxpol-2": lambda: maxpol_models.HVSMaxPol(2),
            "synthetic-maxpol": maxpol_models.SyntheticMaxPol,
            "lpc": LocalPhaseCoherence,
            "gpc": GlobalPhaseCoherence,
            "hifst": HiFST,
            "sparish": lambda: Sparish(resource_path("weights", _WEIGHTS["sparish"])),
        }
        return makers[name]()

    return build


def _weights(name: str) -> Path | None:
    try:
        return resource_path("weights", _WEIGHTS[name])
    except (FileNotFoundError, KeyError):
        return None
