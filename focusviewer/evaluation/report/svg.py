"""The few shapes and axes that the plots are made of, as SVG text that follows the page's colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

SERIES = 8
"""Colours a plot can tell apart; more series take them again."""


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass
class Drawing:
    """An SVG picture in the making; ``label`` is what a screen reader says of it."""

    width: float
    height: float
    label: str
    parts: list[str] = field(default_factory=list)

    def line(self, start: Point, end: Point, style: str) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def path(self, points: Sequence[Point], style: str) -> None:
        """A line through points."""
        if len(points) > 1:
            text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            self.parts.append(f'<polyline points="{text}" class="{style}"/>')

    def box(self, corner: Point, size: Point, style: str, title: str = "") -> None:
        """A rectangle, with a title that shows under the pointer."""
        (x, y), (width, height) = corner, size
        inner = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'class="{style}">{inner}</rect>'
        )

    def dot(self, centre: Point, style: str, title: str = "", radius: float = 2.5) -> None:
        """A small disk."""
        inner = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius:g}" class="{style}">{inner}</circle>'
        )

    def diamond(self, centre: Point, style: str, title: str = "", radius: float = 4.5) -> None:
        """A hollow diamond: what others have published."""
        x, y = centre
        corners = f"{x - radius:.1f},{y:.1f} {x:.1f},{y - radius:.1f} {x + radius:.1f},{y:.1f} {x:.1f},{y + radius:.1f}"
        inner = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(f'<polygon points="{corners}" class="{style}">{inner}</polygon>')

    def text(self, place: Point, text: str, anchor: str = "start", style: str = "label") -> None:
        """A word; ``anchor`` is start, middle or end."""
        self.parts.append(
            f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" text-anchor="{anchor}" class="{style}">{escape(text)}</text>'
        )

    def svg(self) -> str:
        """The finished picture."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" aria-label="{escape(self.label, quote=True)}">'
        )
        return head + "".join(self.parts) + "</svg>"


@dataclass(frozen=True)
class Axes:
    """A rectangle of a drawing with a scale on either side."""

    drawing: Drawing
    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def at(self, x: float, y: float) -> Point:
        """Place of a value in the drawing."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        across = (x - x0) / (x1 - x0) if x1 > x0 else 0.5
        up = (y - y0) / (y1 - y0) if y1 > y0 else 0.5
        return self.left + across * self.width, self.top + self.height * (1 - up)

    def grid(self, x_title: str = "", y_title: str = "", x_count: int = 6, y_count: int = 5) -> None:
        """Grid lines with their numbers, and the titles of both axes."""
        drawing, bottom = self.drawing, self.top + self.height
        for value in ticks(*self.x_range, x_count) if x_count else []:
            x, _ = self.at(value, self.y_range[0])
            drawing.line((x, self.top), (x, bottom), "grid")
            drawing.text((x, bottom + 13), f"{value:g}", "middle")
        for value in ticks(*self.y_range, y_count) if y_count else []:
            _, y = self.at(self.x_range[0], value)
            drawing.line((self.left, y), (self.left + self.width, y), "grid")
            drawing.text((self.left - 5, y + 3.5), f"{value:g}", "end")
        if x_title:
            drawing.text((self.left + self.width / 2, bottom + 28), x_title, "middle")
        if y_title:
            drawing.text((self.left, self.top - 8), y_title, "start")

    def curve(self, xs: Sequence[float], ys: Sequence[float], style: str, title: str = "", dots: bool = True) -> None:
        """A line through values, with a dot at each that says what it is."""
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        self.drawing.path(points, f"line {style}")
        if dots:
            for point, x, y in zip(points, xs, ys, strict=True):
                self.drawing.dot(point, f"dot {style}", f"{title}: {x:g}, {y:.4g}")

    def legend(self, names: Sequence[tuple[str, str]]) -> None:
        """Names of series and their styles, to the right of the axes."""
        x, y = self.left + self.width + 12, self.top + 8
        for name, style in names:
            self.drawing.line((x, y - 3.5), (x + 16, y - 3.5), f"line {style}")
            self.drawing.text((x + 21, y), name)
            y += 16
