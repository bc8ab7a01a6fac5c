"""Measured and predicted transfer functions of one stack as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.files import atomic_write
from focusviewer.simulation.fitting.pair import PairFit
from focusviewer.simulation.fitting.transfer import gaussian_transfer
from focusviewer.training.lab.curve import ticks

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from focusviewer.evaluation.forward import StackFidelity

_WIDTH, _HEIGHT, _COLUMNS, _SHARPER = 320, 240, 4, 2
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 26, 10, 30
_LOW, _HIGH = -0.4, 1.2
_INK, _FAINT, _SIMPLE = "#24292f", "#d8dee4", "#9aa4ae"
_COLOURS = {1: ("#24292f",), 3: ("#c0392b", "#2e8b57", "#1f6fb2")}


def draw_stack(path: Path, result: StackFidelity) -> Path:
    """One panel a pair: measured transfer functions as dots, predicted ones as lines, the best Gaussian in gray.

    Parameters
    ----------
    path : Path
        A PNG.
    """
    from PIL import Image, ImageDraw

    pairs = [(row, fit) for row, fit in zip(result.rows, result.fits, strict=True) if fit is not None]
    rows = max(1, -(-len(pairs) // _COLUMNS))
    columns = max(1, min(_COLUMNS, len(pairs)))
    size = (columns * _WIDTH, rows * _HEIGHT)
    image = Image.new("RGB", (size[0] * _SHARPER, size[1] * _SHARPER), "white")
    draw = ImageDraw.Draw(image)
    for index, (row, fit) in enumerate(pairs):
        _panel(draw, index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT, row, fit)
    with atomic_write(path) as temporary:
        image.resize(size, Image.Resampling.LANCZOS).save(temporary)
    return path


def _panel(draw: ImageDraw, x: int, y: int, row: dict[str, Any], fit: PairFit) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(11 * _SHARPER)
    box = [(x + _LEFT), (y + _TOP), (x + _WIDTH - _RIGHT), (y + _HEIGHT - _BOTTOM)]
    x0, y0, x1, y1 = (side * _SHARPER for side in box)
    spectra = fit.spectra
    end = _end(fit)

    def at(frequency: float, value: float) -> tuple[float, float]:
        height = min(max(value, _LOW), _HIGH)
        return x0 + (x1 - x0) * frequency / end, y1 - (y1 - y0) * (height - _LOW) / (_HIGH - _LOW)

    for value in ticks(_LOW, _HIGH, 4):
        draw.line([at(0, value), at(end, value)], _INK if value == 0 else _FAINT, _SHARPER)
        draw.text((x0 - 5 * _SHARPER, at(0, value)[1]), f"{value:g}", _INK, font, anchor="rm")
    for value in ticks(0, end, 4):
        draw.text((at(value, 0)[0], y1 + 4 * _SHARPER), f"{value:g}", _INK, font, anchor="mt")
    draw.text(((x0 + x1) / 2, y1 + 16 * _SHARPER), "cycles per um", _INK, font, anchor="mt")
    title = f"{row['sharp']} to {row['blurred']}: {row['psnr']:.2f} dB, Gaussian {row['gaussian_psnr']:.2f}"
    draw.text((x0, (y + 6) * _SHARPER), title, _INK, font)
    fine = np.linspace(0.0, end, 200)
    _line(draw, [at(f, v) for f, v in zip(fine, gaussian_transfer(fine, fit.sigma_um), strict=True)], _SIMPLE)
    seen = spectra.frequency <= end
    colours = _COLOURS[len(spectra.transfer)]
    for channel, predicted in enumerate(fit.model.curve(fine)):
        for frequency, value in zip(spectra.frequency[seen], _relative(fit)[channel][seen], strict=True):
            px, py = at(float(frequency), float(value))
            draw.ellipse([px - 3, py - 3, px + 3, py + 3], outline=colours[channel])
        _line(draw, [at(f, v) for f, v in zip(fine, predicted, strict=True)], colours[channel])


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


def _line(draw: ImageDraw, points: list[tuple[float, float]], colour: str) -> None:
    draw.line(points, colour, 2 * _SHARPER, joint="curve")
