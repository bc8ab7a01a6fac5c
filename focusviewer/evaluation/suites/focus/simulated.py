"""Focus models against known truth: simulated test stacks and simulated slides."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import DoubleArray
from focusviewer.evaluation.test_sets.fields import BLURRY_LEVEL, FieldSet
from focusviewer.focus.base import LEVEL_UM, FocusMap, FocusModel
from focusviewer.metrics import bootstrap_interval, krcc, mae, plcc, plcc_logistic, pr_auc, roc_auc, srcc

RESAMPLES = 500
TIMED_PX = 1024
SQUARE_PX = 1000  # windows of one neighbourhood are not independent


def evaluate_focus_fields(model: FocusModel, fields: FieldSet) -> dict[str, Any]:
    """Score every plane of the simulated test stacks and compare with the truth.

    Returns
    -------
    One row: the figures of :func:`correlation_figures` with intervals by picture, the rank correlation on real pictures
    and on phantoms alone, the mean of each field's own rank correlation, and seconds for an image of 1024 x 1024.
    """
    scores = field_scores(model, fields)
    levels = np.abs(fields.levels)
    groups = np.repeat(np.asarray(fields.groups), levels.shape[1])
    row: dict[str, Any] = {"model": model.name, "fields": len(fields), "images": int(levels.size)}
    row |= correlation_figures(scores.ravel(), levels.ravel(), groups, model.absolute)
    for name, part in (("real", fields.real), ("phantoms", ~fields.real)):
        row[f"srcc_{name}"] = srcc(scores[part], levels[part]) if part.any() else None
    row["srcc_within"] = float(np.mean([srcc(*pair) for pair in zip(scores, levels, strict=True)]))
    row["seconds_per_image"] = seconds_per_image(model, fields)
    return row


def field_scores(model: FocusModel, fields: FieldSet) -> DoubleArray:
    """Scores of every plane of every field: float64 (F, P).

    Raises
    ------
    ValueError
        If the model gives a score that is no number.
    """
    scores = np.array([[model.score(plane, fields.mpp) for plane in stack] for stack in fields.images], np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{model.name} gave {int((~np.isfinite(scores)).sum())} of {scores.size} scores that are no number"
        )
    return scores


def correlation_figures(
    scores: npt.ArrayLike, levels: npt.ArrayLike, groups: npt.ArrayLike, absolute: bool
) -> dict[str, Any]:
    """Every figure of scores against |z - z*| in levels, with bootstrap intervals by group.

    ``mae_um`` is there only for models whose scores are levels. Blurred means 3 levels or more.
    """
    statistics: dict[str, Callable[..., float]] = {
        "srcc": srcc,
        "plcc": plcc,
        "krcc": krcc,
        "roc_auc": lambda score, level: roc_auc(score, level >= BLURRY_LEVEL),
        "pr_auc": lambda score, level: pr_auc(score, level >= BLURRY_LEVEL),
    }
    if absolute:
        statistics["mae_um"] = lambda score, level: mae(score, level, LEVEL_UM)
    figures = intervals(statistics, groups, (np.asarray(scores), np.asarray(levels)))
    figures["plcc_fitted"] = plcc_logistic(scores, levels)
    return figures


def intervals(
    statistics: Mapping[str, Callable[..., float]],
    groups: npt.ArrayLike,
    columns: Sequence[npt.NDArray[Any]],
    resamples: int | None = None,
) -> dict[str, Any]:
    """Each statistic of the columns, and its interval at ``_low`` and ``_high`` where one can be told."""
    figures: dict[str, Any] = {}
    for name, statistic in statistics.items():
        figures[name] = statistic(*columns)
        low, high = bootstrap_interval(statistic, groups, *columns, n=resamples or RESAMPLES)
        if np.isfinite(low):
            figures |= {f"{name}_low": low, f"{name}_high": high}
    return figures


def mean(values: DoubleArray) -> float:
    """The statistic of most intervals."""
    return float(values.mean())


def seconds_per_image(model: FocusModel, fields: FieldSet) -> float:
    """Seconds to score one RGB image of 1024 x 1024, the better of two runs (one when it is slow)."""
    side = fields.images.shape[2]
    repeats = -(-TIMED_PX // side)
    image = np.tile(fields.images[0, 0], (repeats, repeats, 1))[:TIMED_PX, :TIMED_PX]
    image = np.ascontiguousarray(image)
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        model.score(image, fields.mpp)
        best = min(best, time.perf_counter() - start)
        if best > 1:
            break
    return best


def evaluate_focus_simulated(
    model: FocusModel, folder: Path, seeds: tuple[int, ...] = (901, 902)
) -> list[dict[str, Any]]:
    """Map simulated slides of tissue phantoms, which no shipped model has trained on, and compare with their truth.

    Parameters
    ----------
    folder : Path
        Where the slides are written (and found again).

    Returns
    -------
    One row a slide and stain: tissue windows, the Spearman correlation with the true |z| and how well blurred windows
    are told from sharp ones, with intervals drawn by squares of SQUARE_PX.
    """
    from focusviewer.focus import map_slide
    from focusviewer.focus.mapping.truth import true_distances
    from focusviewer.simulation.demo_slide import VERSION, write_simulated_slide
    from focusviewer.slides import open_slide
    from focusviewer.slides.writer import truth_path

    rows = []
    for seed, stain in zip(seeds, ("he", "ihc") * len(seeds), strict=False):
        path = folder / f"evaluation-v{VERSION}-{seed}-{stain}.ome.tif"
        truth = truth_path(path)
        if not (path.exists() and truth.exists()):
            truth = write_simulated_slide(path, seed=seed, width=6000, height=5000, blur="mixed", stain=stain)
        with open_slide(path) as slide:
            focus_map = map_slide(slide, model)
        with np.load(truth, allow_pickle=False) as file:
            known = dict(file)
        rows.append(
            {"slide": path.name, "model": model.name, **_map_figures(focus_map, true_distances(focus_map, known))}
        )
    return rows


def _map_figures(focus_map: FocusMap, true_um: npt.NDArray[np.float32]) -> dict[str, Any]:
    row, col = np.nonzero(focus_map.tissue)
    square = focus_map.y[row] // SQUARE_PX * 1000 + focus_map.x[col] // SQUARE_PX
    statistics: dict[str, Callable[..., float]] = {
        "srcc": srcc,
        "roc_auc": lambda score, z_um: roc_auc(score, z_um >= BLURRY_LEVEL * LEVEL_UM),
    }
    figures = intervals(statistics, square, (focus_map.blur[row, col], true_um), RESAMPLES // 2)
    return {"tissue_windows": row.size, **{name: round(value, 4) for name, value in figures.items()}}
