"""Focal stacks of simulated sections, with the depth of the tissue beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.core.files import atomic_write
from focusviewer.optics.formation import padding_px
from focusviewer.simulation.scanner import Scanner
from focusviewer.simulation.sections.artefacts import Artefacts, pattern_with_artefacts, section_with_artefacts
from focusviewer.simulation.sections.blur_pattern import BlurPattern
from focusviewer.simulation.sections.lift import LiftConfig, lift_patch
from focusviewer.simulation.slides import GLASS, MARGIN, MAX_MARGIN_UM, PatchScene, Scene, SlideSimulator
from focusviewer.slides.writer import identity, truth_path

Progress = Callable[[float], None]

SLAB_UM = 0.8
"""Thickness of a slab, about: less than any objective here tells apart."""

MAX_SLABS = 10


@dataclass(frozen=True)
class StackRecipe:
    """All that a simulated stack is made from.

    Parameters
    ----------
    seed : int
        Equal recipes with equal seeds give equal bytes.
    width, height : int
        Size, px (of a lifted patch: its own).
    planes, step_um : int, float
        Number of focal planes and their distance.
    mpp : float
        Pixel size, um.
    stain, kind : str
        Of a phantom, see ``phantom.tissue.TissuePhantom``.
    thickness_um : float
        Of the section on the focus axis.
    scanner : Scanner
        What it is seen through.
    artefacts : Artefacts
        What is wrong with the slide.
    """

    seed: int
    width: int
    height: int
    planes: int
    step_um: float
    mpp: float = 0.25
    stain: str = "he"
    kind: str = "mixed"
    thickness_um: float = 4.0
    scanner: Scanner = field(default_factory=Scanner)
    artefacts: Artefacts = field(default_factory=Artefacts)

    @property
    def slabs(self) -> int:
        """How many slabs the section is cut into."""
        return int(np.clip(round(self.thickness_um / SLAB_UM), 3, MAX_SLABS))


@dataclass(frozen=True)
class SimulatedStack:
    """Planes and their truth.

    Attributes
    ----------
    pictures : uint8 (N, H, W, 3)
    planes_um : float (N,)
        Positions of the planes; the first is at 0.
    best_z_um : float32 (H, W)
        Where on that axis each pixel's tissue is in focus.
    best_plane : int
        The plane nearest to most of the tissue.
    """

    pictures: RGB
    planes_um: npt.NDArray[np.float64]
    best_z_um: FloatArray
    best_plane: int


def simulate_stack(
    recipe: StackRecipe, patch: RGB | None = None, on_progress: Progress | None = None
) -> SimulatedStack:
    """Make a stack of a phantom section, or of a sharp picture lifted to one.

    The planes lie evenly around the middle of the section, moved by a random part of half a step, so that the best
    plane is not always exactly in focus.

    Parameters
    ----------
    patch : uint8 (H, W, 3), optional
        A sharp picture to lift instead of drawing a phantom.
    on_progress : callable (fraction), optional
        May raise to stop.
    """
    scene, pattern = _scene(recipe, patch)
    scanner = recipe.scanner
    glass = GLASS if patch is None else np.ones(3, np.float32)
    simulator = SlideSimulator(
        scene, pattern, scanner.scan, scanner.optics, scanner.camera, glass, domain=scanner.domain
    )
    depth = _best_z(scene, simulator, recipe.slabs)
    rng = np.random.default_rng(recipe.seed)
    middle = float(np.median(depth)) + rng.uniform(-0.5, 0.5) * recipe.step_um / 2
    planes_um = middle + (np.arange(recipe.planes) - (recipe.planes - 1) / 2) * recipe.step_um
    pictures = simulator.focal_series(planes_um, _margin(planes_um, depth, recipe), on_progress)
    best = int(np.argmin(np.abs(planes_um - np.median(depth))))
    return SimulatedStack(pictures, planes_um - planes_um[0], depth - np.float32(planes_um[0]), best)


def _scene(recipe: StackRecipe, patch: RGB | None) -> tuple[Scene, BlurPattern]:
    if patch is None:
        return section_with_artefacts(
            recipe.artefacts,
            BlurPattern(),
            seed=recipe.seed,
            width=recipe.width,
            height=recipe.height,
            mpp=recipe.mpp,
            stain=recipe.stain,
            thickness_um=recipe.thickness_um,
            slabs=recipe.slabs,
            kind=recipe.kind,
        )
    light = np.maximum(patch, 1).astype(np.float32) / np.float32(255)
    light = light ** np.float32(recipe.scanner.camera.gamma)  # stored values back to light
    rng = np.random.default_rng((recipe.seed, 15))
    section = lift_patch(light, recipe.mpp, rng, LiftConfig(recipe.thickness_um, recipe.slabs))
    height, width = patch.shape[:2]
    return PatchScene(section, recipe.seed), pattern_with_artefacts(
        recipe.artefacts, BlurPattern(), recipe.seed, width, height, recipe.mpp
    )


def _margin(planes_um: npt.NDArray[np.floating], depth: FloatArray, recipe: StackRecipe) -> int:
    """Pixels around a block for the widest blur to reach in from, as far as a phantom can be drawn."""
    farthest = max(planes_um.max() - depth.min(), depth.max() - planes_um.min()) + recipe.thickness_um / 2
    wanted = padding_px(float(farthest), recipe.mpp, recipe.scanner.optics.na)
    return int(min(max(wanted, MARGIN), MAX_MARGIN_UM / recipe.mpp))


def _best_z(scene: Scene, simulator: SlideSimulator, slabs: int) -> FloatArray:
    """Focal plane that shows each pixel's tissue: float32 (H, W); its middle where nothing absorbs."""
    depth = np.empty((scene.height, scene.width), np.float32)
    for top in range(0, scene.height, 1024):
        for left in range(0, scene.width, 1024):
            h, w = min(1024, scene.height - top), min(1024, scene.width - left)
            density = scene.density(left, top, w, h)[:slabs]  # without dust
            here = tissue_depth(density.sum(axis=1), scene.z_um[:slabs])
            depth[top : top + h, left : left + w] = here - simulator.z_um(left, top, w, h)
    return depth


def tissue_depth(weights: FloatArray, z_um: FloatArray) -> FloatArray:
    """Mean depth of what absorbs at each pixel: float32 (D, H, W) and (D,) to (H, W); the middle where nothing does."""
    total = weights.sum(axis=0)
    mean = np.tensordot(z_um.astype(np.float32), weights, axes=(0, 0)) / np.maximum(total, 1e-6)
    return np.asarray(np.where(total > 1e-3, mean, np.float32(z_um.mean())), dtype=np.float32)


def write_simulated_stack(out: Path, recipe: StackRecipe, stack: SimulatedStack, source: str = "") -> Path:
    """Write a stack as OME-TIFF, and its truth as ``<stem>.truth.npz``.

    Equal arguments give equal bytes.

    Parameters
    ----------
    source : str
        Name of the lifted picture; part of the file's identity.

    Returns
    -------
    Path of the truth, with ``planes_um``, ``best_z_um`` and ``best_plane`` of :class:`SimulatedStack`.
    """
    import tifffile

    facts = {"axes": "ZYXS", "PhysicalSizeX": recipe.mpp, "PhysicalSizeY": recipe.mpp, "PhysicalSizeZ": recipe.step_um}
    facts |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    facts["UUID"] = f"urn:uuid:{identity(recipe, source)}"
    with atomic_write(out) as temporary:
        tifffile.imwrite(
            temporary, stack.pictures, ome=True, photometric="rgb", tile=(256, 256), compression="zlib", metadata=facts
        )
    truth = truth_path(out)
    with atomic_write(truth) as temporary:
        np.savez_compressed(
            temporary, planes_um=stack.planes_um, best_z_um=stack.best_z_um, best_plane=stack.best_plane
        )
    return truth
