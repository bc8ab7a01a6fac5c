"""The four kinds of fusion by name. Light: nothing is loaded until one is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.registry import ModelEntry, trained_entry
from focusviewer.focus.base import FocusModel

GetModel = Callable[[str], FocusModel]

FUSED = ("fqpath", "hvs-maxpol-1", "hvs-maxpol-2", "synthetic-maxpol", "lpc", "gpc", "sparish")
"""The knowledge-based models whose scores are fused: those of Wang 2024, table 4.7."""


@dataclass(frozen=True)
class FusionVariant:
    """One kind of fusion.

    Attributes
    ----------
    ranks : bool
        Fuse normalised ranks instead of scores.
    score_level : bool
        Let each model's noise depend on the score (besides that of the model as a whole).
    """

    name: str
    summary: str
    ranks: bool
    score_level: bool


VARIANTS: tuple[FusionVariant, ...] = (
    FusionVariant("fusion-rf-ms", "fused ranks of seven models, noise of scores and models; 0..1", True, True),
    FusionVariant("fusion-sf-ms", "fused scores of seven models, noise of scores and models; 0..1", False, True),
    FusionVariant("fusion-rf-m", "fused ranks of seven models, noise of models; 0..1", True, False),
    FusionVariant("fusion-sf-m", "fused scores of seven models, noise of models; 0..1", False, False),
)


def fusion_variant(name: str) -> FusionVariant:
    """The kind of fusion of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    known = ", ".join(variant.name for variant in VARIANTS)
    raise UserError(f"There is no fusion {name!r}", advice=f"Choose one of: {known}.")


def entries(get_model: GetModel) -> list[ModelEntry[FocusModel]]:
    """The lines of the model registry for fused models.

    Parameters
    ----------
    get_model : callable (name) -> FocusModel
        Builds the models whose scores are fused.
    """
    return [_entry(variant, get_model) for variant in VARIANTS]


def _entry(variant: FusionVariant, get_model: GetModel) -> ModelEntry[FocusModel]:
    def build(weights: Path) -> FocusModel:
        from focusviewer.focus.fusion.model import FusionModel

        return FusionModel(variant.name, weights, get_model)

    return trained_entry(variant.name, "focus", build, variant.summary)
