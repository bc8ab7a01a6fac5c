"""Training crops with known focus, from three kinds of fields.

Thin real patches teach what sharp tissue looks like, real patches lifted to volumes teach that a thick section never is
sharp all through, phantoms teach both with a truth that is exact. Everything follows from the seed and the number
of the field, so that pieces can be made anywhere and in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from focusviewer.optics.lift import LiftConfig, lift_density
from focusviewer.optics.phantom import TissuePhantom
from focusviewer.training.systems import BINS, System, Transfer, draw_system

RGB = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

SHARES = {"thin": 0.45, "lifted": 0.30, "phantom": 0.25}
PLANES = {"thin": 2, "lifted": 4, "phantom": 4}
"""Crops made of one field, at different focus."""

WINDOWS = 8
"""Fields cut out of one phantom section."""

SECTION_PX = 1024
IN_FOCUS = 0.12
"""Share of crops exactly in focus."""

FIRST_SEED = 10_000
"""Phantom seeds from here on are for training; evaluation slides use seeds below."""

STRUCTURE = 4.0
"""Median deviation of gray levels from their median, from which a crop counts as structured."""

KINDS = ("mixed", "mixed", "gland", "stroma", "tumour", "inflamed", "fat")
_LN10 = np.float32(np.log(10.0))


@dataclass(frozen=True)
class Volume:
    """A field in slabs, with a margin around it for the blur to reach in from.

    Attributes
    ----------
    density : float32 (K, 3, h, w)
        Optical density of the slabs.
    z_um : float32 (K,)
        Their depths.
    through_lens : bool
        Whether the densities carry the blur of the lens in focus.
    focus_um : float
        Depth of the detail in the middle crop: the focal plane that shows most of it.
    """

    density: FloatArray
    z_um: FloatArray
    through_lens: bool
    focus_um: float


class VolumeImager:
    """Pictures of a volume through one system; its spectra are shared by all planes.

    Light lost in each slab is blurred by the slab's distance from focus and summed (or its density, where the system
    says so): see :class:`focusviewer.optics.slab_imager.SlabImager`.
    """

    def __init__(self, volume: Volume, system: System, mpp: float) -> None:
        import scipy.fft

        self._volume, self._system = volume, system
        self._shape = (volume.density.shape[2], volume.density.shape[3])
        self._transfer = Transfer(system, mpp, volume.through_lens)
        layers = volume.density if system.as_density else _losses(volume.density)
        self._spectra = scipy.fft.rfft2(layers, axes=(2, 3))
        self._bins = _bins(self._shape)

    def image(self, z_um: float, margin: int, size: int) -> FloatArray:
        """Light with the focal plane at ``z_um``, without the margin: float32 (size, size, 3)."""
        import scipy.fft

        total = np.empty((3, *self._spectra.shape[2:]), np.complex64)
        for channel in range(3):
            tables = self._transfer.at(z_um - self._volume.z_um, channel)
            np.multiply(self._spectra[0, channel], tables[0].take(self._bins), out=total[channel])
            for k in range(1, len(tables)):
                total[channel] += self._spectra[k, channel] * tables[k].take(self._bins)
        lost = scipy.fft.irfft2(total, s=self._shape, axes=(1, 2), overwrite_x=True)
        inner = lost[:, margin : margin + size, margin : margin + size]
        light = np.exp(-_LN10 * inner) if self._system.as_density else 1 - inner
        return np.ascontiguousarray(np.moveaxis(light, 0, -1), dtype=np.float32)


def _losses(density: FloatArray) -> FloatArray:
    """Light that each slab takes away from what reaches it: float32 (K, 3, h, w)."""
    left = np.exp(-_LN10 * np.cumsum(density, axis=0))
    losses = np.empty_like(density)
    losses[0] = 1 - left[0]
    np.subtract(left[:-1], left[1:], out=losses[1:])
    return losses


@lru_cache(maxsize=8)
def _bins(shape: tuple[int, int]) -> npt.NDArray[np.intp]:
    """Table entry of each coefficient of ``rfft2``."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    return np.asarray(np.round(radius / np.sqrt(0.5) * (BINS - 1)), dtype=np.intp)


def frame_px(crop_px: int, max_z_um: float, mpp: float) -> int:
    """Side of a field that gives crops of ``crop_px``: with room for the blur, and a length that the FFT likes."""
    import scipy.fft

    reach = int(np.ceil(1.15 * (max_z_um + 1.0) / mpp))  # NA 0.75
    return int(scipy.fft.next_fast_len(crop_px + 2 * min(reach, crop_px // 2), real=True))


def thin_volume(light: FloatArray) -> Volume:
    """A patch as one slab: float32 (3, h, w) of light."""
    return Volume(_density(light)[None], np.zeros(1, np.float32), True, 0.0)


def lifted_volume(light: FloatArray, mpp: float, crop_px: int, rng: np.random.Generator) -> Volume:
    """A patch lifted to a section of 3 to 7.5 um."""
    thickness = float(rng.uniform(2.0, 5.0))
    config = LiftConfig(thickness, int(np.clip(round(thickness / 0.8), 3, 6)), float(rng.uniform(0.12, 0.27)))
    density, z_um = lift_density(_density(light), mpp, rng, config)
    return Volume(density, z_um, True, detail_depth(density, z_um, crop_px))


def _density(light: FloatArray) -> FloatArray:
    return np.asarray(np.log10(np.maximum(light, np.float32(1e-3))) * np.float32(-1.0), dtype=np.float32)


def detail_depth(density: FloatArray, z_um: FloatArray, crop_px: int) -> float:
    """Where in depth the detail of the middle crop is: mean depth, weighted by the energy of each slab's gradient."""
    start = (density.shape[2] - crop_px) // 2
    green = density[:, 1, start : start + crop_px, start : start + crop_px]
    energy = np.square(np.diff(green, axis=2)).mean(axis=(1, 2)) + np.square(np.diff(green, axis=1)).mean(axis=(1, 2))
    return float(np.sum(energy * z_um) / max(float(energy.sum()), 1e-12))


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


def cut_patch(image: RGB, side: int, crop_px: int, gamma: float, rng: np.random.Generator) -> FloatArray:
    """A random part of a patch, flipped and turned, mirrored beyond its border, as light: float32 (3, side, side).

    The middle ``crop_px`` come from inside the patch.
    """
    margin = (side - crop_px) // 2
    y, x = _structured_corner(image, crop_px, rng)
    rows, columns = (
        _mirrored(start - margin + np.arange(side), length)
        for start, length in zip((y, x), image.shape[:2], strict=True)
    )
    turned = np.rot90(image[rows[:, None], columns[None, :]], int(rng.integers(4)))
    if rng.random() < 0.5:
        turned = turned[:, ::-1]
    curve = ((np.arange(256) / 255.0) ** gamma).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(curve[turned], -1, 0))


def _structured_corner(image: RGB, crop_px: int, rng: np.random.Generator) -> tuple[int, int]:
    """Upper left corner of a crop that holds some structure: focus cannot be told from empty glass."""
    best, corner = -1.0, (0, 0)
    for _ in range(6):
        y, x = (int(rng.integers(0, length - crop_px + 1)) for length in image.shape[:2])
        spread = _spread(image[y : y + crop_px : 2, x : x + crop_px : 2, 1])
        if spread >= STRUCTURE:
            return y, x
        if spread > best:
            best, corner = spread, (y, x)
    return corner


def _spread(green: RGB) -> float:
    """Median deviation from the median: unlike the standard deviation, one speck on glass does not raise it."""
    return float(np.median(np.abs(green - np.float32(np.median(green)))))


def _mirrored(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    index = np.abs(index) % (2 * length - 2)
    return np.minimum(index, 2 * length - 2 - index)


def _distances(rng: np.random.Generator, count: int, max_z_um: float) -> FloatArray:
    """Signed distances from focus: some exactly 0, the others even over the range."""
    z_um = rng.uniform(0, max_z_um, count) * rng.choice((-1.0, 1.0), count)
    return np.where(rng.random(count) < IN_FOCUS, 0.0, z_um).astype(np.float32)


@dataclass(frozen=True)
class FieldRecipe:
    """What one field is made of: its kind, its number among fields of this kind, and its source's number."""

    kind: str
    number: int
    source: int


def _recipes(count: int, patches: RGB, seed: int) -> list[FieldRecipe]:
    rng = np.random.default_rng((seed, 30))
    structured = np.asarray([_spread(patch[::4, ::4, 1]) >= STRUCTURE for patch in patches])
    usable = np.flatnonzero(structured) if structured.any() else np.arange(len(patches))
    recipes: list[FieldRecipe] = []
    for kind, share in SHARES.items():
        fields = -(-round(share * count) // PLANES[kind])
        real = usable[rng.integers(0, len(usable), fields)]
        sources = real if kind != "phantom" else len(patches) + np.arange(fields) // WINDOWS
        recipes += [FieldRecipe(kind, number, int(source)) for number, source in enumerate(sources)]
    return recipes


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
    if sources_crops.shape[1] < crop_px:
        raise ValueError(f"patches of {sources_crops.shape[1]} px hold no crops of {crop_px} px")
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
    rng = np.random.default_rng((seed, list(SHARES).index(recipe.kind), recipe.number))
    system = draw_system(rng, na_range)
    side = frame_px(crop_px, max_z_um, mpp)
    if recipe.kind == "phantom":
        volume = _tissue_window(seed, recipe.number, mpp, side, crop_px)
    else:
        light = cut_patch(patches[recipe.source], side, crop_px, system.camera.gamma, rng)
        volume = thin_volume(light) if recipe.kind == "thin" else lifted_volume(light, mpp, crop_px, rng)
    imager = VolumeImager(volume, system, mpp)
    z_um = _distances(rng, PLANES[recipe.kind], max_z_um)
    margin = (side - crop_px) // 2
    glass = rng.uniform(0.9, 1.0, 3).astype(np.float32) if recipe.kind == "phantom" else np.float32(1.0)
    shots = [
        system.camera.capture(glass * imager.image(volume.focus_um + float(z), margin, crop_px), rng) for z in z_um
    ]
    return shots, z_um


def _tissue_window(seed: int, number: int, mpp: float, side: int, crop_px: int) -> Volume:
    """The ``number``-th phantom window that shows tissue, of the section it belongs to."""
    section = (seed * 4096 + number // WINDOWS) % (1 << 30)
    for attempt in range(20):
        volume = phantom_volume(section, number % WINDOWS + WINDOWS * attempt, mpp, side, crop_px)
        if volume is not None:
            return volume
    raise RuntimeError(f"phantom {section} holds no tissue")
