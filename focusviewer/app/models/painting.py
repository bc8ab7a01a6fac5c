"""A focus map painted with a brush: strokes on the slide, drawn at whatever resolution is asked for; no Qt here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.app.models.refocus import Box, Painted
from focusviewer.errors import UserError
from focusviewer.files import atomic_write
from focusviewer.refocus.base import FloatMap

Point = tuple[float, float]

MAP_PX = 2048
"""Longest side of a map in a file; it is stretched over the slide."""

STEP = 0.2
"""Points of a stroke that are nearer than this part of its radius are one."""


@dataclass(frozen=True)
class Stroke:
    """One sweep of the brush.

    Attributes
    ----------
    points : tuple of (x, y)
        Level-0 pixels.
    radius : float
        Level-0 pixels.
    z_um : float
        Focus that is painted.
    softness : float
        Part of the radius, 0 to 1, over which the stroke fades out.
    """

    points: tuple[Point, ...]
    radius: float
    z_um: float
    softness: float

    def draw(self, target: FloatMap, box: Box) -> None:
        """Draw over a map of a region (level-0 pixels)."""
        x0, y0, width, height = box
        rows, cols = target.shape
        across, down = width / cols, height / rows
        points = np.asarray(self.points, np.float64)
        low, high = points.min(axis=0) - self.radius, points.max(axis=0) + self.radius
        c0, c1 = _between((low[0] - x0) / across, (high[0] - x0) / across, cols)
        r0, r1 = _between((low[1] - y0) / down, (high[1] - y0) / down, rows)
        if c0 >= c1 or r0 >= r1:
            return
        x = x0 + (np.arange(c0, c1) + 0.5) * across
        y = y0 + (np.arange(r0, r1) + 0.5) * down
        weight = self._weight(_distance(points, x, y))
        part = target[r0:r1, c0:c1]
        part += (np.float32(self.z_um) - part) * weight

    def _weight(self, distance: npt.NDArray[np.float64]) -> FloatMap:
        """1 inside, 0 outside, smooth between them."""
        fade = max(self.softness * self.radius, 1e-6)
        part = np.clip((self.radius - distance) / fade, 0, 1)
        return np.asarray(part * part * (3 - 2 * part), np.float32)


def _between(low: float, high: float, count: int) -> tuple[int, int]:
    return max(0, int(np.floor(low))), min(count, int(np.ceil(high)) + 1)


def _distance(
    points: npt.NDArray[np.float64], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance of every place from a line through points: (rows, columns)."""
    best = np.full((y.size, x.size), np.inf)
    starts, ends = (points, points) if len(points) == 1 else (points[:-1], points[1:])
    for (ax, ay), (bx, by) in zip(starts, ends, strict=True):
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        along = np.clip(((x[None] - ax) * dx + (y[:, None] - ay) * dy) / length, 0, 1) if length else 0.0
        np.minimum(best, (x[None] - ax - along * dx) ** 2 + (y[:, None] - ay - along * dy) ** 2, out=best)
    return np.asarray(np.sqrt(best))


@dataclass(frozen=True)
class PaintedMap:
    """A painting as it was at some moment; any thread may draw it."""

    strokes: tuple[Stroke, ...]
    home_um: float

    def map_um(self, box: Box, shape: tuple[int, int]) -> FloatMap:
        """Focus over a region in um: float32 of the shape (H, W)."""
        target = np.full(shape, self.home_um, np.float32)
        for stroke in self.strokes:
            stroke.draw(target, box)
        return target


class Painting:
    """Strokes in the order they were made."""

    def __init__(self, strokes: tuple[Stroke, ...] = ()) -> None:
        self._strokes = list(strokes)

    def __len__(self) -> int:
        return len(self._strokes)

    def begin(self, x: float, y: float, z_um: float, radius: float, softness: float) -> None:
        """Put the brush down."""
        self._strokes.append(Stroke(((x, y),), radius, z_um, softness))

    def extend(self, x: float, y: float) -> None:
        """Draw the brush on."""
        last = self._strokes[-1]
        if np.hypot(x - last.points[-1][0], y - last.points[-1][1]) >= STEP * last.radius:
            self._strokes[-1] = Stroke((*last.points, (x, y)), last.radius, last.z_um, last.softness)

    def undo(self) -> None:
        """Take back the last stroke, if there is one."""
        del self._strokes[-1:]

    def clear(self) -> None:
        """Take back all strokes."""
        self._strokes.clear()

    def copy(self) -> Painting:
        """Make a painting that does not change when this one does."""
        return Painting(tuple(self._strokes))

    def snapshot(self, home_um: float) -> Painted:
        """What is painted now, with the focus of all other places."""
        return PaintedMap(tuple(self._strokes), home_um)


def save_painting(path: Path, painting: Painting, size: tuple[int, int], home_um: float, fingerprint: str) -> None:
    """Write a painting: its strokes, and the map ``target_um`` over the whole slide that other programs read.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    snapshot = painting.snapshot(home_um)
    shrink = max(1.0, max(size) / MAP_PX)
    target = snapshot.map_um((0, 0, *size), (max(1, round(size[1] / shrink)), max(1, round(size[0] / shrink))))
    strokes = json.dumps([asdict(stroke) for stroke in painting.copy()._strokes])
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, target_um=target, strokes=strokes, size=size, fingerprint=fingerprint)


def load_painting(path: Path, size: tuple[int, int]) -> Painting:
    """Read a painting; one of a slide of another size is stretched over this one.

    Raises
    ------
    UserError
        If the file holds none.
    """
    what = f"Cannot read the painted focus map {path.name}"
    try:
        with np.load(path, allow_pickle=False) as stored:
            strokes, old = json.loads(str(stored["strokes"])), [float(value) for value in stored["size"]]
        return Painting(tuple(_stroke(values, size[0] / old[0], size[1] / old[1]) for values in strokes))
    except FileNotFoundError as error:
        raise UserError(what, "there is no such file", "Choose another file.") from error
    except (KeyError, ValueError, TypeError, OSError, ZeroDivisionError) as error:
        raise UserError(what, f"it holds no strokes ({error})", "Choose a file that FocusViewer saved.") from error


def _stroke(values: dict[str, object], across: float, down: float) -> Stroke:
    points = tuple((float(x) * across, float(y) * down) for x, y in values["points"])  # type: ignore[attr-defined]
    numbers = [float(values[name]) for name in ("radius", "z_um", "softness")]  # type: ignore[arg-type]
    if not points or not np.isfinite([*np.ravel(points), *numbers]).all() or numbers[0] <= 0:
        raise ValueError("a stroke is none")
    return Stroke(points, numbers[0] * across, numbers[1], min(max(numbers[2], 0.0), 1.0))
