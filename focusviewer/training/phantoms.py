"""Focal stacks of tissue phantoms for training: thick sections, whose structures never are all in focus at once."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from focusviewer.optics import Optics, image_section, phantom_section
from focusviewer.training.simulator import WAVELENGTHS_UM, DefocusSimulator

SECTION_PX = 736
CROP_GRID = 3
PLANES_PER_SECTION = 12
FIRST_SEED = 10_000
"""Phantom seeds from here on are for training; evaluation slides use seeds below."""

KINDS = ("mixed", "mixed", "gland", "stroma", "tumour", "inflamed", "fat")


def phantom_crops(
    count: int, crop_px: int, mpp: float, na_range: tuple[float, float], max_z_um: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Crops of phantom sections at random focus, as a scanner would store them.

    Parameters
    ----------
    count : int
        At least this many crops.
    crop_px : int
        Size of a crop.
    mpp : float
        Pixel size, um.
    na_range : (low, high)
        Numerical apertures to draw from.

    Returns
    -------
    uint8 (N, 3, crop_px, crop_px) and the distance of the focal plane from the middle of the section in um, (N,).
    """
    rng = np.random.default_rng(seed)
    simulator = DefocusSimulator(seed, na_range, max_noise=0.012)
    images: list[Tensor] = []
    distances: list[Tensor] = []
    made = 0
    for index in range(10 * count):
        section = phantom_section(
            FIRST_SEED + 1000 * seed + index,
            SECTION_PX,
            SECTION_PX,
            mpp=mpp,
            stain="ihc" if rng.random() < 0.35 else "he",
            thickness_um=float(rng.uniform(1.8, 2.8)),
            slabs=3,
            kind=str(rng.choice(KINDS)),
        )
        middle = float(section.z_um.mean())
        for _ in range(PLANES_PER_SECTION):
            z_um = 0.0 if rng.random() < 0.12 else float(rng.uniform(0, max_z_um))
            light = image_section(section, middle + float(rng.choice([-1, 1])) * z_um, _optics(rng, na_range))
            crops = _record(_tissue_crops(light, crop_px, rng), simulator)
            images.append(crops)
            distances.append(torch.full((len(crops),), z_um))
            made += len(crops)
        if made >= count:
            break
    return torch.cat(images), torch.cat(distances)


def _optics(rng: np.random.Generator, na_range: tuple[float, float]) -> Optics:
    red, blue = rng.normal(0, 0.2, 2)
    # Rounded, so that tables of transfer functions are found again.
    na = round(float(rng.uniform(*na_range)), 2)
    return Optics(na, wavelengths_um=WAVELENGTHS_UM, chromatic_shift_um=(round(red, 1), 0.0, round(blue, 1)))


def _tissue_crops(light: np.ndarray, crop_px: int, rng: np.random.Generator) -> Tensor:
    """Cut a section's picture into crops and keep those that hold tissue: float32 (N, 3, S, S)."""
    starts = np.linspace(0, light.shape[0] - crop_px, CROP_GRID).astype(int)
    jitter = int(rng.integers(0, 3))
    crops = [light[y + jitter - 2 * (y > 0) :, x:][:crop_px, :crop_px] for y in starts for x in starts]
    kept = [crop for crop in crops if crop.shape[:2] == (crop_px, crop_px) and (crop.min(axis=2) < 0.85).mean() > 0.3]
    stacked = np.stack(kept) if kept else np.empty((0, crop_px, crop_px, 3), np.float32)
    return torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2), dtype=np.float32))


def _record(light: Tensor, simulator: DefocusSimulator) -> Tensor:
    """Tone curve, gray, noise and compression: float32 (N, 3, S, S) to uint8."""
    if not len(light):
        return light.to(torch.uint8)
    draw = simulator.draw(len(light))
    toned = simulator.untone(simulator.tone(light, draw) ** (1 / draw.gamma[:, None, None, None]), draw)
    recorded: Tensor = (simulator.record(toned, draw) * 255).round().to(torch.uint8)
    return recorded
