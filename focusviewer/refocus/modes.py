"""What can be asked for, by name: every mode is a target map for the same engine.

Deblurring, interpolation, defocus and all-in-focus differ only in the target focus (Wang 2024, section 5.2): one value
for all pixels, or one for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import FloatMap
from focusviewer.core.errors import UserError
from focusviewer.refocus.base import Encoded, Refocuser, acquired_plane
from focusviewer.refocus.provenance import z_text
from focusviewer.refocus.support import distance_um, is_within_reach

MODES = ("refocus", "assume", "deblur", "all-in-focus", "interpolate", "extrapolate", "defocus", "map")

NEEDS_Z = ("refocus", "assume", "interpolate", "extrapolate", "defocus")
"""Modes that need a focus position; ``deblur`` takes one that has been found before."""

TARGETS = {
    "assume": "assumed distance",
    "deblur": "best focus",
    "all-in-focus": "all in focus",
    "map": "focus map",
}
"""What files say of the target of a mode; of all others "one focus"."""

_NEARLY = 1e-6


@dataclass(frozen=True)
class RefocusRequest:
    """The focus that is asked for.

    Attributes
    ----------
    mode : str
        One of MODES.
    z_um : float or None
        Position of the focal plane, um, for the modes in NEEDS_Z. For ``assume`` the tissue is taken to lie there if it
        is above the one plane; below it, at the plane, which is blurred on purpose.
    map_um : float32 (H, W) or None
        Position for each pixel: the target of ``map``, the measured depth of the tissue for ``all-in-focus``.
    """

    mode: str
    z_um: float | None = None
    map_um: FloatMap | None = None


def assumed_distance_um(planes_um: Sequence[float], z_um: float) -> float:
    """How far the mode ``assume`` takes the tissue to lie from the one plane: 0 where it blurs on purpose."""
    return max(z_um - planes_um[0], 0.0)


def focus_text(mode: str, z_um: float, planes_um: Sequence[float], unit: str = "µm") -> str:
    """The one focus of a picture for people: its position, or what the mode ``assume`` took for granted."""
    if mode != "assume" or acquired_plane(planes_um, z_um) is not None:
        return f"z = {z_text(z_um, unit)}"
    distance = z_um - planes_um[0]
    return f"blurred by {-distance:.2f} {unit}" if distance < 0 else f"assumed {distance:.2f} {unit} from focus"


def assumption(mode: str, planes_um: Sequence[float], z_um: float | None) -> dict[str, float]:
    """What files of the mode ``assume`` say beside their focus; nothing for the others."""
    if mode != "assume" or z_um is None:
        return {}
    return {"assumed_distance_um": assumed_distance_um(planes_um, z_um)}


def encoded_for(engine: Refocuser, encoded: Encoded, request: RefocusRequest) -> Encoded:
    """What a request is rendered from: the view as it was encoded, or as the mode ``assume`` takes it to lie.

    Raises
    ------
    UserError
        If the view has several planes, or the distance is out of reach.
    """
    if request.mode != "assume":
        return encoded
    check_request(request, encoded.planes_um, engine.max_z_um)
    assert request.z_um is not None
    return engine.assume(encoded, assumed_distance_um(encoded.planes_um, request.z_um))


def target_of(engine: Refocuser, encoded: Encoded, request: RefocusRequest) -> float | FloatMap:
    """Turn a request into the target to render, from what :func:`encoded_for` gives.

    Returns
    -------
    float or float32 (H, W)
        um, on the axis of the planes.

    Raises
    ------
    UserError
        If the mode does not apply to this view (interpolation outside the planes ...), or lies out of reach.
    """
    check_request(request, encoded.planes_um, engine.max_z_um)
    if request.map_um is not None and request.map_um.shape != encoded.shape:
        raise UserError("The map does not fit", f"it is {request.map_um.shape}, the view {encoded.shape}", "")
    if request.mode == "defocus" and request.z_um is not None:
        check_defocus(request.z_um, encoded.best_z_um, encoded.planes_um)
    if request.mode in NEEDS_Z or (request.mode == "deblur" and request.z_um is not None):
        assert request.z_um is not None
        return request.z_um
    if request.mode == "deblur":
        from focusviewer.refocus.auto import best_z

        low, high = reach_um(encoded.planes_um, engine.max_z_um)
        return best_z(engine, encoded, low, high)
    if request.map_um is not None:
        return request.map_um
    return engine.all_in_focus_target(encoded)


def reach_um(planes_um: tuple[float, ...], max_z_um: float) -> tuple[float, float]:
    """Lowest and highest target that planes can be refocused to, um."""
    return min(planes_um) - max_z_um, max(planes_um) + max_z_um


def check_request(request: RefocusRequest, planes_um: tuple[float, ...], max_z_um: float) -> None:
    """Refuse a request that no view through these planes can fulfil; needs no pixels.

    Raises
    ------
    UserError
    """
    if request.mode not in MODES:
        raise UserError(f"No mode is called {request.mode!r}", "", f"Choose one of: {', '.join(MODES)}.")
    if request.mode in NEEDS_Z and request.z_um is None:
        raise UserError(f"{request.mode} needs a focus position", "none was given", "Give it in um.")
    if request.mode == "map" and request.map_um is None:
        raise UserError("No target map was given", "", "Give the focus of each pixel in um.")
    if request.z_um is not None:
        _check_position(request, planes_um)
    wanted = request.z_um if request.map_um is None else request.map_um
    if wanted is None:
        return
    if not np.isfinite(wanted).all():
        raise UserError(f"Cannot refocus in mode {request.mode}", "the target is not a number everywhere", "")
    check_reach(wanted, planes_um, max_z_um)


def check_reach(wanted: float | FloatMap, planes_um: tuple[float, ...], max_z_um: float) -> None:
    """Refuse a target farther from the planes than the engine is made for.

    Raises
    ------
    UserError
    """
    distance = distance_um(planes_um, wanted)
    if is_within_reach(distance, max_z_um):
        return
    what = f"to {wanted:g} um" if isinstance(wanted, (int, float)) else "as the map asks"
    raise UserError(
        f"Cannot refocus {what}",
        f"refocusing reaches {max_z_um:g} um from an acquired plane, this is {distance:.3g} um away",
        "Ask for a nearer focus.",
    )


def _check_position(request: RefocusRequest, planes_um: tuple[float, ...]) -> None:
    """Whether the position lies where the mode's name says."""
    assert request.z_um is not None
    if request.mode == "assume" and len(planes_um) > 1:
        raise UserError(
            "Cannot assume a distance from focus",
            f"the {len(planes_um)} planes tell where the tissue lies",
            "Name one plane, or use the mode refocus.",
        )
    low, high = min(planes_um), max(planes_um)
    inside = low <= request.z_um <= high
    acquired = f"the planes lie from {low:g} to {high:g} um" if high > low else f"the one plane lies at {low:g} um"
    if request.mode == "interpolate" and (high == low or not inside):
        raise UserError(f"Cannot interpolate at {request.z_um:g} um", acquired, "Interpolate between acquired planes.")
    if request.mode == "extrapolate" and inside:
        raise UserError(f"Cannot extrapolate to {request.z_um:g} um", acquired, "Extrapolate beyond them.")


def check_defocus(z_um: float, depth_um: float, planes_um: tuple[float, ...]) -> None:
    """Defocus synthesis goes away from the tissue, or it would be deblurring under another name.

    Parameters
    ----------
    depth_um : float
        Where most of the tissue lies.

    Raises
    ------
    UserError
    """
    nearest = min(planes_um, key=lambda plane: abs(plane - z_um))
    if abs(z_um - depth_um) + _NEARLY < abs(nearest - depth_um):
        raise UserError(
            f"{z_um:g} um is no defocus",
            f"the tissue lies near {depth_um:.2g} um, and the plane at {nearest:g} um is farther from it",
            "Go the other way, or use the mode refocus.",
        )
