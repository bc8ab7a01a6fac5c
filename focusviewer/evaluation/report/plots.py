"""The plots of a study: correlation bars, score curves over real stacks, PSNR over defocus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from focusviewer.evaluation.report.svg import COLOURS, SERIES, Drawing, grid, legend, series_colour
from focusviewer.evaluation.tables.table import Row, is_number
from focusviewer.training.lab.plotting import one_look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAR = 20
MOST_CURVES = SERIES


@one_look()
def correlation_bars(rows: Sequence[Row], key: str, title: str, published: Mapping[str, float]) -> Markup:
    """One bar a model with its interval, best first; published figures as hollow diamonds.

    Parameters
    ----------
    rows : sequence of Row
        With ``model``, ``key`` and its ends ``key_low``, ``key_high``.
    published : mapping
        Model to published figure.
    """
    known = sorted((row for row in rows if is_number(row.get(key))), key=lambda row: -float(row[key]))
    ends = [row.get(name) for row in known for name in (key, f"{key}_low")]
    low = min([0.0, *(float(end) for end in ends if end is not None and is_number(end))])
    rows_of_bars = max(len(known), 1)
    drawing = Drawing(760, 50 + BAR * rows_of_bars, title)
    limits = (-1.0 if low < 0 else 0.0, 1.0)
    axes = drawing.axes((170, 18), (500, BAR * rows_of_bars), limits, (-0.5, rows_of_bars - 0.5))
    axes.invert_yaxis()
    grid(axes, title, x_count=5, y_count=0)
    axes.set_yticks(range(len(known)), [str(row["model"]) for row in known])
    axes.grid(visible=False, axis="y")
    for place, row in enumerate(known):
        _bar(drawing, axes, place, row, key, published.get(str(row["model"])))
    return drawing.svg()


def _bar(drawing: Drawing, axes: Axes, place: int, row: Row, key: str, published: float | None) -> None:
    name, value = str(row["model"]), float(row[key])
    (bar,) = axes.barh(place, value, height=12 / BAR, color=COLOURS["measured"], alpha=0.75)
    drawing.mark(bar, "bar", f"{name}: {value:.3f}, measured here")
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    if low is not None and high is not None and is_number(low) and is_number(high):
        ends = [[value - float(low)], [float(high) - value]]
        whisker = axes.errorbar(value, place, xerr=ends, fmt="none", ecolor=COLOURS["ink"], elinewidth=1.2, capsize=3)
        for part in (*whisker[1], *whisker[2]):
            drawing.mark(part, "whisker", f"{name}: {float(low):.3f} to {float(high):.3f}")
    text = axes.annotate(f"{value:.3f}", (1.0, place), (8, 0), textcoords="offset points", va="center")
    text.set(color=COLOURS["ink"], fontsize=11)
    if published is not None:
        edge, paper = COLOURS["published"], COLOURS["paper"]
        (diamond,) = axes.plot(
            published, place, "D", color=paper, markeredgecolor=edge, markeredgewidth=1.8, markersize=6
        )
        drawing.mark(diamond, "published", f"{name}: {published:.3f}, published")


def normalised(scores: Sequence[float]) -> list[float]:
    """Scores from 0 (sharpest plane) to 1 (most blurred plane)."""
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 0.5 for score in scores]


@one_look()
def stack_curves(rows: Sequence[Row], order: Sequence[str]) -> Markup:
    """Score curves of one real stack, the models of ``order`` that fit a plot, each from 0 to 1.

    Parameters
    ----------
    rows : sequence of Row
        Of one stack: ``model``, ``scores``, ``reference``.
    """
    by_model = {str(row["model"]): row for row in rows}
    shown = [by_model[name] for name in order if name in by_model][:MOST_CURVES]
    planes = max(len(row["scores"]) for row in shown)
    drawing = Drawing(620, 260, f"Score curves of {shown[0]['stack']}")
    axes = drawing.axes((40, 26), (400, 190), (0, max(planes - 1, 1)), (0, 1))
    grid(axes, "plane", "score, each model from its lowest (0) to its highest (1)")
    _best_band(drawing, axes, shown[0]["reference"])
    for index, row in enumerate(shown):
        points = list(enumerate(normalised(row["scores"])))
        _curve(drawing, axes, points, series_colour(index), str(row["model"]))
    legend(axes)
    return drawing.svg()


def _curve(
    drawing: Drawing, axes: Axes, points: Sequence[tuple[float, float]], colour: str, name: str, dashed: bool = False
) -> None:
    """A line through values, with a dot at each that says what it is."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    style = (0, (3, 1.8)) if dashed else "solid"
    (line,) = axes.plot(xs, ys, color=colour, linestyle=style, marker="o", label=name)
    drawing.mark(line, "line", [f"{name}: {x:g}, {y:.4g}" for x, y in points])


def _best_band(drawing: Drawing, axes: Axes, reference: Sequence[int] | None) -> None:
    if reference:
        band = axes.axvspan(reference[0] - 0.4, reference[1] + 0.4, color=COLOURS["best"], linewidth=0)
        drawing.mark(band, "best", "stated best plane")


@one_look()
def sparkline(row: Row) -> Markup:
    """A score curve in a table's cell, the stated best planes shaded."""
    scores = row["scores"]
    drawing = Drawing(120, 34, f"Scores of {row['model']} over the planes of {row['stack']}")
    axes = drawing.axes((3, 3), (114, 28), (-0.5, len(scores) - 0.5), (0, 1))
    _best_band(drawing, axes, row.get("reference"))
    axes.plot(range(len(scores)), normalised(scores), color=series_colour(0))
    lowest = int(row["lowest"])
    (dot,) = axes.plot(lowest, 0, "o", color=series_colour(1), markersize=5)
    drawing.mark(dot, "lowest", f"lowest: plane {lowest}")
    return drawing.svg()


@one_look()
def psnr_lines(rows: Sequence[Row], noise: float) -> Markup:
    """PSNR over defocus at one noise level: as scanned, the oracle, and every engine blind and at the true distance."""
    rows = [row for row in rows if row.get("noise") == noise]
    engines = list(dict.fromkeys(str(row["model"]) for row in rows))
    plain = COLOURS["soft"]
    series: list[tuple[str, str, bool, list[tuple[float, float]]]] = [
        ("as scanned", plain, False, _points([row for row in rows if row["model"] == engines[0]], "psnr_before"))
    ]
    oracle = [row for row in rows if row["model"] == engines[0] and is_number(row.get("psnr_oracle"))]
    if oracle:
        series.append(("oracle Wiener", plain, True, _points(oracle, "psnr_oracle")))
    for index, engine in enumerate(engines):
        own = [row for row in rows if row["model"] == engine]
        series.append((f"{engine}, blind", series_colour(index), False, _points(own, "psnr_auto")))
        series.append((f"{engine}, distance known", series_colour(index), True, _points(own, "psnr_knob")))
    values = [y for *_, points in series for _, y in points]
    top = min(max(values), 60.0)  # a picture left as it is has no error to speak of
    drawing = Drawing(640, 300, f"PSNR over defocus at noise {noise:g}")
    span = max(x for *_, points in series for x, _ in points)
    axes = drawing.axes((44, 26), (400, 220), (0, span or 1.0), (min(values) - 1, top + 1))
    grid(axes, "defocus, µm", f"PSNR, dB (noise {noise:g})")
    for name, colour, dashed, points in series:
        _curve(drawing, axes, [(x, min(y, top + 1)) for x, y in points], colour, name, dashed)
    legend(axes)
    return drawing.svg()


def _points(rows: Sequence[Row], key: str) -> list[tuple[float, float]]:
    return sorted((float(row["z_um"]), float(row[key])) for row in rows)


def best_models(rows: Sequence[Row], key: str = "srcc") -> list[str]:
    """Names of models, best first; those without a figure last."""

    def rank(row: Row) -> float:
        value: Any = row.get(key)
        return -float(value) if is_number(value) else 9.0

    return [str(row["model"]) for row in sorted(rows, key=rank)]
