"""How well the image-formation model predicts real planes: fitted to pairs of them, beside the best simple blurs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.tables.table import Column, Table
from focusviewer.evaluation.test_sets.real_stacks import ASSUMED_MPP, REFERENCE, plane_files
from focusviewer.metrics import psnr, ssim
from focusviewer.metrics.similarity import RADIUS, ssim_map
from focusviewer.optics.psf import Optics
from focusviewer.simulation.fitting.pair import PairFit, fit_pair
from focusviewer.simulation.fitting.predict import Prediction
from focusviewer.simulation.fitting.profile import sharpest_plane
from focusviewer.simulation.fitting.spectra import Reversal

ZERO_TOLERANCE = 0.15
"""How far a predicted first zero may lie from the measured one."""

LEVEL_DB = 0.02
"""Decibels below the best Gaussian that still count as reaching it: two predictions of one picture differ by more."""

OFFSETS = (1, 2, 4, 6, 9)
"""Distances, in planes on either side of the sharpest, of the planes that are predicted."""

LARGEST_PX = 1024
COLOURS = {1: ("gray",), 3: ("red", "green", "blue")}


@dataclass(frozen=True)
class PlaneStack:
    """A real focal stack as it was recorded.

    Attributes
    ----------
    planes : uint8 (P, N, H, W, C)
        P planes of N fields; C = 1 for gray.
    mpp : float
        Pixel size, um.
    mpp_assumed : bool
        Whether the pixel size is assumed, because it is not stated.
    step_um : float or None
        Distance of two planes, where stated.
    sharp : int or None
        The plane stated as best.
    optics : Optics or None
        The microscope, where stated.
    """

    name: str
    planes: RGB
    mpp: float
    mpp_assumed: bool
    step_um: float | None = None
    sharp: int | None = None
    optics: Optics | None = None


_SCALES: dict[str, float] = {"huron-brain": 1.0}
_STEPS: dict[str, float] = {"huron-brain": 1.0}


def pair_figures(
    sharp: RGB, blurred: RGB, mpp: float, optics: Optics | None = None, free_na: bool = True
) -> tuple[dict[str, Any], PairFit]:
    """Fit the model to a pair of planes and say how well it predicts.

    Parameters
    ----------
    sharp, blurred : uint8 (H, W), (H, W, C) or (N, H, W, C)
    mpp : float
        Pixel size, um.

    Returns
    -------
    The figures (plain values) and the fit.

    Raises
    ------
    UserError
        See :func:`focusviewer.simulation.fitting.pair.fit_pair`.
    """
    fit = fit_pair(sharp, blurred, mpp, optics, free_na)
    transfer, lens = fit.model.transfer, fit.model.transfer.optics
    rows: dict[str, Any] = {}
    for prefix, made in (("", fit.predicted), ("gaussian_", fit.gaussian), ("disk_", fit.disk), ("limit_", fit.limit)):
        rows |= {f"{prefix}psnr": _psnr(made, fit), f"{prefix}ssim": _ssim(made, fit)}
    colours = COLOURS[fit.truth.shape[3]]
    axial = lens.chromatic_shift_um if len(colours) == 3 else lens.chromatic_shift_um[1:2]
    rows |= {
        "z_um": transfer.z_um,
        "thickness_um": transfer.thickness_um,
        "na": lens.na,
        "refractive_index": lens.refractive_index,
        "condenser": lens.condenser,
        "refraction": lens.refraction,
        "spherical_waves": lens.spherical_waves,
        "chromatic_shift_um": list(axial),
        "tone": fit.predicted.tone,
        "gain": list(map(float, fit.model.gain)),
        "noise": fit.noise,
        "gaussian_sigma_um": fit.sigma_um,
        "disk_radius_um": fit.radius_um,
        "explained": fit.spectra.explained,
        "deviation": fit.model.deviation,
        "shift_px": fit.alignment.shift_px.tolist(),
        "scale": fit.alignment.scale,
        "rotation_rad": fit.alignment.rotation_rad,
        "mpp": mpp,
        "colours": list(colours),
    }
    rows |= zero_figures(fit.measured_reversal, fit.predicted_reversal)
    return {key: _rounded(value) for key, value in rows.items()}, fit


def zero_figures(measured: Sequence[Reversal], predicted: Sequence[Reversal]) -> dict[str, Any]:
    """First zeros and contrast reversal, per colour, and how many predicted zeros lie within 15 % of measured ones."""
    pairs = list(zip(measured, predicted, strict=True))
    errors = [None if m.zero is None else (1.0 if p.zero is None else abs(p.zero / m.zero - 1)) for m, p in pairs]
    return {
        "first_zero": {"measured": [m.zero for m in measured], "predicted": [p.zero for p in predicted]},
        "reversal_depth": {"measured": [m.depth for m in measured], "predicted": [p.depth for p in predicted]},
        "zero_error": errors,
        "zeros_measured": sum(error is not None for error in errors),
        "zeros_right": sum(error is not None and error <= ZERO_TOLERANCE for error in errors),
    }


def _psnr(made: Prediction, fit: PairFit) -> float:
    if fit.inside is None:
        return psnr(made.planes.reshape(-1, *fit.truth.shape[2:]), fit.truth.reshape(-1, *fit.truth.shape[2:]))
    return psnr(made.planes[:, fit.inside], fit.truth[:, fit.inside])


def _ssim(made: Prediction, fit: PairFit) -> float:
    if fit.inside is None:
        return float(np.mean([ssim(a, b) for a, b in zip(made.planes, fit.truth, strict=True)]))
    inner = fit.inside[RADIUS:-RADIUS, RADIUS:-RADIUS]
    return float(np.mean([ssim_map(a, b)[inner].mean() for a, b in zip(made.planes, fit.truth, strict=True)]))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def real_plane_stacks(data_dir: Path) -> list[PlaneStack]:
    """Every real focal stack of the data folder: ``stacks/*/*`` and the wide-field stack of ``fluorescence``.

    Raises
    ------
    UserError
        If there are none.
    """
    folders = [folder for folder in sorted((data_dir / "stacks").glob("*/*")) if folder.is_dir()]
    stacks = [_read_folder(folder) for folder in folders]
    stacks += [_read_wide_field(path) for path in sorted((data_dir / "fluorescence").glob("neubias-*.tif"))]
    if not stacks:
        raise UserError(f"No focal stacks in {data_dir}", "stacks/ is missing", "Give the data folder with --data.")
    return stacks


def _read_folder(folder: Path) -> PlaneStack:
    from PIL import Image

    packed = folder / "stacks.npz"
    if packed.exists():
        planes = np.moveaxis(np.load(packed, allow_pickle=False)["stacks"], 1, 0)[..., None]
    else:
        pictures = [np.asarray(Image.open(path)) for path in plane_files(folder)]
        planes = np.stack([picture[None, ..., None] if picture.ndim == 2 else picture[None] for picture in pictures])
    best = REFERENCE.get(folder.name)
    return PlaneStack(
        folder.name,
        structured_part(planes),
        _SCALES.get(folder.name, ASSUMED_MPP),
        folder.name not in _SCALES,
        _STEPS.get(folder.name),
        None if best is None else (best[0] + best[1]) // 2,
    )


def _read_wide_field(path: Path) -> PlaneStack:
    """The wide-field channel of a nucleus: its file states pixel size, step, objective (40x/1.2 W) and emission."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        planes = file.asarray()[:, 1].astype(np.float32)
        pixels, unit = file.pages[0].tags["XResolution"].value  # type: ignore[union-attr]
        step = float((file.imagej_metadata or {})["spacing"])
    low, high = float(planes.min()), float(np.percentile(planes, 99.99))
    stored = np.clip((planes - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    optics = Optics(na=1.2, refractive_index=1.333, wavelengths_um=(0.455, 0.455, 0.455))
    return PlaneStack(path.stem, stored[:, None, ..., None], unit / pixels, False, step, None, optics)


def structured_part(planes: RGB, size_px: int = LARGEST_PX) -> RGB:
    """The part with most structure, where planes are larger than that: uint8 (P, N, H, W, C)."""
    height, width = planes.shape[2:4]
    if max(height, width) <= size_px:
        return planes
    middle = planes[planes.shape[0] // 2, 0].mean(axis=2, dtype=np.float32)
    edges = np.abs(np.diff(middle[::4, ::4], axis=0))[:, :-1] + np.abs(np.diff(middle[::4, ::4], axis=1))[:-1]
    best, corner = -1.0, (0, 0)
    for y in np.linspace(0, max(0, height - size_px), 8).astype(int):
        for x in np.linspace(0, max(0, width - size_px), 8).astype(int):
            value = float(edges[y // 4 : (y + size_px) // 4, x // 4 : (x + size_px) // 4].mean())
            if value > best:
                best, corner = value, (int(y), int(x))
    y, x = corner
    return np.ascontiguousarray(planes[:, :, y : y + size_px, x : x + size_px])


@dataclass
class StackFidelity:
    """The rows of one stack, and the fits behind them (None where a pair cannot be fitted)."""

    stack: PlaneStack
    rows: list[dict[str, Any]] = field(default_factory=list)
    fits: list[PairFit | None] = field(default_factory=list)


def stack_fidelity(stack: PlaneStack, offsets: Sequence[int] = OFFSETS) -> StackFidelity:
    """Predict planes on both sides of the sharpest one from it.

    A pair that cannot be fitted has a row with the reason.
    """
    sharp = sharpest_plane(stack.planes) if stack.sharp is None else stack.sharp
    result = StackFidelity(stack)
    for offset in sorted([-offset for offset in offsets] + list(offsets)):
        plane = sharp + offset
        if not 0 <= plane < len(stack.planes):
            continue
        row: dict[str, Any] = {
            "stack": stack.name,
            "sharp": sharp,
            "blurred": plane,
            "mpp": stack.mpp,
            "mpp_assumed": stack.mpp_assumed,
            "z_stated_um": None if stack.step_um is None else abs(offset) * stack.step_um,
        }
        fit = None
        try:
            figures, fit = pair_figures(
                stack.planes[sharp], stack.planes[plane], stack.mpp, stack.optics, stack.optics is None
            )
            row |= figures
        except UserError as error:
            row["why"] = error.why or error.what
        result.rows.append(row)
        result.fits.append(fit)
    return result


def fidelity(data_dir: Path, on_stack: Callable[[StackFidelity, float], None] | None = None) -> list[dict[str, Any]]:
    """Evaluate the model on every real stack of the data folder.

    Parameters
    ----------
    on_stack : function, optional
        Called with each stack's result and the share that is done.
    """
    stacks = real_plane_stacks(data_dir)
    rows: list[dict[str, Any]] = []
    for index, stack in enumerate(stacks):
        result = stack_fidelity(stack)
        rows += result.rows
        if on_stack:
            on_stack(result, (index + 1) / len(stacks))
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Whether the model does what it must, over all pairs that could be fitted."""
    fitted = [row for row in rows if "psnr" in row]
    gains = [row["psnr"] - max(row["gaussian_psnr"], 0.0) for row in fitted]
    return {
        "pairs": len(rows),
        "fitted": len(fitted),
        "reach_gaussian": sum(gain >= -LEVEL_DB for gain in gains),
        "gain_over_gaussian_db": float(np.mean(gains)) if gains else None,
        "least_gain_db": float(min(gains)) if gains else None,
        "reach_disk": sum(row["psnr"] >= row["disk_psnr"] - LEVEL_DB for row in fitted),
        "zeros_measured": sum(row["zeros_measured"] for row in fitted),
        "zeros_right": sum(row["zeros_right"] for row in fitted),
    }


def fidelity_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows for people."""
    shown = []
    for row in rows:
        shown.append(dict(row))
        if "psnr" in row:
            zeros, depth = row["first_zero"], row["reversal_depth"]
            shown[-1] |= {f"zero_{end}": _joined(zeros[end], 3) for end in ("measured", "predicted")}
            shown[-1] |= {f"depth_{end}": _joined(depth[end], 2) for end in ("measured", "predicted")}
    columns = (
        Column("stack", "stack"),
        Column("sharp", "from"),
        Column("blurred", "to"),
        Column("psnr", "PSNR, dB", 2, "high"),
        Column("gaussian_psnr", "Gaussian", 2),
        Column("disk_psnr", "disk", 2),
        Column("limit_psnr", "measured filter", 2),
        Column("ssim", "SSIM", 4, "high"),
        Column("gaussian_ssim", "Gaussian", 4),
        Column("z_um", "z, um", 2),
        Column("z_stated_um", "stated", 2),
        Column("na", "NA", 2),
        Column("thickness_um", "thick, um", 1),
        Column("zero_measured", "first zero, 1/um"),
        Column("zero_predicted", "predicted"),
        Column("depth_measured", "reversal"),
        Column("depth_predicted", "predicted"),
    )
    assumed = sorted({row["stack"] for row in rows if row["mpp_assumed"]})
    note = (
        "The model fitted to pairs of planes of real stacks, the sharpest plane predicting the others; "
        "values per colour as R/G/B. The measured filter is the measured transfer function itself, which knows the "
        "answer."
    )
    if assumed:
        note += (
            f" Nobody states the scale of {', '.join(assumed)}: fitted as {ASSUMED_MPP:g} um pixels, and z, NA and "
            "frequencies hold for that scale only."
        )
    return Table("forward", "Image formation on real planes", columns, tuple(shown), note)


def _joined(values: Sequence[float | None], digits: int) -> str:
    return "/".join("-" if not value else f"{value:.{digits}f}" for value in values)
