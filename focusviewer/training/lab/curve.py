"""The curve of a run as a small picture: losses on the left, the figures that decide on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from focusviewer.core.files import atomic_write

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SIZE = (960, 360)
_SHARPER = 2  # drawn larger and reduced, which smooths the lines
_MARGINS = (62, 46, 16, 40)  # left, top, right, bottom of a panel
_COLOURS = ("#1f6fb2", "#d1632a", "#2e8b57", "#8d5bb5", "#b8453f", "#57606a", "#b08a1e", "#3aa0a0")
_INK, _FAINT = "#24292f", "#d8dee4"

Series = dict[str, list[tuple[float, float]]]


def draw_curve(path: Path, title: str, rows: Sequence[dict[str, float]], figures: Sequence[str], steps: int) -> None:
    """Draw the log of a run.

    Parameters
    ----------
    rows : sequence of dict
        ``step``, ``learning_rate``, losses and figures.
    figures : sequence of str
        Names that belong into the right panel.
    steps : int
        Planned length, the width of both panels.
    """
    from PIL import Image, ImageDraw

    names = [name for name in (rows[0] if rows else {}) if name not in ("step", "learning_rate")]
    left = [name for name in names if name == "loss" or name.startswith("loss_")] or [
        n for n in names if n not in figures
    ]
    image = Image.new("RGB", (_SIZE[0] * _SHARPER, _SIZE[1] * _SHARPER), "white")
    draw = ImageDraw.Draw(image)
    half = _SIZE[0] // 2
    for x, heading, chosen in ((0, "training loss", left), (half, "held-out data", list(figures))):
        _panel(draw, (x, 0, x + half, _SIZE[1]), f"{title}: {heading}", _series(rows, chosen), steps)
    with atomic_write(path) as temporary:
        image.resize(_SIZE, Image.Resampling.LANCZOS).save(temporary)


def _series(rows: Sequence[dict[str, float]], names: Sequence[str]) -> Series:
    lines = {n: [(row["step"], row[n]) for row in rows if math.isfinite(row.get(n, math.nan))] for n in names}
    return {name: line for name, line in lines.items() if line}


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover a range, at about ``count`` places."""
    span = high - low
    if not span > 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _panel(draw: ImageDraw, box: tuple[int, int, int, int], title: str, series: Series, steps: int) -> None:
    from PIL import ImageFont

    font, bold = ImageFont.load_default(12 * _SHARPER), ImageFont.load_default(14 * _SHARPER)
    left, top, right, bottom = _MARGINS
    x0, y0, x1, y1 = (s * _SHARPER for s in (box[0] + left, box[1] + top, box[2] - right, box[3] - bottom))
    low, high = _limits([value for line in series.values() for _, value in line])

    def at(step: float, value: float) -> tuple[float, float]:
        return x0 + (x1 - x0) * step / max(steps, 1), y1 - (y1 - y0) * (value - low) / (high - low)

    draw.text((x0, box[1] * _SHARPER + 8 * _SHARPER), title, _INK, bold)
    for value in ticks(low, high):
        y = at(0, value)[1]
        draw.line([(x0, y), (x1, y)], _FAINT, _SHARPER)
        draw.text((x0 - 6 * _SHARPER, y), f"{value:.4g}", _INK, font, anchor="rm")
    for value in ticks(0, steps, 4):
        x = at(value, low)[0]
        draw.text((x, y1 + 6 * _SHARPER), f"{value:g}", _INK, font, anchor="mt")
    draw.text(((x0 + x1) / 2, y1 + 22 * _SHARPER), "step", _INK, font, anchor="mt")
    draw.line([(x0, y0), (x0, y1), (x1, y1)], _INK, _SHARPER)
    for index, (name, line) in enumerate(series.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        points = [at(step, value) for step, value in line]
        if len(points) > 1:
            draw.line(points, colour, 2 * _SHARPER, joint="curve")
        for x, y in points[-1:]:
            draw.ellipse([x - 4, y - 4, x + 4, y + 4], colour)
        if len(series) <= len(_COLOURS):
            draw.text((x1 - 4 * _SHARPER, y0 + (4 + 15 * index) * _SHARPER), name, colour, font, anchor="rt")


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    spare = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    return low - spare, high + spare
