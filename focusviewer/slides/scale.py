"""The scale of slides whose files do not state it: given once by the user, then remembered by content."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, config_dir
from focusviewer.core.json_text import from_json_text
from focusviewer.slides.base import PLAUSIBLE_MPP, Slide, SlideInfo, mpp_from_power, usable_mpp

_lock = threading.Lock()


_Z_STEP = "/z_step_um"
"""Follows the fingerprint in the key of a z step."""


class ScaleStore:
    """Pixel sizes and z steps the user has given, by fingerprint, in ``scales.json`` of the settings folder."""

    def get(self, fingerprint: str) -> float | None:
        """Microns per pixel the user has given for this content, or None."""
        with _lock:
            value = self._load().get(fingerprint)
        return usable_mpp(value) if isinstance(value, int | float) else None

    def get_step(self, fingerprint: str) -> float | None:
        """Microns between focal planes the user has given for this content, or None."""
        with _lock:
            value = self._load().get(fingerprint + _Z_STEP)
        return float(value) if isinstance(value, int | float) and 0 < value < 1000 else None

    def set(self, fingerprint: str, mpp: float, z_step_um: float | None = None) -> None:
        """Remember a pixel size, and the distance between the planes of a stack if it was given.

        Raises
        ------
        UserError
            If it is implausible or the settings folder cannot be written to.
        """
        checked_mpp(mpp)
        with _lock:
            scales = self._load()
            scales[fingerprint] = mpp
            if z_step_um is not None:
                scales[fingerprint + _Z_STEP] = z_step_um
            with atomic_write(config_dir() / "scales.json") as temporary:
                temporary.write_text(json.dumps(scales, indent=1, sort_keys=True), encoding="utf-8")

    def _load(self) -> dict[str, object]:
        try:
            loaded = from_json_text((config_dir() / "scales.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a lost scale is asked for again
            return {}
        return loaded if isinstance(loaded, dict) else {}


def checked_mpp(mpp: float) -> float:
    """``mpp`` when a light microscope can have it.

    Raises
    ------
    UserError
        Otherwise.
    """
    if usable_mpp(mpp) is None:
        low, high = PLAUSIBLE_MPP
        raise UserError(
            f"{mpp:g} um per pixel is not plausible", f"slides have {low:g} to {high:g}", "Check the value."
        )
    return float(mpp)


def mpp_of_magnification(magnification: float) -> float:
    """Usual pixel size at a magnification.

    Raises
    ------
    UserError
        If it is implausible.
    """
    mpp = mpp_from_power(magnification)
    if usable_mpp(mpp) is None:
        raise UserError(
            f"A magnification of {magnification:g}x is not plausible", "slides have 2x to 100x", "Check the value."
        )
    assert mpp is not None
    return mpp


def stepped_planes(info: SlideInfo, step_um: float) -> tuple[float, ...]:
    """Focal positions (um) of a slide's planes at equal distances, from the lowest; missing planes keep their place."""
    ranks = {z: rank for rank, z in enumerate(sorted({*info.planes_um, *info.missing_um}))}
    return tuple(round(ranks[z] * step_um, 6) for z in info.planes_um)


def with_step(info: SlideInfo, step_um: float) -> SlideInfo:
    """The facts of a stack whose planes lie ``step_um`` apart, zero at the one that is shown first."""
    placed = stepped_planes(info, step_um)
    middle = placed[len(placed) // 2]
    gaps = stepped_planes(replace(info, planes_um=info.missing_um, missing_um=info.planes_um), step_um)
    return replace(
        info,
        planes_um=tuple(round(z - middle, 6) for z in placed),
        missing_um=tuple(round(z - middle, 6) for z in gaps),
        z_step_known=True,
    )


def with_scale(slide: Slide, mpp: float | None, planes_um: Sequence[float] | None = None) -> None:
    """Give an open slide the scale that its file lacks.

    Parameters
    ----------
    slide : Slide
        Its ``info`` is replaced.
    mpp : float or None
        Microns per level-0 pixel; None leaves it as it is.
    planes_um : sequence of float, optional
        Focal positions of the planes, increasing.

    Raises
    ------
    UserError
        If the values are implausible or do not fit the number of planes.
    """
    info = slide.info
    if mpp is not None:
        info = replace(info, mpp=checked_mpp(mpp))
    if planes_um is not None:
        positions = tuple(float(z) for z in planes_um)
        if len(positions) != len(info.planes_um) or any(b <= a for a, b in pairwise(positions)):
            raise UserError(
                f"These focal positions do not fit {slide.name}",
                f"it has {len(info.planes_um)} planes, which need as many increasing positions",
                "",
            )
        info = replace(info, planes_um=positions, z_step_known=True)
    slide.info = info
