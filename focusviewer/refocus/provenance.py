"""What a synthesised picture says about itself, so that it is never taken for a scan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer import __version__
from focusviewer.core.arrays import FloatMap
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus.base import Refocuser, acquired_plane
from focusviewer.slides.base import SlideInfo
from focusviewer.slides.marks import STATEMENT, computed_pixels


def z_text(z_um: float, unit: str = "µm") -> str:
    """A position on the focus axis for people, the same everywhere: signed, with the two decimals of the knob.

    Planes at finer steps than 0.01 um get a third. Files and terminals, which may know ASCII only, take ``um``.
    """
    rounded = round(z_um, 2)
    if abs(rounded - z_um) < 5e-4:
        return f"{rounded:+.2f} {unit}" if rounded else f"0.00 {unit}"
    return f"{z_um:+.3f} {unit}"


def provenance(
    engine: Refocuser,
    source: SlideInfo,
    planes: Sequence[int],
    planes_um: Sequence[float],
    target: float | FloatMap | str,
    mpp: float,
    region: Sequence[int],
    profile: OpticsProfile | None = None,
) -> dict[str, Any]:
    """Everything that is needed to make a picture again, and to know it for what it is.

    Parameters
    ----------
    engine : Refocuser
    source : SlideInfo
        The slide: its name, the hash of its content, and whether its own pixels were computed already.
    planes : sequence of int
        Planes of the source that went in.
    planes_um : sequence of float
        Their positions, um.
    target : float, float32 (H, W) or str
        The focus asked for in um, for all pixels or for each; or words for one that followed from the pixels.
    mpp : float
        Pixel size of the picture, um.
    region : sequence of int
        x, y, width, height in level-0 pixels.
    profile : OpticsProfile, optional
        Measured optics of the scanner; said where the engine works with them.

    Returns
    -------
    dict
        Of JSON's types only. ``synthesised`` is False where the target is one of the planes, whose pixels are given as
        they were scanned; a plane of a file of computed pixels never is (``source_computed`` says so).
    """
    z_um = float(target) if isinstance(target, (int, float, np.floating)) else None
    computed = computed_pixels(source)
    acquired = computed is None and z_um is not None and acquired_plane(planes_um, z_um) is not None
    facts: dict[str, Any] = {
        "statement": "acquired plane, as scanned" if acquired else STATEMENT,
        "software": f"FocusViewer {__version__}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source.path.name,
        "fingerprint": source.fingerprint,
        "engine": engine.name,
        "engine_version": engine.version,
        "weights_sha256": weights_sha256(engine.name),
        "target": target if isinstance(target, str) else "one focus" if z_um is not None else "focus map",
        "z_um": z_um,
        "synthesised": not acquired,
        "region": [int(value) for value in region],
        "planes": [int(plane) for plane in planes],
        "planes_um": [float(plane) for plane in planes_um],
        "mpp": float(mpp),
    }
    if computed is not None:
        facts["source_computed"] = computed
    if profile is not None and engine.uses_profile and not acquired:
        facts["optics_profile"] = {"scanner": profile.scanner, "digest": profile.digest, "optics": profile.story()}
    if isinstance(target, np.ndarray):
        facts["z_range_um"] = [float(target.min()), float(target.max())]
    return facts


def weights_sha256(name: str) -> str | None:
    """SHA-256 of the weights an engine uses, in hexadecimal; None for an engine without weights."""
    from focusviewer.refocus.registry import baselines, engines

    for entry in [*engines(), *baselines()]:
        if entry.name == name and entry.weights is not None and entry.weights.exists():
            return _sha256(entry.weights, entry.weights.stat().st_mtime_ns)
    return None


@lru_cache(maxsize=16)
def _sha256(path: Path, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
