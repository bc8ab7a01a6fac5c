"""Refocusing engines against known truth: simulated defocus of held-out pictures, and planes of real stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.evaluation.suites.refocus.reblur import reblur_consistency
from focusviewer.evaluation.test_sets.real_stacks import ASSUMED_MPP, RealStack
from focusviewer.metrics import dists_form, iw_ssim, ms_ssim, psnr, ssim
from focusviewer.refocus.base import Refocuser

if TYPE_CHECKING:
    from focusviewer.evaluation.suites.refocus.competitors import Competitors
    from focusviewer.optics import Optics


DEPTHS_UM = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
NOISES = (0.002, 0.006)
CROP_PX = 224

SIMILARITY: dict[str, Callable[[RGB, RGB], float]] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "iw_ssim": iw_ssim,
    "dists": dists_form,
}
"""Every figure of similarity to the truth; the last one falls when images are alike, the others rise."""


def similarity_figures(image: RGB, truth: RGB) -> dict[str, float]:
    """All figures of :data:`SIMILARITY`."""
    return {name: figure(image, truth) for name, figure in SIMILARITY.items()}


def evaluate_refocus_real(
    engine: Refocuser,
    stacks: Sequence[RealStack],
    crop_px: int = 768,
    detail: bool = False,
    competitors: Competitors | None = None,
) -> list[dict[str, Any]]:
    """Refocus single planes of real stacks to their best focus, blind, and compare with the best plane.

    Only stacks with one best plane can be compared with it; each plane, the best one included, is refocused with
    the all-in-focus target.

    Parameters
    ----------
    crop_px : int
        Side of the central part that is evaluated.
    detail : bool
        Add MS-SSIM, IW-SSIM, the DISTS form and re-blur consistency, which take longer.
    competitors : Competitors, optional
        Add the figures of the blind Wiener filter on the same planes.

    Returns
    -------
    One row a plane: PSNR and SSIM before and after.
    """
    rows = []
    for stack in stacks:
        for truth, planes in _references(stack, crop_px):
            for index, plane in planes:
                row = {"stack": stack.name, "plane": index, **_blind(engine, plane, truth, detail)}
                if competitors is not None and row["gain_db"] is not None:
                    row |= competitors.blind(plane, truth, ASSUMED_MPP)
                rows.append(row)
    return rows


def _blind(engine: Refocuser, plane: RGB, truth: RGB, detail: bool) -> dict[str, Any]:
    """Figures before and after refocusing one plane; those before are None for the best plane itself."""
    encoded = engine.encode([plane], ASSUMED_MPP)
    made = engine.render(encoded, engine.all_in_focus_target(encoded))
    same = bool(np.array_equal(plane, truth))
    before, after = psnr(plane, truth), psnr(made, truth)
    row = {
        "psnr_before": None if same else round(before, 3),
        "psnr_after": round(after, 3),
        "gain_db": None if same else round(after - before, 3),
        "ssim_before": None if same else round(ssim(plane, truth), 4),
        "ssim_after": round(ssim(made, truth), 4),
        "estimated_um": round(float(np.median(encoded.blur_um)), 2),
    }
    if detail:
        for name in ("ms_ssim", "iw_ssim", "dists"):
            row[f"{name}_before"] = None if same else round(SIMILARITY[name](plane, truth), 4)
            row[f"{name}_after"] = round(SIMILARITY[name](made, truth), 4)
        row["reblur_db"] = round(reblur_consistency(made, plane, encoded.blur_um, ASSUMED_MPP), 2)
    return row


def _references(stack: RealStack, crop_px: int) -> list[tuple[RGB, list[tuple[int, RGB]]]]:
    """The best plane and the others around it, as central crops."""
    if stack.best is None:
        return []
    height, width = stack.planes.shape[1:3]
    y, x = max(0, (height - crop_px) // 2), max(0, (width - crop_px) // 2)
    crops = stack.planes[:, y : y + crop_px, x : x + crop_px]
    best = _sharpest(crops, stack.best)
    return [(crops[best], list(enumerate(crops)))]


def _sharpest(planes: RGB, best: tuple[int, int]) -> int:
    middle = (best[0] + best[1]) // 2
    return best[0] if best[0] == best[1] else middle


def evaluate_refocus_simulated(
    engine: Refocuser,
    crops: RGB,
    depths_um: tuple[float, ...],
    noise: float,
    seed: int,
    mpp: float = 0.25,
    groups: Sequence[str] | None = None,
    detail: bool = False,
    competitors: Competitors | None = None,
) -> list[dict[str, Any]]:
    """Blur sharp crops with known optics and refocus them blind.

    Parameters
    ----------
    crops : uint8 (N, S, S, 3)
        Sharp images never trained on.
    depths_um : tuple of float
        Defocus distances; 0 asks whether a sharp image stays as it is.
    noise : float
        Standard deviation of white camera noise, full scale = 1.
    groups : sequence of str, optional
        The picture each crop was cut from: intervals are drawn by it. Without it there are none.
    detail : bool
        Add MS-SSIM, IW-SSIM, the DISTS form and re-blur consistency with the true optics, which take longer.
    competitors : Competitors, optional
        Add the Wiener filters with everything known (``_oracle``) and with everything estimated (``_blind``), and how
        far the engine is above them (``over_oracle``, ``ssim_over_oracle``, ``over_blind``); not at distance 0.

    Returns
    -------
    One row a depth: mean PSNR and SSIM before and after with the blind all-in-focus target ("auto"), and with the
    target at the true distance ("knob", what a user reaches by turning to best focus).
    """
    from focusviewer.optics import Camera, Optics, defocus_image

    rng = np.random.default_rng(seed)
    rows = []
    for depth in depths_um:
        figures: list[dict[str, float]] = []
        for crop in crops:
            optics = Optics(na=float(rng.uniform(0.65, 0.78)))
            sharp = crop.astype(np.float32) / np.float32(255)
            light = defocus_image(sharp, depth, mpp, optics) if depth else sharp
            blurred = Camera(noise=noise).capture(light, rng)
            encoded = engine.encode([blurred], mpp)
            auto = engine.render(encoded, engine.all_in_focus_target(encoded))
            figures.append(_before_and_after(blurred, auto, engine.render(encoded, depth), crop, detail))
            if detail:
                # The blur beyond what the picture itself carries: the same operator that made it.
                figures[-1]["reblur_db"] = reblur_consistency(auto, blurred, depth, mpp, optics)
            if competitors is not None and depth:
                figures[-1] |= _compared(figures[-1], competitors, (blurred, crop), optics, depth, mpp, noise)
        rows.append({"z_um": depth, "noise": noise, "fields": len(figures), **_means(figures, groups)})
    return rows


def _compared(
    own: dict[str, float],
    competitors: Competitors,
    pair: tuple[RGB, RGB],
    optics: Optics,
    z_um: float,
    mpp: float,
    noise: float,
) -> dict[str, float]:
    """The other methods on the same picture, and how far the engine is above them."""
    found = {**competitors.told(*pair, optics, z_um, mpp, noise), **competitors.blind(*pair, mpp)}
    found["over_oracle"] = own["psnr_auto"] - found["psnr_oracle"]
    found["ssim_over_oracle"] = own["ssim_auto"] - found["ssim_oracle"]
    if "psnr_blind" in found:
        found["over_blind"] = own["psnr_auto"] - found["psnr_blind"]
    return found


def _before_and_after(blurred: RGB, auto: RGB, knob: RGB, truth: RGB, detail: bool) -> dict[str, float]:
    figures = {"psnr_before": psnr(blurred, truth), "psnr_auto": psnr(auto, truth), "psnr_knob": psnr(knob, truth)}
    for name in SIMILARITY if detail else ("ssim",):
        if name != "psnr":
            figures[f"{name}_before"] = SIMILARITY[name](blurred, truth)
            figures[f"{name}_auto"] = SIMILARITY[name](auto, truth)
    return figures


def _means(figures: list[dict[str, float]], groups: Sequence[str] | None) -> dict[str, Any]:
    columns = {name: np.array([row[name] for row in figures]) for name in figures[0]}
    row: dict[str, Any] = {name: float(values.mean()) for name, values in columns.items()}
    gain = columns["psnr_auto"] - columns["psnr_before"]
    row |= {"gain_auto": float(gain.mean()), "worst_gain_auto": float(gain.min())}
    if groups is not None:
        for name in ("psnr_auto", "psnr_knob", "ssim_auto", "over_oracle", "ssim_over_oracle", "over_blind"):
            if name in columns:
                row |= intervals({name: mean}, groups, (columns[name],))
        row |= intervals({"gain_auto": mean}, groups, (gain,))
    return row


def refocus_simulated_table(
    engine: Refocuser, data_dir: Path, fields: int = 24, detail: bool = False, competitors: Competitors | None = None
) -> list[dict[str, Any]]:
    """Evaluate an engine on the held-out sharp images of the data folder: |z| from 0 to 4 um, two noise levels.

    Intervals are drawn by picture.
    """
    crops, groups = held_out_crops(data_dir, fields)
    options: dict[str, Any] = {"seed": 1, "groups": groups, "detail": detail, "competitors": competitors}
    return [row for noise in NOISES for row in evaluate_refocus_simulated(engine, crops, DEPTHS_UM, noise, **options)]


def held_out_crops(data_dir: Path, fields: int) -> tuple[RGB, list[str]]:
    """Sharp crops of pictures held out from training, and the picture each is from: uint8 (N, 224, 224, 3)."""
    from focusviewer.core.errors import UserError
    from focusviewer.training.data.sources import load_sources, sharp_crops

    crops, groups = [], []
    for source in load_sources(data_dir, "validation"):
        try:
            found = sharp_crops([source], CROP_PX)
        except UserError:  # this picture holds no sharp square
            continue
        crops.append(found)
        groups += [source.name] * len(found)
    if not crops:
        raise UserError(f"No sharp held-out pictures in {data_dir}", f"none holds a sharp square of {CROP_PX} px")
    every = np.concatenate(crops)
    pick = np.linspace(0, len(every) - 1, fields).astype(int)
    return every[pick], [groups[index] for index in pick]
