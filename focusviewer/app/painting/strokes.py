"""A focus map painted with a brush: strokes on the slide, drawn at whatever resolution is asked for; no Qt here."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.app.refocus.area import Box
from focusviewer.core.arrays import FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.json_text import from_json_text
from focusviewer.refocus.brush import FocusPainting

Point = tuple[float, float]
Base = tuple[Box, FloatMap]
"""A map that lies under the strokes, and where."""

STEP = 0.25
"""Distance of two dabs, in radii of the brush."""


@dataclass(frozen=True)
class Stroke:
    """One sweep of the brush.

    Attributes
    ----------
    points : tuple of (x, y)
        Where it was dabbed, level-0 pixels.
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

    def extended(self, x: float, y: float) -> Stroke:
        """The stroke drawn on to a place, with dabs at even distances on the way."""
        x0, y0 = self.points[-1]
        count = int(np.hypot(x - x0, y - y0) / (STEP * self.radius))
        way = tuple((x0 + (x - x0) * i / count, y0 + (y - y0) * i / count) for i in range(1, count + 1))
        return replace(self, points=self.points + way)

    def begins_with(self, other: Stroke) -> bool:
        """Whether this is the other stroke, perhaps drawn further."""
        return replace(self, points=self.points[: len(other.points)]) == other


class Canvas:
    """Draws strokes over one region, and only those that it has not drawn yet. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[Any, ...] = ()
        self._drawn: list[Stroke] = []
        self._painting: FocusPainting | None = None

    def draw(self, painted: PaintedMap, box: Box, shape: tuple[int, int]) -> FloatMap:
        """See :meth:`PaintedMap.map_um`."""
        with self._lock:
            key = (box, shape, painted.unpainted_um, None if painted.base is None else id(painted.base[1]))
            if key != self._key or self._painting is None or not self._continues(painted.strokes):
                self._key, self._drawn = key, []
                self._painting = FocusPainting((0, 0, shape[1], shape[0]), _background(painted, box, shape))
            for index, stroke in enumerate(painted.strokes):
                self._draw(self._painting, index, stroke, box, shape)
            return self._painting.map()

    def _continues(self, strokes: tuple[Stroke, ...]) -> bool:
        """Whether these strokes begin with the ones that are drawn already."""
        if len(strokes) < len(self._drawn):
            return False
        closed = self._drawn[:-1]
        return list(strokes[: len(closed)]) == closed and (
            not self._drawn or strokes[len(closed)].begins_with(self._drawn[-1])
        )

    def _draw(self, painting: FocusPainting, index: int, stroke: Stroke, box: Box, shape: tuple[int, int]) -> None:
        across, down = shape[1] / box[2], shape[0] / box[3]
        old = self._drawn[index].points if index < len(self._drawn) else ()
        if not old:
            painting.begin(stroke.z_um)
            self._drawn.append(stroke)
        for x, y in stroke.points[len(old) :]:
            place = (x - box[0]) * across, (y - box[1]) * down
            painting.dab(*place, stroke.radius * across, stroke.z_um, stroke.softness)
        self._drawn[index] = stroke


def _background(painted: PaintedMap, box: Box, shape: tuple[int, int]) -> FloatMap:
    """What lies under the strokes: the focus of the scan, or the map that was loaded."""
    background = np.full(shape, painted.unpainted_um, np.float32)
    if painted.base is not None:
        (x0, y0, width, height), values = painted.base
        x = np.floor((box[0] + (np.arange(shape[1]) + 0.5) * box[2] / shape[1] - x0) * values.shape[1] / width)
        y = np.floor((box[1] + (np.arange(shape[0]) + 0.5) * box[3] / shape[0] - y0) * values.shape[0] / height)
        rows, cols = ((at >= 0) & (at < size) for at, size in zip((y, x), values.shape, strict=True))
        background[np.ix_(rows, cols)] = values[np.ix_(y[rows].astype(int), x[cols].astype(int))]
    return background


@dataclass(frozen=True)
class PaintedMap:
    """A painting as it was at some moment; any thread may draw it."""

    strokes: tuple[Stroke, ...]
    unpainted_um: float
    base: Base | None = None
    canvas: Canvas = field(default_factory=Canvas, compare=False)

    @property
    def range_um(self) -> tuple[float, float]:
        """Lowest and highest focus of the painted and the unpainted places."""
        ends = [self.unpainted_um, *(stroke.z_um for stroke in self.strokes)]
        if self.base is not None:
            ends += [float(self.base[1].min()), float(self.base[1].max())]
        return min(ends), max(ends)

    def map_um(self, box: Box, shape: tuple[int, int]) -> FloatMap:
        """Focus over a region in um: float32 of the shape (H, W)."""
        return self.canvas.draw(self, box, shape)


Contents = tuple[tuple[Stroke, ...], Base | None]
"""All strokes, and the map under them."""


class Painting:
    """Strokes in the order they were made, over a map that was loaded or over nothing."""

    def __init__(self, strokes: tuple[Stroke, ...] = (), base: Base | None = None) -> None:
        self._strokes = list(strokes)
        self._base = base
        self._canvas = Canvas()

    def __len__(self) -> int:
        return len(self._strokes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is painted."""
        return not self._strokes and self._base is None

    def begin(self, x: float, y: float, z_um: float, radius: float, softness: float) -> None:
        """Put the brush down."""
        self.add(Stroke(((x, y),), radius, z_um, softness))

    def add(self, stroke: Stroke) -> None:
        """Paint a stroke over the others."""
        self._strokes.append(stroke)

    def extend(self, x: float, y: float) -> None:
        """Draw the brush on."""
        self._strokes[-1] = self._strokes[-1].extended(x, y)

    def pop(self) -> Stroke:
        """Take back the last stroke and return it.

        Raises
        ------
        IndexError
            If there is none.
        """
        return self._strokes.pop()

    def undo(self) -> None:
        """Take back the last stroke, if there is one."""
        if self._strokes:
            self.pop()

    @property
    def contents(self) -> Contents:
        """All that is painted."""
        return tuple(self._strokes), self._base

    def clear(self) -> None:
        """Take back everything."""
        self.restore(((), None))

    def restore(self, contents: Contents) -> None:
        """Paint nothing but this."""
        strokes, self._base = contents
        self._strokes = list(strokes)

    def snapshot(self, unpainted_um: float) -> PaintedMap:
        """What is painted now, with the focus of all other places."""
        return PaintedMap(tuple(self._strokes), unpainted_um, self._base, self._canvas)


def save_painting(path: Path, painted: PaintedMap, box: Box, facts: dict[str, Any]) -> None:
    """Write the map of a region for ``refocus --map``, and the strokes in a file next to it, to continue with.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    whole = FocusPainting(
        box, PaintedMap(painted.strokes, painted.unpainted_um, painted.base).map_um(box, (box[3], box[2]))
    )
    strokes = [asdict(stroke) for stroke in painted.strokes] if painted.base is None else None
    whole.save(path, {**facts, "strokes": strokes})


def load_painting(path: Path) -> Painting:
    """Read a painting: its strokes where they are known, or its map.

    Raises
    ------
    UserError
        If the file holds none.
    """
    whole = FocusPainting.load(path)
    try:
        strokes = from_json_text(path.with_suffix(".json").read_text(encoding="utf-8")).get("strokes")
        if strokes:
            return Painting(tuple(_stroke(values) for values in strokes))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"Cannot open {path}", f"its strokes cannot be read ({error})", "") from error
    return Painting(base=(whole.rect, whole.map()))


def _stroke(values: dict[str, Any]) -> Stroke:
    points = tuple((float(x), float(y)) for x, y in values["points"])
    radius, z_um, softness = (float(values[name]) for name in ("radius", "z_um", "softness"))
    if not points or not np.isfinite([*np.ravel(points), radius, z_um, softness]).all() or radius <= 0:
        raise ValueError("one of them has no points, no finite place or focus, or no radius")
    return Stroke(points, radius, z_um, softness)
