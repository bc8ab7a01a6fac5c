"""The calibrations that are shipped: fitted to simulated tissue of the training side, at both scales from one image."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.focus.base import FocusModel
from focusviewer.focus.calibration.curve import BLANK, Calibration, fit_curve
from focusviewer.focus.calibration.store import write_calibrations
from focusviewer.optics import Camera, Optics
from focusviewer.simulation.phantom.tissue import TissuePhantom
from focusviewer.simulation.sections.blur_pattern import BlurPattern
from focusviewer.simulation.slides import SlideSimulator
from focusviewer.training.data.sources import load_sources, sharp_crops
from focusviewer.training.data.stacks import FIRST_SEED, simulate_focus_crops

FINE_MPP, COARSE_MPP = 0.25, 0.5
NA_RANGE = (0.65, 0.8)
"""Of objectives that scan at both scales: scanners called 20x mostly have the lens of the others."""

FIELD_PX = 480
MAX_Z_UM = 5.0
SEED = 7_000
"""Of the fields: none of the crops that networks are trained on has it."""

SLIDE_PX = 3072
_SQUARES, _PLANES = 8, 8  # of a slide; of a square
_GRID_PX, _INSIDE_UM = 64, 60.0  # squares lie this far inside the tissue

_PER_FIELD = 6  # windows of a field that count: models with small windows have hundreds


@dataclass(frozen=True)
class Fields:
    """Simulated tissue with known distance from focus, seen at two scales.

    Attributes
    ----------
    fine, coarse : uint8 (N, S, S, 3), uint8 (N, S / 2, S / 2, 3)
        At 0.25 um, and the same pixels averaged in twos at 0.5 um.
    z_um : float32 (N,)
    """

    fine: RGB
    coarse: RGB
    z_um: npt.NDArray[np.float32]


def calibration_fields(data: Path, count: int = 1000, seed: int = SEED) -> Fields:
    """Make fields to calibrate with: half from sharp images of the training side, half out of phantom slides.

    Raises
    ------
    UserError
        If the data folder holds no sharp images.
    """
    crops = sharp_crops(load_sources(data, "train"), FIELD_PX)
    patches, patches_z, _ = simulate_focus_crops(crops, count // 2, FIELD_PX, FINE_MPP, NA_RANGE, MAX_Z_UM, seed)
    squares, squares_z = _slide_squares(count - count // 2, seed)
    images = np.concatenate([patches, squares])
    z_um = np.concatenate([patches_z, squares_z])
    order = np.random.default_rng((seed, 42)).permutation(len(images))  # models that stop early see both
    images, z_um = images[order], z_um[order]
    half = FIELD_PX // 2
    pairs = images.reshape(len(images), half, 2, half, 2, 3).mean(axis=(2, 4), dtype=np.float32)
    return Fields(images, np.asarray(np.rint(pairs), np.uint8), z_um)


def _slide_squares(count: int, seed: int) -> tuple[RGB, npt.NDArray[np.float32]]:
    """Squares of tissue out of phantom slides as maps are made of, each at several distances from focus."""
    pictures: list[RGB] = []
    distances: list[float] = []
    slide = 0
    while len(pictures) < count:
        rng = np.random.default_rng((seed, 41, slide))
        simulator = _slide(seed + slide, rng)
        inside = np.argwhere(simulator.phantom.tissue_depth_um(_GRID_PX) > _INSIDE_UM)
        for row, col in rng.permutation(inside)[:_SQUARES]:
            corner = (int(np.clip(middle * _GRID_PX - FIELD_PX // 2, 0, SLIDE_PX - FIELD_PX)) for middle in (col, row))
            x, y = (side // 8 * 8 for side in corner)
            z_um = np.concatenate([[0.0], rng.uniform(0, MAX_Z_UM, _PLANES - 1)]) * rng.choice((-1.0, 1.0))
            pictures += list(simulator.stack(x, y, FIELD_PX, tuple(z_um.tolist())))
            distances += np.abs(z_um).tolist()
        slide += 1
    return np.stack(pictures[:count]), np.asarray(distances[:count], np.float32)


def _slide(seed: int, rng: np.random.Generator) -> SlideSimulator:
    phantom = TissuePhantom(
        FIRST_SEED + seed,
        SLIDE_PX,
        SLIDE_PX,
        mpp=FINE_MPP,
        stain="ihc" if rng.random() < 0.35 else "he",
        thickness_um=float(rng.uniform(1.8, 3.0)),
        slabs=3,
        kind="slide",
    )
    optics = Optics(na=float(rng.uniform(*NA_RANGE)), chromatic_shift_um=(0.12, 0.0, -0.12))
    return SlideSimulator(phantom, BlurPattern(), None, optics, Camera(noise=float(rng.uniform(0.002, 0.006))))


def calibrate_simulated(model: FocusModel, fields: Fields, seconds: float = 60.0) -> list[Calibration]:
    """Fit a model's curves to simulated fields, one for each scale at which its scores rise with distance.

    Parameters
    ----------
    seconds : float
        Time for each scale; slow models see fewer fields, at least a tenth of them.
    """
    fitted = []
    for mpp, images in ((FINE_MPP, fields.fine), (COARSE_MPP, fields.coarse)):
        scores, distances = [], []
        started = time.perf_counter()
        for index, image in enumerate(images):
            if index > len(images) // 10 and time.perf_counter() - started > seconds:
                break
            found = model.score_windows(image, mpp).scores.ravel().astype(np.float64)
            # Maps of absolute models hold nothing below 0 either.
            found = np.maximum(found, 0) if model.absolute else found
            kept = found[:: max(1, found.size // _PER_FIELD)]
            scores.append(kept)
            distances.append(np.full(kept.size, fields.z_um[index]))
        try:
            curve = fit_curve(np.concatenate(scores), np.concatenate(distances))
        except UserError:
            continue
        source = f"shipped, simulated tissue at {mpp:g} um/px"
        fitted.append(Calibration(model.name, model.version, "", mpp, curve, source))
    return fitted


def fit_shipped(
    models: Sequence[FocusModel],
    data: Path,
    out: Path,
    known: Sequence[Calibration] = (),
    count: int = 1000,
    seconds: float = 60.0,
    on_progress: Callable[[float, str], None] | None = None,
) -> list[Calibration]:
    """Fit the calibrations of some models, and write them with those known of the others, and a card.

    Parameters
    ----------
    out : Path
        ``.json`` file; the card is the ``.md`` beside it.
    known : sequence of Calibration
        Kept where their model is not among ``models``.

    Raises
    ------
    UserError
        If there are no data, or the file cannot be written.
    """
    output_folder(out.parent)
    fields = calibration_fields(data, count)
    names = {model.name for model in models}
    fitted = [calibration for calibration in known if calibration.model not in names]
    for index, model in enumerate(models):
        if on_progress is not None:
            on_progress(index / len(models), model.name)
        fitted += calibrate_simulated(model, fields, seconds)
    fitted.sort(key=lambda calibration: (calibration.model, calibration.mpp or 0))
    write_calibrations(out, fitted)
    with atomic_write(out.with_suffix(".md")) as temporary:
        temporary.write_text(_card(fitted, count), encoding="utf-8")
    return fitted


def _card(calibrations: Sequence[Calibration], count: int) -> str:
    rows = [
        f"| {entry.model} | {entry.version} | {entry.mpp:g} | {_in_focus(entry):.4g} | "
        f"{_score_at(entry, 1.0):.4g} | {_score_at(entry, 3.0):.4g} |"
        for entry in calibrations
    ]
    return "\n".join(
        [
            "# Calibrations of focus scores",
            "",
            "| | |",
            "|---|---|",
            "| What | score of a model -> distance from focus in um, a monotone curve for each scale |",
            f"| Fitted to | {count} simulated fields of {FIELD_PX} px at {FINE_MPP:g} um, 0 to {MAX_Z_UM:g} um from "
            f"focus, NA {NA_RANGE[0]:g} to {NA_RANGE[1]:g}; the same pixels averaged in twos at {COARSE_MPP:g} um |",
            "| Data | training side of the split only: half licensed real patches, half phantom slides |",
            f"| Method | median score per 0.25 um, isotonic, read backwards; {BLANK:.0%} of tissue in focus reads 0 |",
            "| Command | focusviewer calibrate --simulated |",
            "",
            "A calibration holds for the weights it was fitted to (version below) and for no others.",
            "",
            "| model | version | um/px | score in focus | at 1 um | at 3 um |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## Limits",
            "",
            "Simulated optics of NA 0.65 to 0.8. Another scanner, lens or stain reads differently: calibrate with a",
            "focal stack of its own (`focusviewer calibrate STACK`). Research use only.",
            "",
        ]
    )


def _in_focus(calibration: Calibration) -> float:
    found = calibration.curve.in_focus
    return calibration.curve.scores[0] if found is None else found


def _score_at(calibration: Calibration, um: float) -> float:
    return float(np.interp(um, calibration.curve.um, calibration.curve.scores))
