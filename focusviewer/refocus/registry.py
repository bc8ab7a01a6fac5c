"""The refocusing engines by name."""

from __future__ import annotations

from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.focus.base import ModelEntry
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.baselines.catalogue import baselines

__all__ = ["DEFAULT_ENGINE", "baselines", "engines", "get_engine"]

DEFAULT_ENGINE = "fast"


def _weights(name: str) -> Path | None:
    try:
        return resource_path("weights", f"{name}.safetensors")
    except FileNotFoundError:
        return None


def _build_fast() -> Refocuser:
    from focusviewer.refocus.fast.engine import FastRefocuser

    weights = _weights("fast")
    if weights is None:
        raise UserError("The fast engine has no weights", "this installation lacks fast.safetensors", "Reinstall.")
    return FastRefocuser(weights)


def _build_radiance() -> Refocuser:
    from focusviewer.refocus.radiance.engine import RadianceRefocuser

    weights = _weights("radiance")
    if weights is None:
        raise UserError(
            "The radiance engine has no weights",
            "this installation lacks radiance.safetensors",
            "Use the fast engine, or train one with `focusviewer train radiance`.",
        )
    return RadianceRefocuser(weights)


def engines() -> list[ModelEntry]:
    """Every refocusing engine."""
    return [
        ModelEntry(
            "fast",
            "refocus",
            _build_fast,
            "Physical operators of the scanner's optics, mixed per place by a small network",
            _weights("fast"),
            trained=True,
        ),
        ModelEntry(
            "radiance",
            "refocus",
            _build_radiance,
            "Network that represents the tissue in depth from any number of planes, and draws any focus from it",
            _weights("radiance"),
            trained=True,
        ),
    ]


def get_engine(name: str = DEFAULT_ENGINE) -> Refocuser:
    """Build an engine by name, or one of the baselines that engines are compared with.

    Raises
    ------
    UserError
        If the name is unknown (lists the names) or its weights are missing.
    """
    for entry in [*engines(), *baselines()]:
        if entry.name == name:
            engine: Refocuser = entry.build()
            return engine
    names = ", ".join(entry.name for entry in engines())
    raise UserError(f"No refocusing engine is called {name!r}", "", f"Choose one of: {names}.")
