"""Writes a simulated focal stack as OME-TIFF, with the depth of the tissue beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from focusviewer.files import atomic_write

if TYPE_CHECKING:
    from focusviewer.optics import Optics, Section
    from focusviewer.optics.formation import Domain


@dataclass(frozen=True)
class StackRecipe:
    """All that a simulated stack is made from."""

    seed: int
    width: int
    height: int
    planes: int
    step_um: float
    stain: str
    thickness_um: float
    optics: Optics
    domain: Domain
    noise: float
    mpp: float


def write_stack(out: Path, recipe: StackRecipe, on_progress: Callable[[float], None]) -> Path:
    """Write the stack and its truth.

    The planes lie evenly around the middle of the section, moved by a random part of half a step, so that the
    best plane is not always exactly in focus.

    Returns
    -------
    Path of the truth: ``planes_um`` (N,), ``best_z_um`` float32 (H, W), ``best_plane``; the first plane lies at 0.
    """
    import tifffile

    from focusviewer.optics import Camera, image_section, phantom_section
    from focusviewer.optics.demo_slide import truth_path

    rng = np.random.default_rng(recipe.seed)
    section = phantom_section(
        recipe.seed,
        recipe.width,
        recipe.height,
        mpp=recipe.mpp,
        stain="ihc" if recipe.stain == "ihc" else "he",
        thickness_um=recipe.thickness_um,
    )
    depth = tissue_depth(section)
    middle = float(np.median(depth)) + rng.uniform(-0.5, 0.5) * recipe.step_um / 2
    planes_um = middle + (np.arange(recipe.planes) - (recipe.planes - 1) / 2) * recipe.step_um
    camera = Camera(noise=recipe.noise)
    pictures = np.empty((recipe.planes, recipe.height, recipe.width, 3), np.uint8)
    for index, z_um in enumerate(planes_um):
        pictures[index] = camera.capture(image_section(section, float(z_um), recipe.optics, recipe.domain), rng)
        on_progress((index + 1) / recipe.planes)
    facts = {
        "axes": "ZYXS",
        "PhysicalSizeX": recipe.mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": recipe.mpp,
        "PhysicalSizeYUnit": "µm",
        "PhysicalSizeZ": recipe.step_um,
        "PhysicalSizeZUnit": "µm",
    }
    with atomic_write(out) as temporary:
        tifffile.imwrite(
            temporary, pictures, ome=True, photometric="rgb", tile=(256, 256), compression="zlib", metadata=facts
        )
    best = int(np.argmin(np.abs(planes_um - np.median(depth))))
    truth = truth_path(out)
    with atomic_write(truth) as temporary:
        # On the axis of the file, whose first plane is 0: that is what a reader of it sees.
        np.savez_compressed(
            temporary, planes_um=planes_um - planes_um[0], best_z_um=depth - np.float32(planes_um[0]), best_plane=best
        )
    return truth


def tissue_depth(section: Section) -> npt.NDArray[np.float32]:
    """Mean depth of what absorbs at each pixel, um: float32 (H, W); the section's middle where nothing does."""
    weights = section.density.sum(axis=3)
    total = weights.sum(axis=0)
    middle = np.float32(section.z_um.mean())
    mean = np.tensordot(section.z_um.astype(np.float32), weights, axes=(0, 0)) / np.maximum(total, 1e-6)
    return np.asarray(np.where(total > 1e-3, mean, middle), dtype=np.float32)
