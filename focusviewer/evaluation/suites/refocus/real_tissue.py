"""Blind refocusing of real tissue that is out of focus, beside the best that a textbook filter can do.

The textbook filter is :func:`focusviewer.refocus.wiener.filters.wiener_transfer`, once as the best of many (distance
and regularisation picked with the answer known, for each figure by itself: a bar, not a method), and once as one gentle
setting for everything, which no engine may fall behind. The camera's gain and offset differ from plane to plane, so
every picture is matched to the sharp plane by a straight line for each colour before it is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import reason
from focusviewer.evaluation.test_sets.real_stacks import ASSUMED_MPP
from focusviewer.evaluation.test_sets.real_tissue import RealPair
from focusviewer.metrics import psnr, ssim
from focusviewer.refocus.auto import best_z
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.modes import reach_um
from focusviewer.refocus.wiener.filters import PictureSpectrum, wiener_transfer

DISTANCES_UM = (0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
REGULARISATIONS = (0.02, 0.1, 0.3, 1.0, 3.0)
"""What the best textbook filter is picked from."""

GENTLE = (2.0, 1.0)
"""Distance (um) and regularisation of the fixed filter."""

BORDER_PX = 16
FIGURES: dict[str, Callable[[RGB, RGB], float]] = {"psnr": psnr, "ssim": ssim}

ALL = "all tissue"


class TextbookFilters:
    """Figures of the textbook filters, which do not depend on the engine: computed once for each pair."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, float]] = {}

    def figures(self, pair: RealPair) -> dict[str, float]:
        """``psnr`` and ``ssim`` of the scan (``_before``), the ``_gentle`` and the ``_best`` filter, never below it."""
        key = (pair.tissue, pair.case)
        if key not in self._kept:
            self._kept[key] = _textbook(pair)
        return self._kept[key]


def best_textbook(pair: RealPair) -> RGB:
    """The textbook filter's picture with the highest SSIM to the sharp plane: the scan where none is nearer."""
    made = (np.asarray(np.clip(picture, 0, 255) + 0.5, np.uint8) for picture in _tried(pair))
    return max((pair.blurred, *made), key=lambda picture: compared(picture, pair.sharp)["ssim"])


def _tried(pair: RealPair) -> Iterator[FloatArray]:
    """What the textbook filter makes of a scan: the gentle setting, then all others."""
    spectrum = PictureSpectrum(pair.blurred, ASSUMED_MPP)
    for z_um, regularisation in (GENTLE, *((z, n) for z in DISTANCES_UM for n in REGULARISATIONS)):
        yield spectrum.filtered(wiener_transfer(spectrum.table.frequency, z_um, 0.0, regularisation))


def _textbook(pair: RealPair) -> dict[str, float]:
    scan = compared(pair.blurred, pair.sharp)
    gentle, *others = (compared(picture, pair.sharp) for picture in _tried(pair))
    tried = [scan, gentle, *others]
    row: dict[str, float] = {}
    for name in FIGURES:
        best = max(figures[name] for figures in tried)
        row |= {f"{name}_before": scan[name], f"{name}_gentle": gentle[name], f"{name}_best": best}
    return row


def compared(made: RGB | FloatArray, sharp: RGB) -> dict[str, float]:
    """PSNR and SSIM against the sharp plane, gain and offset of each colour matched, without the borders."""
    inner = (slice(BORDER_PX, -BORDER_PX),) * 2
    matched = np.empty(sharp.shape, np.float32)
    for colour in range(3):
        values, wanted = (np.asarray(image[..., colour], np.float64) for image in (made, sharp))
        off, apart = values - values.mean(), wanted - wanted.mean()
        slope = float((off * apart).mean() / max(float((off * off).mean()), 1e-9))
        matched[..., colour] = wanted.mean() + slope * off
    pixels = np.asarray(np.rint(matched.clip(0, 255)), np.uint8)
    return {name: figure(pixels[inner], sharp[inner]) for name, figure in FIGURES.items()}


def evaluate_real_tissue(
    engine: Refocuser, pairs: Sequence[RealPair], textbook: TextbookFilters | None = None
) -> list[dict[str, Any]]:
    """Refocus each blurred plane blind, to the best single focus and to all in focus.

    Returns
    -------
    One row a pair: tissue, case, PSNR and SSIM of the scan (``_before``), of the engine (``_auto``, ``_all``), of the
    ``_gentle`` and of the ``_best`` textbook filter; ``why`` instead where the engine refuses.
    """
    textbook = textbook or TextbookFilters()
    rows = []
    for pair in pairs:
        row: dict[str, Any] = {"tissue": pair.tissue, "case": pair.case}
        try:
            for name, made in _pictures(engine, pair.blurred):
                row |= {f"{figure}_{name}": value for figure, value in compared(made, pair.sharp).items()}
        except UserError as error:
            rows.append({**row, "why": reason(error)})
            continue
        rows.append(row | textbook.figures(pair))
    return rows


def _pictures(engine: Refocuser, blurred: RGB) -> Iterator[tuple[str, RGB]]:
    encoded = engine.encode([blurred], ASSUMED_MPP)
    yield "auto", engine.render(encoded, best_z(engine, encoded, *reach_um(encoded.planes_um, engine.max_z_um)))
    yield "all", engine.render(encoded, engine.all_in_focus_target(encoded))


def tissue_summary(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean gains over leaving the scan, by model and tissue, and over all tissue.

    Returns
    -------
    A row for each model and tissue: ``pairs``; ``gain_*`` in dB and ``ssim_gain_*`` of ``auto``, ``all``, ``gentle``
    and ``best``; ``share`` and ``ssim_share``: what ``auto`` or ``all``, whichever gains more in PSNR, reaches of the
    best textbook filter's gain (None where that has none); ``worst_gain``, dB, of that one.
    """
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row.get("why"):
            continue
        for tissue in (str(row["tissue"]), ALL):
            grouped.setdefault((str(row.get("model", "")), tissue), []).append(row)
    return [
        {"model": model, "tissue": tissue, "pairs": len(part), **_gains(part)}
        for (model, tissue), part in sorted(grouped.items(), key=lambda item: item[0][1] == ALL)
    ]


def _gains(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    gains = {
        f"{title}_{name}": float(np.mean([row[f"{figure}_{name}"] - row[f"{figure}_before"] for row in rows]))
        for figure, title in (("psnr", "gain"), ("ssim", "ssim_gain"))
        for name in ("auto", "all", "gentle", "best")
    }
    better = max(("auto", "all"), key=lambda name: gains[f"gain_{name}"])
    worst = min(row[f"psnr_{better}"] - row["psnr_before"] for row in rows)
    return {
        **gains,
        "share": _share(gains[f"gain_{better}"], gains["gain_best"]),
        "ssim_share": _share(gains[f"ssim_gain_{better}"], gains["ssim_gain_best"]),
        "worst_gain": float(worst),
    }


def _share(gain: float, best: float) -> float | None:
    return gain / best if best > 0 else None
