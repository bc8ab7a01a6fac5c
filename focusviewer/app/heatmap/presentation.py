"""How a focus map is shown: its style, figures and texts; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.focus.mapping.regions import BlurRegion

HISTOGRAM_BINS = 48


@dataclass(frozen=True)
class HeatmapStyle:
    """The choices of the Heatmap panel at one moment, for workers."""

    model: str = ""
    lut: str = ""
    mode: str = "absolute"
    opacity: float = 0.45
    threshold: float = 3.0
    emphasise: bool = True
    visible: bool = True
    certainty: bool = False  # fade windows the model is unsure of


@dataclass(frozen=True)
class Histogram:
    """Counts of tissue windows per bin of blur; ``colours`` are uint8 (bins, 4) RGBA."""

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float64]
    colours: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MapStatistics:
    """Figures of a focus map."""

    windows: int
    blurred_fraction: float
    median: float
    p95: float
    cannot_tell: int = 0
    calibration: str = ""
    has_uncertainty: bool = False
    fluorescence: bool = False


@dataclass(frozen=True, eq=False)
class MapFigures:
    """What the panel shows of a map.

    Attributes
    ----------
    absolute : bool
        Whether scores are focus levels.
    seconds : float
        How long the map took to make; 0 while it is incomplete.
    stopped : bool
        Whether it was stopped, so that only a part of the slide is mapped.
    """

    statistics: MapStatistics
    histogram: Histogram
    absolute: bool
    seconds: float = 0.0
    stopped: bool = False


@dataclass(frozen=True)
class FocusCurve:
    """Blur against z: the median of every mapped plane of a stack, from the lowest z to the highest.

    Attributes
    ----------
    z : tuple of float
        In um, or numbers of planes (from 1) where ``z_known`` is False.
    median : tuple of float
        Focus levels, or the model's own scores where ``absolute`` is False.
    shown : float
        Z of the plane on screen, whether it is mapped or not.
    """

    z: tuple[float, ...]
    median: tuple[float, ...]
    shown: float
    absolute: bool
    z_known: bool = True


def focus_curve(
    mapped: Mapping[int, tuple[FocusMap, float]], planes_um: Sequence[float], plane: int, z_known: bool = True
) -> FocusCurve | None:
    """Blur against z, or None with fewer than two planes to compare.

    Focus levels and a model's own scores are not drawn together: where there are levels, only they are.

    Parameters
    ----------
    mapped : mapping of plane to (FocusMap, float)
        Maps of one model, with the median of their tissue windows (NaN without tissue).
    planes_um : sequence of float
        Z of all planes.
    plane : int
        The one on screen.
    """
    known = {at: found for at, found in mapped.items() if np.isfinite(found[1]) and at < len(planes_um)}
    absolute = any(focus_map.absolute for focus_map, _ in known.values())
    z = planes_um if z_known else range(1, len(planes_um) + 1)
    points = sorted(
        (float(z[at]), median) for at, (focus_map, median) in known.items() if focus_map.absolute == absolute
    )
    if len(points) < 2:
        return None
    return FocusCurve(
        tuple(at for at, _ in points), tuple(median for _, median in points), float(z[plane]), absolute, z_known
    )


def map_statistics(focus_map: FocusMap, threshold: float) -> MapStatistics:
    """Median, 95th percentile and the fraction of tissue windows at or above the threshold."""
    values = focus_map.blur[focus_map.tissue]
    cannot_tell = 0 if focus_map.cannot_tell is None else int(focus_map.cannot_tell.sum())
    nothing = float("nan")
    figures = (nothing, nothing, nothing)
    if values.size:
        figures = float(np.mean(values >= threshold)), float(np.median(values)), float(np.percentile(values, 95))
    has_uncertainty = focus_map.uncertainty is not None
    said = focus_map.calibration, has_uncertainty, focus_map.fluorescence
    return MapStatistics(int(values.size), *figures, cannot_tell, *said)


def extent(focus_map: FocusMap) -> tuple[float, float, float, float]:
    """x, y, width, height of the map's cells in level-0 pixels: every cell is one stride around its centre."""
    half = focus_map.stride_px / 2
    rows, cols = focus_map.blur.shape
    return (
        float(focus_map.x[0]) - half,
        float(focus_map.y[0]) - half,
        cols * float(focus_map.stride_px),
        rows * float(focus_map.stride_px),
    )


def emphasise(rgba: npt.NDArray[np.uint8], focus_map: FocusMap, threshold: float) -> npt.NDArray[np.uint8]:
    """Fade the cells below the threshold, so that the blurred ones stand out."""
    out = rgba.copy()
    sharp = ~(np.nan_to_num(focus_map.blur, nan=-np.inf) >= threshold)
    out[sharp, 3] = out[sharp, 3] // 4
    return out


def fade_uncertain(rgba: npt.NDArray[np.uint8], focus_map: FocusMap, span: float) -> npt.NDArray[np.uint8]:
    """Fade cells by the model's uncertainty: to half at a quarter of the scale's span."""
    if focus_map.uncertainty is None:
        return rgba
    out = rgba.copy()
    relative = np.nan_to_num(focus_map.uncertainty, nan=0.0) / max(span, 1e-9)
    out[..., 3] = np.rint(out[..., 3] / (1 + (4 * relative) ** 2)).astype(np.uint8)
    return out


CANNOT_TELL = (110, 114, 122, 150)
"""Gray of windows that cannot be judged, RGBA."""


def gray_out(rgba: npt.NDArray[np.uint8], focus_map: FocusMap) -> npt.NDArray[np.uint8]:
    """Paint windows that cannot be judged gray."""
    if focus_map.cannot_tell is None or not focus_map.cannot_tell.any():
        return rgba
    out = rgba.copy()
    out[focus_map.cannot_tell] = CANNOT_TELL
    return out


def cannot_tell_boxes(focus_map: FocusMap) -> npt.NDArray[np.float64]:
    """Stretches of windows that cannot be judged, row by row: x, y, width, height in level-0 pixels, (N, 4)."""
    if focus_map.cannot_tell is None or not focus_map.cannot_tell.any():
        return np.empty((0, 4))
    padded = np.pad(focus_map.cannot_tell, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    stops = np.nonzero(edges == -1)[1]
    x0, y0, _, _ = extent(focus_map)
    step = focus_map.stride_px
    return np.stack([x0 + step * starts, y0 + step * rows, step * (stops - starts), np.full(rows.size, step)], axis=1)


def blur_text(value: float, absolute: bool) -> str:
    """A blur score for people: levels and um for absolute models, the bare number otherwise."""
    if not np.isfinite(value):
        return ""
    return f"{value:.1f} levels ≈ {value * LEVEL_UM:.2f} µm" if absolute else f"{value:.3g}"


def point_text(focus_map: FocusMap, x: float, y: float) -> str:
    """Blur at a level-0 pixel for people, with its uncertainty where the model knows it."""
    at = focus_map.window_at(x, y)
    if at is None:
        return ""
    if focus_map.cannot_tell is not None and focus_map.cannot_tell[at]:
        return "cannot tell"
    text = blur_text(float(focus_map.blur[at]), focus_map.absolute)
    if text and focus_map.uncertainty is not None and np.isfinite(focus_map.uncertainty[at]):
        error = float(focus_map.uncertainty[at])
        text += f" ± {error * LEVEL_UM:.2f} µm" if focus_map.absolute else f" ± {error:.2g}"
    return text


def members_text(focus_map: FocusMap, x: float, y: float) -> str:
    """Score and weight of each member of a fused model for a window, as an HTML table; empty without members."""
    at = focus_map.window_at(x, y)
    if at is None or not focus_map.members or not np.isfinite(focus_map.blur[at]):
        return ""
    lines = []
    for member, scores in focus_map.members.items():
        weight = focus_map.weights.get(member)
        share = "" if weight is None else f"{100 * float(weight[at]):.0f} %"
        cells = f"<td>{escape(member)}&nbsp;&nbsp;</td><td align=right>{float(scores[at]):.3g}&nbsp;&nbsp;</td>"
        lines.append(f"<tr>{cells}<td align=right>{share}</td></tr>")
    head = "<tr><td><b>model</b></td><td align=right><b>score</b></td><td align=right><b>weight</b></td></tr>"
    return f"<table>{head}{''.join(lines)}</table>"


def region_text(region: BlurRegion, absolute: bool, mpp: float | None) -> str:
    """One line of the worst-regions list: severity, size and likely cause."""
    _, _, width, height = region.box
    if region.area_mm2 is None or mpp is None:
        size = f"{width:,.0f} × {height:,.0f} px"
    else:
        size = f"{region.area_mm2:.3g} mm²"
    severity = f"{region.mean_um:.2f} µm" if region.mean_um is not None else blur_text(region.mean, absolute)
    return f"{severity}   ·   {size}   ·   {region.cause}"
