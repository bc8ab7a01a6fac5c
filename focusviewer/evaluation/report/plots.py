"""The plots of a study: correlation bars, score curves over real stacks, PSNR over defocus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from focusviewer.evaluation.report.svg import SERIES, Axes, Drawing
from focusviewer.evaluation.tables.table import Row, is_number

BAR = 20
MOST_CURVES = SERIES


def correlation_bars(rows: Sequence[Row], key: str, title: str, published: Mapping[str, float]) -> str:
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
    drawing = Drawing(760, 50 + BAR * len(known), title)
    axes = Axes(drawing, 170, 18, 500, BAR * len(known), (-1.0 if low < 0 else 0.0, 1.0), (0, max(len(known), 1)))
    axes.grid(title, x_count=5, y_count=0)
    for index, row in enumerate(known):
        _bar(axes, index, len(known), row, key, published.get(str(row["model"])))
    return drawing.svg()


def _bar(axes: Axes, index: int, count: int, row: Row, key: str, published: float | None) -> None:
    drawing, name, value = axes.drawing, str(row["model"]), float(row[key])
    zero, y = axes.at(0, count - index - 0.5)
    x, _ = axes.at(value, 0)
    drawing.text((axes.left - 6, y + 4), name, "end")
    drawing.box((min(zero, x), y - 6), (abs(x - zero), 12), "bar", f"{name}: {value:.3f}, measured here")
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    if low is not None and high is not None and is_number(low) and is_number(high):
        left, right = axes.at(float(low), 0)[0], axes.at(float(high), 0)[0]
        drawing.line((left, y), (right, y), "whisker")
        for end in (left, right):
            drawing.line((end, y - 3), (end, y + 3), "whisker")
    drawing.text((axes.left + axes.width + 8, y + 4), f"{value:.3f}")
    if published is not None:
        drawing.diamond((axes.at(published, 0)[0], y), "published", f"{name}: {published:.3f}, published")


def normalised(scores: Sequence[float]) -> list[float]:
    """Scores from 0 (sharpest plane) to 1 (most blurred plane)."""
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) if high > low else 0.5 for score in scores]


def stack_curves(rows: Sequence[Row], order: Sequence[str]) -> str:
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
    axes = Axes(drawing, 40, 26, 400, 190, (0, max(planes - 1, 1)), (0, 1))
    _best_band(axes, shown[0]["reference"])
    axes.grid("plane", "score, each model from its lowest (0) to its highest (1)")
    for index, row in enumerate(shown):
        axes.curve(range(len(row["scores"])), normalised(row["scores"]), f"s{index % SERIES}", str(row["model"]))
    axes.legend([(str(row["model"]), f"s{index % SERIES}") for index, row in enumerate(shown)])
    return drawing.svg()


def _best_band(axes: Axes, reference: Sequence[int] | None) -> None:
    if reference:
        left, right = axes.at(reference[0] - 0.4, 0)[0], axes.at(reference[1] + 0.4, 0)[0]
        axes.drawing.box((left, axes.top), (right - left, axes.height), "best", "stated best plane")


def sparkline(row: Row) -> str:
    """A score curve in a table's cell, the stated best planes shaded."""
    scores = row["scores"]
    drawing = Drawing(120, 34, f"Scores of {row['model']} over the planes of {row['stack']}")
    axes = Axes(drawing, 3, 3, 114, 28, (-0.5, len(scores) - 0.5), (0, 1))
    _best_band(axes, row.get("reference"))
    axes.curve(range(len(scores)), normalised(scores), "s0", dots=False)
    lowest = int(row["lowest"])
    axes.drawing.dot(axes.at(lowest, 0), "dot s1", f"lowest: plane {lowest}")
    return drawing.svg()


def psnr_lines(rows: Sequence[Row], noise: float) -> str:
    """PSNR over defocus at one noise level: as scanned, the oracle, and every engine blind and at the true distance."""
    rows = [row for row in rows if row.get("noise") == noise]
    engines = list(dict.fromkeys(str(row["model"]) for row in rows))
    series: list[tuple[str, str, list[tuple[float, float]]]] = [
        ("as scanned", "plain", _points([row for row in rows if row["model"] == engines[0]], "psnr_before"))
    ]
    oracle = [row for row in rows if row["model"] == engines[0] and is_number(row.get("psnr_oracle"))]
    if oracle:
        series.append(("oracle Wiener", "plain dashed", _points(oracle, "psnr_oracle")))
    for index, engine in enumerate(engines):
        own = [row for row in rows if row["model"] == engine]
        series.append((f"{engine}, blind", f"s{index % SERIES}", _points(own, "psnr_auto")))
        series.append((f"{engine}, distance known", f"s{index % SERIES} dashed", _points(own, "psnr_knob")))
    values = [y for _, _, points in series for _, y in points]
    top = min(max(values), 60.0)  # a picture left as it is has no error to speak of
    drawing = Drawing(640, 300, f"PSNR over defocus at noise {noise:g}")
    span = max(x for _, _, points in series for x, _ in points)
    axes = Axes(drawing, 44, 26, 400, 220, (0, span or 1.0), (min(values) - 1, top + 1))
    axes.grid("defocus, µm", f"PSNR, dB (noise {noise:g})")
    for name, style, points in series:
        axes.curve([x for x, _ in points], [min(y, top + 1) for _, y in points], style, name)
    axes.legend([(name, style) for name, style, _ in series])
    return drawing.svg()


def _points(rows: Sequence[Row], key: str) -> list[tuple[float, float]]:
    return sorted((float(row["z_um"]), float(row[key])) for row in rows)


def best_models(rows: Sequence[Row], key: str = "srcc") -> list[str]:
    """Names of models, best first; those without a figure last."""

    def rank(row: Row) -> float:
        value: Any = row.get(key)
        return -float(value) if is_number(value) else 9.0

    return [str(row["model"]) for row in sorted(rows, key=rank)]
