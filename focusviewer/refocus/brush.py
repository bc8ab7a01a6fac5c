"""Painting a target map: dabs of a soft brush, each with the focus it asks for; no window needed."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from focusviewer.core.arrays import FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.core.geometry import Box
from focusviewer.core.json_text import from_json_text

MAX_UNDO = 50
_KIND = "focus painting"


@dataclass
class _Stroke:
    """Dabs that are undone together: how far each pixel is covered, and the map before."""

    before: FloatMap
    cover: FloatMap
    z_um: float
    touched: Box | None = None


@dataclass(frozen=True)
class _Past:
    """What a stroke has replaced."""

    rect: Box
    values: FloatMap = field(repr=False)


class FocusPainting:
    """A target map that is painted.

    A stroke covers a place once, however often the brush passes over it, so that soft borders stay soft.

    Parameters
    ----------
    rect : (x, y, width, height)
        The region that is painted on, in level-0 pixels of the slide; the map has one value for each pixel.
    base_um : float or float32 (height, width)
        Focus where nothing is painted, um.
    """

    def __init__(self, rect: Box, base_um: float | FloatMap = 0.0) -> None:
        _, _, width, height = rect
        if width < 1 or height < 1:
            raise ValueError(f"a region of {width} x {height} pixels cannot be painted on")
        self.rect: Box = (int(rect[0]), int(rect[1]), int(width), int(height))
        self._map = np.array(np.broadcast_to(np.asarray(base_um, np.float32), (height, width)))
        self._stroke: _Stroke | None = None
        self._past: deque[_Past] = deque(maxlen=MAX_UNDO)

    def begin(self, z_um: float) -> None:
        """Put the brush down: dabs until :meth:`end` are one stroke, all to the focus ``z_um``."""
        self.end()
        self._stroke = _Stroke(self._map.copy(), np.zeros_like(self._map), float(z_um))

    def end(self) -> None:
        """Lift the brush."""
        stroke, self._stroke = self._stroke, None
        if stroke is not None and stroke.touched is not None:
            x0, y0, x1, y1 = stroke.touched
            self._past.append(_Past(stroke.touched, stroke.before[y0:y1, x0:x1].copy()))

    def dab(self, x: float, y: float, radius_px: float, z_um: float, softness: float = 0.5) -> Box | None:
        """Touch the map with the brush.

        Outside of a stroke, or with another focus than the stroke's, a dab is a stroke of its own.

        Parameters
        ----------
        x, y : float
            Centre, in level-0 pixels of the slide.
        radius_px : float
            Radius of the brush in level-0 pixels.
        z_um : float
            Focus asked for, um.
        softness : float
            Part of the radius over which the brush fades out, 0 to 1.

        Returns
        -------
        (x0, y0, x1, y1) or None
            What has changed, in pixels of the map; None beside it.

        Raises
        ------
        ValueError
            If a number is not finite or the radius not positive.
        """
        if not np.isfinite([x, y, radius_px, z_um, softness]).all() or radius_px <= 0:
            raise ValueError("a dab needs a finite place and focus, and a radius above 0")
        alone = self._stroke is None or self._stroke.z_um != float(z_um)
        if alone:
            self.begin(z_um)
        changed = self._touch(x - self.rect[0], y - self.rect[1], radius_px, float(np.clip(softness, 0, 1)))
        if alone:
            self.end()
        return changed

    def _touch(self, x: float, y: float, radius: float, softness: float) -> Box | None:
        stroke = self._stroke
        assert stroke is not None
        height, width = self._map.shape
        x0, x1 = max(0, int(np.floor(x - radius))), min(width, int(np.ceil(x + radius)) + 1)
        y0, y1 = max(0, int(np.floor(y - radius))), min(height, int(np.ceil(y + radius)) + 1)
        if x0 >= x1 or y0 >= y1:
            return None
        away = np.hypot(np.arange(x0, x1) + 0.5 - x, (np.arange(y0, y1) + 0.5 - y)[:, None]) / radius
        fading = np.clip((1 - away) / softness, 0, 1) if softness > 0 else (away <= 1).astype(np.float64)
        weight = (fading * fading * (3 - 2 * fading)).astype(np.float32)
        cover = stroke.cover[y0:y1, x0:x1]
        np.maximum(cover, weight, out=cover)
        self._map[y0:y1, x0:x1] = stroke.before[y0:y1, x0:x1] * (1 - cover) + np.float32(stroke.z_um) * cover
        rect = (x0, y0, x1, y1)
        stroke.touched = rect if stroke.touched is None else _around(stroke.touched, rect)
        return rect

    def undo(self) -> Box | None:
        """Take the last stroke back; returns what has changed, None when there is nothing to take back."""
        self.end()
        if not self._past:
            return None
        past = self._past.pop()
        x0, y0, x1, y1 = past.rect
        self._map[y0:y1, x0:x1] = past.values
        return past.rect

    def map(self) -> FloatMap:
        """The target map as it is now, um: float32 (height, width), a copy."""
        return self._map.copy()

    def save(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Write the map as ``.npy`` (for ``refocus --map``) and, beside it, what it belongs to as ``.json``.

        Raises
        ------
        UserError
            If they cannot be written, the name does not end in ``.npy``, or the ``.json`` is that of something else.
        """
        if path.suffix.lower() != ".npy":
            raise UserError(f"Cannot save {path}", f"unknown file type {path.suffix or '(none)'}", "Use .npy.")
        beside = path.with_suffix(".json")
        if beside.exists() and not _is_painting(beside):
            raise UserError(
                f"Cannot save {path}", f"{beside.name} beside it is no focus painting", "Choose another name."
            )
        about = {**(facts or {}), "kind": _KIND, "rect": list(self.rect), "unit": "um"}
        with atomic_write(path) as temporary:
            np.save(temporary, self._map)
        with atomic_write(beside) as temporary:
            temporary.write_text(json.dumps(about, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> FocusPainting:
        """Read what :meth:`save` has written; strokes cannot be undone any more.

        Raises
        ------
        UserError
            If one of the files is missing or holds something else.
        """
        try:
            about = from_json_text(path.with_suffix(".json").read_text(encoding="utf-8"))
            values = np.load(path, allow_pickle=False)
            x, y, width, height = (int(value) for value in about["rect"])
            if about["kind"] != _KIND or values.shape != (height, width) or not np.isfinite(values).all():
                raise ValueError("it holds something else")
            return cls((x, y, width, height), np.asarray(values, np.float32))
        except FileNotFoundError as error:
            missing = Path(str(error.filename)).name
            raise UserError(
                f"Cannot open {path}", f"there is no {missing}", "Choose the .npy beside a .json."
            ) from error
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"Cannot open {path}", f"it is no painted focus map ({error})", "") from error


def _is_painting(path: Path) -> bool:
    """Whether a ``.json`` is one that :meth:`FocusPainting.save` has written."""
    try:
        about = from_json_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("kind") == _KIND


def _around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
