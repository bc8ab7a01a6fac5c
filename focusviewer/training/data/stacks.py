"""Training crops with known focus, from three kinds of fields.

Thin real patches show what sharp tissue looks like, real patches lifted to volumes show that a thick section is never
sharp all through, phantoms show both with an exact truth. Everything follows from the seed and the number of the field,
so that pieces can be made anywhere and in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.simulation.phantom.tissue import TissuePhantom
from focusviewer.training.data.systems import System, draw_system
from focusviewer.training.data.volumes import (
    STRUCTURE,
    Volume,
    VolumeImager,
    cut_patch,
    detail_depth,
    frame_px,
    lifted_volume,
    spread,
    thin_volume,
)

SHARES = {"thin": 0.45, "lifted": 0.30, "phantom": 0.25}
PLANES = {"thin": 2, "lifted": 4, "phantom": 4}
"""Crops made of one field, at different focus."""

WINDOWS = 8
"""Fields cut out of one phantom section."""

STEPS_PER_SLOT, SLOTS = 16, 32
"""Drawing or lifting a volume costs more than imaging it: so many batches share so many of each kind."""

SECTION_PX = 1024
IN_FOCUS = 0.12
"""Share of crops exactly in focus."""

FIRST_SEED = 10_000
"""Phantom seeds from here on are for training; evaluation slides use seeds below."""

KINDS = ("mixed", "mixed", "gland", "stroma", "tumour", "inflamed", "fat")


@lru_cache(maxsize=2)
def _phantom(seed: int, mpp: float) -> TissuePhantom:
    rng = np.random.default_rng((seed, 31))
    thickness = float(rng.uniform(1.6, 4.0))
    return TissuePhantom(
        FIRST_SEED + seed,
        SECTION_PX,
        SECTION_PX,
        mpp=mpp,
        stain="ihc" if rng.random() < 0.35 else "he",
        thickness_um=thickness,
        slabs=int(np.clip(round(thickness / 0.8), 3, 5)),
        kind=str(rng.choice(KINDS)),
    )


def phantom_volume(seed: int, window: int, mpp: float, side: int, crop_px: int) -> Volume | None:
    """A window of a phantom section; None where it shows next to no tissue."""
    phantom = _phantom(seed, mpp)
    rng = np.random.default_rng((seed, 32, window))
    x, y = rng.integers(0, SECTION_PX - crop_px + 1, 2) - (side - crop_px) // 2
    density = phantom.density(int(x), int(y), side, side)
    inner = density.sum(axis=0).max(axis=0)[side // 4 : -side // 4, side // 4 : -side // 4]
    if float((inner > 0.08).mean()) < 0.3:
        return None
    return Volume(density, phantom.z_um, False, detail_depth(density, phantom.z_um, crop_px))


def _distances(rng: np.random.Generator, count: int, max_z_um: float) -> FloatArray:
    """Signed distances from focus: some exactly 0, the others even over the range."""
    z_um = rng.uniform(0, max_z_um, count) * rng.choice((-1.0, 1.0), count)
    return np.where(rng.random(count) < IN_FOCUS, 0.0, z_um).astype(np.float32)


@dataclass(frozen=True)
class FieldRecipe:
    """What one field is made of.

    Attributes
    ----------
    kind : str
        Key of :data:`SHARES`.
    number : int
        Of the field among those of its kind; of the section, where it is a phantom.
    source : int
        Of the patch, or the number of patches and more for a phantom.
    window : int
        Which window of a phantom section.
    """

    kind: str
    number: int
    source: int
    window: int = 0


def _recipes(count: int, patches: RGB, seed: int) -> list[FieldRecipe]:
    rng = np.random.default_rng((seed, 30))
    usable = _structured(patches)
    recipes: list[FieldRecipe] = []
    for kind, share in SHARES.items():
        fields = -(-round(share * count) // PLANES[kind])
        real = usable[rng.integers(0, len(usable), fields)]
        for number, source in enumerate(real):
            if kind == "phantom":
                section, window = divmod(number, WINDOWS)
                recipes.append(FieldRecipe(kind, section, len(patches) + section, window))
            else:
                recipes.append(FieldRecipe(kind, number, int(source)))
    return recipes


def _structured(patches: RGB) -> npt.NDArray[np.intp]:
    """Indices of the patches that show more than empty glass."""
    structured = np.asarray([spread(patch[::4, ::4, 1]) >= STRUCTURE for patch in patches])
    return np.flatnonzero(structured) if structured.any() else np.arange(len(patches))


def simulate_focus_crops(
    sources_crops: RGB,
    count: int,
    crop_px: int,
    mpp: float,
    na_range: tuple[float, float],
    max_z_um: float,
    seed: int,
) -> tuple[RGB, FloatArray, npt.NDArray[np.int32]]:
    """Crops with known focus: about 45 % of thin real patches, 30 % of lifted ones, 25 % of phantoms.

    Parameters
    ----------
    sources_crops : uint8 (M, S, S, 3)
        Sharp real patches, ``S >= crop_px``; what they lack at the border is mirrored.
    count : int
        Crops wanted.
    crop_px : int
        Side of a crop.
    mpp : float
        Pixel size, um.
    na_range : (low, high)
        Numerical apertures to draw from.
    max_z_um : float
        Largest distance from focus.
    seed : int
        Equal arguments give equal bytes.

    Returns
    -------
    images : uint8 (count, crop_px, crop_px, 3)
        In random order.
    z_um : float32 (count,)
        Distance of the focal plane from the detail, >= 0.
    source : int32 (count,)
        Index of the patch, or ``M`` and more for phantom sections.
    """
    _check_patches(sources_crops, crop_px)
    images: list[RGB] = []
    distances: list[FloatArray] = []
    sources: list[int] = []
    for recipe in _recipes(count, sources_crops, seed):
        made, z_um = _field_crops(recipe, sources_crops, crop_px, mpp, na_range, max_z_um, seed)
        images += made
        distances.append(z_um)
        sources += [recipe.source] * len(made)
    order = np.random.default_rng((seed, 33)).permutation(len(images))[:count]
    z = np.abs(np.concatenate(distances))
    return np.stack([images[i] for i in order]), z[order], np.asarray(sources, np.int32)[order]


def _field_crops(
    recipe: FieldRecipe, patches: RGB, crop_px: int, mpp: float, na_range: tuple[float, float], max_z_um: float,
    seed: int,
) -> tuple[list[RGB], FloatArray]:  # fmt: skip
    """The crops of one field, and their signed distances from focus."""
    number = recipe.number * WINDOWS + recipe.window if recipe.kind == "phantom" else recipe.number
    rng = np.random.default_rng((seed, list(SHARES).index(recipe.kind), number))
    field = _open_field(recipe, patches, crop_px, mpp, na_range, max_z_um, seed, rng)
    z_um = _distances(rng, PLANES[recipe.kind], max_z_um)
    glass = glass_light(recipe.kind, rng)
    return [field.system.camera.capture(glass * field.light(float(z)), rng) for z in z_um], z_um


def glass_light(kind: str, rng: np.random.Generator) -> FloatArray:
    """Light through empty glass: drawn for phantoms, part of the picture otherwise."""
    return rng.uniform(0.9, 1.0, 3).astype(np.float32) if kind == "phantom" else np.ones(3, np.float32)


@dataclass(frozen=True)
class Field:
    """A field of view under a scanner: the random system, its imager, and the crop in the middle."""

    system: System
    imager: VolumeImager
    focus_um: float
    margin: int
    crop_px: int

    def light(self, z_um: float) -> FloatArray:
        """The crop with the focal plane ``z_um`` from its detail: float32 (S, S, 3)."""
        return self.imager.image(self.focus_um + z_um, self.margin, self.crop_px)


def _open_field(
    recipe: FieldRecipe, patches: RGB, crop_px: int, mpp: float, na_range: tuple[float, float], max_z_um: float,
    seed: int, rng: np.random.Generator,
) -> Field:  # fmt: skip
    system = draw_system(rng, na_range)
    side = frame_px(crop_px, max_z_um, mpp)
    if recipe.kind == "phantom":
        volume = _tissue_window(seed, recipe.number, recipe.window, mpp, side, crop_px)
    else:
        light = cut_patch(patches[recipe.source], side, crop_px, system.camera.gamma, rng)
        volume = thin_volume(light) if recipe.kind == "thin" else lifted_volume(light, mpp, crop_px, rng)
    return Field(system, VolumeImager(volume, system, mpp), volume.focus_um, (side - crop_px) // 2, crop_px)


def _tissue_window(seed: int, number: int, window: int, mpp: float, side: int, crop_px: int) -> Volume:
    """A window with tissue of the ``number``-th phantom section, or of another where that is all but empty."""
    for spare in range(8):
        section = (seed * 4096 + number + spare * 7919) % (1 << 30)
        for attempt in range(20):
            volume = phantom_volume(section, window + WINDOWS * attempt, mpp, side, crop_px)
            if volume is not None:
                return volume
    raise RuntimeError(f"phantom {section} holds no tissue")


@dataclass(frozen=True)
class PlaneConfig:
    """What batches of planes are made of.

    Attributes
    ----------
    crop_px, mpp, na_range, max_z_um :
        As for :func:`simulate_focus_crops`.
    planes : int
        Of each field, at different focus.
    clean_targets : bool
        Record all planes but the first without noise and compression, as targets of refocusing should be.
    """

    crop_px: int = 128
    mpp: float = 0.25
    na_range: tuple[float, float] = (0.6, 0.8)
    max_z_um: float = 4.0
    planes: int = 2
    clean_targets: bool = False


@dataclass(frozen=True)
class PlaneBatch:
    """Fields seen at several focal planes.

    Attributes
    ----------
    images : uint8 (B, P, S, S, 3)
    z_um : float32 (B, P)
        Signed distance of the focal plane from the field's detail.
    source : int32 (B,)
        Index of the patch; of phantoms, the number of patches or more.
    """

    images: RGB
    z_um: FloatArray
    source: npt.NDArray[np.int32]


class PlaneGenerator:
    """Endless batches of planes for training; a batch follows from (seed, step) alone.

    Parameters
    ----------
    patches : uint8 (M, S, S, 3)
        Sharp real patches, ``S >= crop_px``.
    config : PlaneConfig
        What to make.
    seed : int
        Of everything random.
    """

    def __init__(self, patches: RGB, config: PlaneConfig | None = None, seed: int = 0) -> None:
        self.patches, self.config, self.seed = patches, config or PlaneConfig(), seed
        _check_patches(patches, self.config.crop_px)
        self._usable = _structured(patches)
        self._side = frame_px(self.config.crop_px, self.config.max_z_um, self.config.mpp)
        self._slot = lru_cache(maxsize=3 * SLOTS)(self._make_slot)

    def batch(self, step: int, count: int) -> PlaneBatch:
        """The batch of a step: ``count`` fields in the shares of :data:`SHARES`."""
        config = self.config
        kinds = np.random.default_rng((self.seed, 34, step)).choice(list(SHARES), count, p=list(SHARES.values()))
        images = np.empty((count, config.planes, config.crop_px, config.crop_px, 3), np.uint8)
        z_um = np.empty((count, config.planes), np.float32)
        source = np.empty(count, np.int32)
        for row, kind in enumerate(kinds):
            rng = np.random.default_rng((self.seed, 35, step, row))
            field, source[row] = self.field(str(kind), step, rng)
            z_um[row] = _distances(rng, config.planes, config.max_z_um)
            glass, camera = glass_light(str(kind), rng), field.system.camera
            clean = replace(camera, noise=0.0, jpeg_quality=None) if config.clean_targets else camera
            for plane, z in enumerate(z_um[row]):
                images[row, plane] = (clean if plane else camera).capture(glass * field.light(float(z)), rng)
        return PlaneBatch(images, z_um, source)

    def field(self, kind: str, step: int, rng: np.random.Generator) -> tuple[Field, int]:
        """A field of a kind of :data:`SHARES` under a random scanner, and its source.

        Volumes of lifted patches and phantoms are shared by :data:`STEPS_PER_SLOT` steps.
        """
        config = self.config
        system = draw_system(rng, config.na_range)
        if kind == "thin":
            source = int(self._usable[rng.integers(len(self._usable))])
            light = cut_patch(self.patches[source], self._side, config.crop_px, system.camera.gamma, rng)
            volume = thin_volume(light)
        else:
            volume, source, gamma = self._slot(kind, step // STEPS_PER_SLOT, int(rng.integers(SLOTS)))
            system = replace(system, camera=replace(system.camera, gamma=gamma or system.camera.gamma))
        margin = (self._side - config.crop_px) // 2
        return Field(system, VolumeImager(volume, system, config.mpp), volume.focus_um, margin, config.crop_px), source

    def _make_slot(self, kind: str, group: int, slot: int) -> tuple[Volume, int, float]:
        """A volume that some steps share, its source, and the tone curve it was lifted with (0: any will do)."""
        config = self.config
        if kind == "phantom":
            volume = _tissue_window(self.seed, group, slot * WINDOWS, config.mpp, self._side, config.crop_px)
            return volume, len(self.patches) + group, 0.0
        rng = np.random.default_rng((self.seed, 36, group, slot))
        source = int(self._usable[rng.integers(len(self._usable))])
        gamma = draw_system(rng, config.na_range).camera.gamma
        light = cut_patch(self.patches[source], self._side, config.crop_px, gamma, rng)
        return lifted_volume(light, config.mpp, config.crop_px, rng), source, gamma


def _check_patches(patches: RGB, crop_px: int) -> None:
    if patches.shape[1] < crop_px:
        raise ValueError(f"patches of {patches.shape[1]} px hold no crops of {crop_px} px")
