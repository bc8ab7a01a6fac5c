"""The curve of a run as a small picture: losses on the left, the figures that decide on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from focusviewer.training.lab.plotting import COLOURS, new_figure, one_look, round_ticks, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_PX = (960, 360)
_PLACES = {"left": 0.06, "right": 0.98, "bottom": 0.13, "top": 0.92, "wspace": 0.16}  # of the panels, of the whole

Series = dict[str, list[tuple[float, float]]]


@one_look()
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
    names = [name for name in (rows[0] if rows else {}) if name not in ("step", "learning_rate")]
    losses = [name for name in names if name == "loss" or name.startswith("loss_")] or [
        n for n in names if n not in figures
    ]
    figure = new_figure(*_SIZE_PX)
    left, right = figure.subplots(1, 2, gridspec_kw=_PLACES)
    _panel(left, f"{title}: training loss", _series(rows, losses), steps)
    _panel(right, f"{title}: held-out data", _series(rows, figures), steps)
    write_png(figure, path)


def _series(rows: Sequence[dict[str, float]], names: Sequence[str]) -> Series:
    lines = {n: [(row["step"], row[n]) for row in rows if math.isfinite(row.get(n, math.nan))] for n in names}
    return {name: line for name, line in lines.items() if line}


def _panel(axes: Axes, title: str, series: Series, steps: int) -> None:
    axes.set_title(title, fontweight="bold")
    axes.set_xlabel("step")
    axes.set_xlim(0, max(steps, 1))
    axes.set_ylim(*_limits([value for line in series.values() for _, value in line]))
    axes.grid(visible=False, axis="x")
    round_ticks(axes, 4, 5)
    for index, (name, line) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        # The dot shows where the run is, and that there is a value where there is no line yet.
        axes.plot(*zip(*line, strict=True), color=colour, marker="o", markevery=[len(line) - 1], label=name)
    if series and len(series) <= len(COLOURS):
        axes.legend(loc="upper right", labelcolor="linecolor", handlelength=0)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    spare = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    return low - spare, high + spare
