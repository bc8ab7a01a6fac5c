"""The baselines by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from focusviewer.core.registry import ModelEntry, trained_entry
from focusviewer.refocus.base import Refocuser

KIND = "refocus-baseline"


def baselines() -> list[ModelEntry[Refocuser]]:
    """Every method that engines are compared with in the tables of ``evaluate``; the window does not offer them."""
    return [
        ModelEntry(
            "wiener-blind", KIND, _wiener, "Wiener filter in optical density at a distance estimated by a model"
        ),
        ModelEntry("richardson-lucy", KIND, _richardson_lucy, "Richardson-Lucy deconvolution at an estimated distance"),
        ModelEntry("unsharp", KIND, _unsharp, "unsharp masking, as wide as the estimated blur"),
        _learned("dfi", "U-net between two planes (DFI)"),
        _learned("linear-latent", "autoencoder, interpolated in its latent space (LinearLatent)"),
        _learned("restormer-small", "deblurring by attention between channels (Restormer)"),
        _learned("mprnet-small", "deblurring in stages that teach each other (MPRNet)"),
    ]


def _wiener() -> Refocuser:
    from focusviewer.refocus.baselines.wiener import WienerBlind

    return WienerBlind()


def _richardson_lucy() -> Refocuser:
    from focusviewer.refocus.baselines.richardson_lucy import RichardsonLucy

    return RichardsonLucy()


def _unsharp() -> Refocuser:
    from focusviewer.refocus.baselines.unsharp import Unsharp

    return Unsharp()


def _learned(name: str, summary: str) -> ModelEntry[Refocuser]:
    factory: Callable[[Path], Refocuser] = partial(_build_learned, name)
    return trained_entry(
        name,
        KIND,
        factory,
        summary,
        file=f"baselines/{name}.safetensors",
        advice=f"Train them: focusviewer train refocus --model {name}.",
    )


def _build_learned(name: str, weights: Path) -> Refocuser:
    from focusviewer.refocus.baselines.learned import DEBLURRERS, Deblurrer, Interpolator

    return Deblurrer(name, weights) if name in DEBLURRERS else Interpolator(name, weights)
