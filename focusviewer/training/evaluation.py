"""Judges models on what they never saw: simulated held-out fields and real focal stacks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.errors import UserError
from focusviewer.focus.base import FocusModel
from focusviewer.refocus.base import Refocuser

RGB = npt.NDArray[np.uint8]

ASSUMED_MPP = 0.25
"""The real stacks do not state a usable scale; they are judged as 40x pixels, and the tables say so."""

# Best planes as stated with the data (0-based, first and last that hold something sharp).
REFERENCE = {"urjc-adipose-1": (10, 10), "wbc-0054": (5, 5), "huron-brain": (9, 20)}


@dataclass(frozen=True)
class RealStack:
    """A real focal stack for evaluation only.

    Attributes
    ----------
    planes : uint8 (P, H, W, 3)
    best : (first, last) or None
        Range of planes that are sharp, 0-based; None where no single plane is.
    """

    name: str
    planes: RGB
    best: tuple[int, int] | None


def real_stacks(data_dir: Path) -> list[RealStack]:
    """Read every stack below ``stacks/test``.

    Raises
    ------
    UserError
        If there are none.
    """
    stacks = [_read_stack(folder) for folder in sorted((data_dir / "stacks/test").glob("*")) if folder.is_dir()]
    if not stacks:
        raise UserError(f"No test stacks in {data_dir}", "stacks/test is missing", "Give the data folder with --data.")
    return stacks


def _read_stack(folder: Path) -> RealStack:
    from PIL import Image

    packed = folder / "stacks.npz"
    if packed.exists():
        fields = np.load(packed, allow_pickle=False)["stacks"]
        columns = 10
        count, depth, height, width = fields.shape
        mosaic = fields.reshape(count // columns, columns, depth, height, width).transpose(2, 0, 3, 1, 4)
        gray = mosaic.reshape(depth, count // columns * height, columns * width)
        planes = np.repeat(gray[..., None], 3, axis=3)
    else:
        files = [path for path in folder.iterdir() if re.fullmatch(r"z\d+", path.stem)]
        files.sort(key=lambda path: int(path.stem[1:]))
        planes = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in files])
    return RealStack(folder.name, planes, REFERENCE.get(folder.name))


def evaluate_focus(model: FocusModel, stacks: list[RealStack]) -> list[dict[str, Any]]:
    """Score every plane of every stack.

    Returns
    -------
    One row a stack: name, scores, the plane with the lowest score, the reference, and how many planes it is off
    (None where the stack has no single best plane).
    """
    rows = []
    for stack in stacks:
        scores = [model.score(plane, ASSUMED_MPP if model.mpps else None) for plane in stack.planes]
        lowest = int(np.argmin(scores))
        off = None
        if stack.best:
            off = max(stack.best[0] - lowest, lowest - stack.best[1], 0)
        rows.append(
            {
                "stack": stack.name,
                "model": model.name,
                "scores": [round(float(score), 3) for score in scores],
                "lowest": lowest,
                "reference": list(stack.best) if stack.best else None,
                "planes_off": off,
            }
        )
    return rows


def psnr(image: RGB, reference: RGB) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images."""
    error = np.mean((image.astype(np.float32) - reference.astype(np.float32)) ** 2)
    return float(10 * np.log10(255.0**2 / max(float(error), 1e-10)))


def ssim(image: RGB, reference: RGB) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 images, Gaussian window."""
    from skimage.metrics import structural_similarity

    value = structural_similarity(  # type: ignore[no-untyped-call]
        image, reference, channel_axis=-1, gaussian_weights=True, sigma=1.5, data_range=255
    )
    return float(value)


def evaluate_refocus_real(engine: Refocuser, stacks: list[RealStack], crop_px: int = 768) -> list[dict[str, Any]]:
    """Refocus single planes of real stacks to their best focus, blind, and compare with the best plane.

    Only stacks with one best plane can be judged against it; each plane, the best one included, is refocused with
    the all-in-focus target.

    Returns
    -------
    One row a plane: PSNR and SSIM before and after.
    """
    rows = []
    for stack in stacks:
        for truth, planes in _references(stack, crop_px):
            for index, plane in planes:
                encoded = engine.encode([plane], ASSUMED_MPP)
                made = engine.render(encoded, engine.all_in_focus_target(encoded))
                same = bool(np.array_equal(plane, truth))
                rows.append(
                    {
                        "stack": stack.name,
                        "plane": index,
                        "psnr_before": None if same else round(psnr(plane, truth), 3),
                        "psnr_after": round(psnr(made, truth), 3),
                        "gain_db": None if same else round(psnr(made, truth) - psnr(plane, truth), 3),
                        "ssim_before": None if same else round(ssim(plane, truth), 4),
                        "ssim_after": round(ssim(made, truth), 4),
                        "estimated_um": round(float(np.median(encoded.blur_um)), 2),
                    }
                )
    return rows


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
    engine: Refocuser, crops: RGB, depths_um: tuple[float, ...], noise: float, seed: int, mpp: float = 0.25
) -> list[dict[str, float]]:
    """Blur sharp crops with known optics and refocus them blind.

    Parameters
    ----------
    crops : uint8 (N, S, S, 3)
        Sharp images never trained on.
    depths_um : tuple of float
        Defocus distances; 0 asks whether a sharp image stays as it is.
    noise : float
        Standard deviation of white camera noise, full scale = 1.

    Returns
    -------
    One row a depth: mean PSNR and SSIM before and after with the blind all-in-focus target ("auto"), and with the
    target at the true distance ("knob", what a user reaches by turning to best focus).
    """
    from focusviewer.optics import Camera, Optics, defocus_image

    rng = np.random.default_rng(seed)
    rows = []
    for depth in depths_um:
        figures = []
        for crop in crops:
            optics = Optics(na=float(rng.uniform(0.65, 0.78)))
            sharp = crop.astype(np.float32) / 255
            light = defocus_image(sharp, depth, mpp, optics) if depth else sharp
            blurred = Camera(noise=noise).capture(light, rng)
            encoded = engine.encode([blurred], mpp)
            auto = engine.render(encoded, engine.all_in_focus_target(encoded))
            knob = engine.render(encoded, depth)
            figures.append(
                [psnr(blurred, crop), psnr(auto, crop), psnr(knob, crop), ssim(blurred, crop), ssim(auto, crop)]
            )
        before, after, knob_psnr, ssim_before, ssim_after = np.mean(figures, axis=0)
        rows.append(
            {
                "z_um": depth,
                "noise": noise,
                "fields": len(figures),
                "psnr_before": float(before),
                "psnr_auto": float(after),
                "psnr_knob": float(knob_psnr),
                "worst_gain_auto": float(min(row[1] - row[0] for row in figures)),
                "ssim_before": float(ssim_before),
                "ssim_auto": float(ssim_after),
            }
        )
    return rows


def refocus_simulated_table(engine: Refocuser, data_dir: Path, fields: int = 24) -> list[dict[str, float]]:
    """Judge an engine on the held-out sharp images of the data folder: |z| from 0 to 4 um, two noise levels."""
    from focusviewer.training.sources import load_sources, sharp_crops

    crops = sharp_crops(load_sources(data_dir, "validation"), 224)
    crops = crops[np.linspace(0, len(crops) - 1, fields).astype(int)]
    depths = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
    return [row for noise in (0.002, 0.006) for row in evaluate_refocus_simulated(engine, crops, depths, noise, seed=1)]


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
    One row a slide and stain: tissue windows and the Spearman correlation with the true |z|.
    """
    from focusviewer.focus import map_slide
    from focusviewer.focus.truth import correlation_with_truth
    from focusviewer.optics.demo_slide import VERSION, truth_path, write_simulated_slide
    from focusviewer.slides import open_slide

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
            {
                "slide": path.name,
                "model": model.name,
                "tissue_windows": int(focus_map.tissue.sum()),
                "srcc": round(correlation_with_truth(focus_map, known), 4),
            }
        )
    return rows
