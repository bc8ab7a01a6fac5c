"""The refocusing engines by name."""

from __future__ import annotations

from pathlib import Path

from focusviewer.core.registry import ModelEntry, Registry, trained_entry
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.baselines.catalogue import baselines

__all__ = ["DEFAULT_ENGINE", "ENGINES", "baselines", "engines", "get_engine"]

DEFAULT_ENGINE = "learned"


def engines() -> list[ModelEntry[Refocuser]]:
    """Every refocusing engine."""
    return [
        trained_entry(
            "learned",
            "refocus",
            _build_learned,
            "Network that mixes Wiener filters of the view pixel by pixel; optics give every other focus",
            advice="Use the fast engine, or train one with `focusviewer train refocus --model learned`.",
        ),
        trained_entry(
            "fast",
            "refocus",
            _build_fast,
            "Physical operators of the scanner's optics, mixed per place by a small network",
        ),
        trained_entry(
            "radiance",
            "refocus",
            _build_radiance,
            "Network that represents the tissue in depth from any number of planes, and draws any focus from it",
            advice="Use the fast engine, or train one with `focusviewer train radiance`.",
            is_slow=True,
        ),
        ModelEntry(
            "wiener",
            "refocus",
            _build_wiener,
            "Textbook Wiener filter for the whole view, at the distance that a focus measure reads; nothing learned",
        ),
    ]


ENGINES: Registry[Refocuser] = Registry("refocus", "No refocusing engine is called {name}", engines, baselines)
"""Engines are offered to people; the baselines they are compared with are found by name only."""


def get_engine(name: str = DEFAULT_ENGINE) -> Refocuser:
    """Build an engine by name, or one of the baselines that engines are compared with.

    Raises
    ------
    UserError
        If the name is unknown (lists the names) or its weights are missing.
    """
    return ENGINES.get(name)


def _build_fast(weights: Path) -> Refocuser:
    from focusviewer.refocus.fast.engine import FastRefocuser

    return FastRefocuser(weights)


def _build_learned(weights: Path) -> Refocuser:
    from focusviewer.refocus.learned.engine import LearnedRefocuser

    return LearnedRefocuser(weights)


def _build_wiener() -> Refocuser:
    from focusviewer.refocus.wiener.engine import WienerRefocuser

    return WienerRefocuser()


def _build_radiance(weights: Path) -> Refocuser:
    from focusviewer.refocus.radiance.engine import RadianceRefocuser

    return RadianceRefocuser(weights)
