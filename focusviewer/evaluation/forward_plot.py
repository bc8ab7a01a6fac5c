"""Measured and predicted transfer functions of one stack as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from focusviewer.simulation.fitting.pair import PairFit
from focusviewer.simulation.fitting.transfer import gaussian_transfer
from focusviewer.training.lab.plotting import INK, new_figure, one_look, round_ticks, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from focusviewer.evaluation.forward import StackFidelity

_WIDTH_PX, _HEIGHT_PX, _COLUMNS = 320, 240, 4
_LOW, _HIGH = -0.4, 1.2
_SIMPLE = "#9aa4ae"
_COLOURS = {1: (INK,), 3: ("#c0392b", "#2e8b57", "#1f6fb2")}


@one_look()
def draw_stack(path: Path, result: StackFidelity) -> Path:
    """One panel a pair: measured transfer functions as rings, predicted ones as lines, the best Gaussian in gray.

    Parameters
    ----------
    path : Path
        A PNG.
    """
    pairs = [(row, fit) for row, fit in zip(result.rows, result.fits, strict=True) if fit is not None]
    rows = max(1, -(-len(pairs) // _COLUMNS))
    columns = max(1, min(_COLUMNS, len(pairs)))
    figure = new_figure(columns * _WIDTH_PX, rows * _HEIGHT_PX)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    for axes, (row, fit) in zip(panels, pairs, strict=False):
        _panel(axes, row, fit)
    write_png(figure, path)
    return path


def _panel(axes: Axes, row: dict[str, Any], fit: PairFit) -> None:
    spectra, end = fit.spectra, _end(fit)
    axes.set_xlim(0, end)
    axes.set_ylim(_LOW, _HIGH)
    round_ticks(axes, 4, 4)
    axes.grid(visible=False, axis="x")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("cycles per um")
    title = f"{row['sharp']} to {row['blurred']}: {row['psnr']:.2f} dB, Gaussian {row['gaussian_psnr']:.2f}"
    axes.set_title(title, fontsize=8)
    fine = np.linspace(0.0, end, 200)
    axes.plot(fine, np.clip(gaussian_transfer(fine, fit.sigma_um), _LOW, _HIGH), color=_SIMPLE)
    seen = spectra.frequency <= end
    colours = _COLOURS[len(spectra.transfer)]
    for colour, measured, predicted in zip(colours, _relative(fit), fit.model.curve(fine), strict=True):
        measured = np.clip(measured[seen], _LOW, _HIGH)
        axes.plot(spectra.frequency[seen], measured, "o", color=colour, fillstyle="none", markersize=3)
        axes.plot(fine, np.clip(predicted, _LOW, _HIGH), color=colour)


def _relative(fit: PairFit) -> npt.NDArray[np.float64]:
    return np.asarray(fit.spectra.transfer / fit.model.gain[:, None])


def _end(fit: PairFit) -> float:
    """Highest frequency worth showing: where what the planes share has sunk into the noise."""
    spectra = fit.spectra
    shared = 1 - spectra.rest / spectra.blurred
    told = np.nonzero((shared > 0.02).any(axis=0))[0]
    last = int(told[-1]) if told.size else spectra.frequency.size - 1
    zeros = [zero.zero for zero in fit.measured_reversal if zero.zero]
    wanted = max(spectra.frequency[last], *(2.2 * zero for zero in zeros), 4 * spectra.frequency[2])
    return float(min(wanted, spectra.frequency[-1]))
