"""Where a viewport looks: the geometry between slide pixels and screen pixels, without Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_SCALE = 16.0
"""Largest magnification: screen pixels per level-0 pixel."""

STOPS_PER_OCTAVE = 3
"""Wheel notches per doubling; every third stop is a power of two, where tiles paint 1:1."""

FIT_FILL = 0.97
MAX_FIT_SCALE = 4.0


def snap_scale(scale: float, tolerance: float = 0.03) -> float:
    """The nearest power of two when it is within ``tolerance`` (tiles then paint unscaled), else ``scale``."""
    nearest = float(2.0 ** round(math.log2(scale)))
    return nearest if abs(scale / nearest - 1.0) <= tolerance else scale


def step_scale(scale: float, notches: float) -> float:
    """Scale after turning the wheel.

    Whole notches walk a fixed ladder of scales; fractions (touchpads) move freely in between.
    """
    exponent = math.log2(scale) * STOPS_PER_OCTAVE
    if float(notches).is_integer():
        start = math.floor(exponent + 1e-6) if notches > 0 else math.ceil(exponent - 1e-6)
        return float(2.0 ** ((start + notches) / STOPS_PER_OCTAVE))
    return float(2.0 ** ((exponent + notches) / STOPS_PER_OCTAVE))


@dataclass
class View:
    """What part of a slide a viewport of ``width`` x ``height`` screen pixels shows.

    Screen pixels are device pixels (a HiDPI screen has more of them than Qt's logical ones).

    Parameters
    ----------
    slide_width, slide_height : int
        Level-0 size.
    width, height : int
        Viewport size in screen pixels.
    cx, cy : float
        Level-0 pixel at the middle of the viewport.
    scale : float
        Screen pixels per level-0 pixel.
    plane : int
        Focal plane shown.
    """

    slide_width: int
    slide_height: int
    width: int = 1
    height: int = 1
    cx: float = 0.0
    cy: float = 0.0
    scale: float = 1.0
    plane: int = 0

    @property
    def origin(self) -> tuple[int, int]:
        """Screen position of the slide's corner; whole pixels, so that 1:1 tiles stay sharp while panning."""
        # not round(): it goes to even numbers, so that in a window of odd width steps of 1 would move by 0 and 2
        left, top = self.width / 2 - self.cx * self.scale, self.height / 2 - self.cy * self.scale
        return math.floor(left + 0.5), math.floor(top + 0.5)

    @property
    def fit_scale(self) -> float:
        """Scale at which the whole slide is just visible."""
        fit = FIT_FILL * min(self.width / self.slide_width, self.height / self.slide_height)
        return min(fit, MAX_FIT_SCALE)

    @property
    def scale_limits(self) -> tuple[float, float]:
        """Smallest and largest scale."""
        return min(self.fit_scale * 0.5, 1.0), MAX_SCALE

    def to_slide(self, sx: float, sy: float) -> tuple[float, float]:
        """Level-0 pixel under a screen position."""
        ox, oy = self.origin
        return (sx - ox) / self.scale, (sy - oy) / self.scale

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Screen position of a level-0 pixel."""
        ox, oy = self.origin
        return ox + x * self.scale, oy + y * self.scale

    def rect(self) -> tuple[float, float, float, float]:
        """Visible part of the plane in level-0 pixels: x0, y0, x1, y1 (may reach beyond the slide)."""
        x0, y0 = self.to_slide(0, 0)
        x1, y1 = self.to_slide(self.width, self.height)
        return x0, y0, x1, y1

    def visible_rect(self) -> tuple[float, float, float, float]:
        """The part of :meth:`rect` that lies on the slide."""
        x0, y0, x1, y1 = self.rect()
        return (
            min(max(x0, 0.0), self.slide_width),
            min(max(y0, 0.0), self.slide_height),
            max(min(x1, self.slide_width), 0.0),
            max(min(y1, self.slide_height), 0.0),
        )

    def resize(self, width: int, height: int) -> None:
        """Give the viewport another size; the middle stays."""
        self.width, self.height = max(1, width), max(1, height)

    def go_to(self, x: float, y: float, scale: float | None = None) -> None:
        """Centre a level-0 pixel, at another scale if given.

        Raises
        ------
        ValueError
            If one of them is no finite number.
        """
        if not all(math.isfinite(value) for value in (x, y, scale or 1.0)):
            raise ValueError(f"there is no place at {x}, {y} and no scale {scale}")
        if scale is not None:
            low, high = self.scale_limits
            self.scale = min(max(scale, low), high)
        self.cx, self.cy = x, y
        self._clamp()

    def fit(self) -> None:
        """Show the whole slide."""
        self.go_to(self.slide_width / 2, self.slide_height / 2, self.fit_scale)

    def fit_rect(self, x: float, y: float, width: float, height: float, max_scale: float = 1.0) -> None:
        """Show a level-0 rectangle as large as it fits."""
        scale = 0.8 * min(self.width / max(width, 1), self.height / max(height, 1))
        self.go_to(x + width / 2, y + height / 2, min(scale, max_scale))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the picture by screen pixels (positive: to the right and down)."""
        self.go_to(self.cx - dx / self.scale, self.cy - dy / self.scale)

    def zoom_at(self, sx: float, sy: float, scale: float) -> None:
        """Change the scale; the slide point under the screen position stays where it is."""
        low, high = self.scale_limits
        x, y = self.to_slide(sx, sy)
        self.scale = min(max(scale, low), high)
        self.go_to(x + (self.width / 2 - sx) / self.scale, y + (self.height / 2 - sy) / self.scale)

    def _clamp(self) -> None:
        # The middle of the viewport never leaves the slide: any corner can be looked at, nothing gets lost.
        self.cx = min(max(self.cx, 0.0), float(self.slide_width))
        self.cy = min(max(self.cy, 0.0), float(self.slide_height))
