"""Lifting a real sharp picture to a volume: its stains taken apart and its structures put at depths of their own.

A picture of a section is the sum of everything between its two surfaces. Which depth a structure lies at cannot be
seen in it, so it is drawn at random, but piece by piece: a nucleus is at one depth from its left side to its right,
and the fibres around it wander. The optical densities of all slabs add up to the picture's, pixel by pixel, so that
nothing appears or gets lost; only focus tells the slabs apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.formation import Section
from focusviewer.simulation.phantom.texture import smooth_noise

HAEMATOXYLIN = np.array([0.650, 0.704, 0.286], np.float32)
EOSIN = np.array([0.072, 0.990, 0.105], np.float32)
"""Optical densities of the usual stains in red, green and blue (Ruifrok & Johnston 2001), unit length."""

_STAINED = 0.15  # optical density, summed over the colours, from which a pixel says something about stains
_NUCLEUS_UM = 3.4  # radius, about: centres of two nuclei lie farther apart
_SURROUNDINGS_UM = 20.0
_REACH_UM = 1.8  # how far the flank of a structure may reach
_FLANK = 0.25  # part of the way from the ground to the threshold at which a flank ends
_MIN_ANGLE = 0.12  # radians between the stains of a picture, below which it has but one
_EOSIN_RED = 0.36  # part of its density in red, from which a second stain is not eosin


@dataclass(frozen=True)
class LiftConfig:
    """How a picture is spread over depth.

    Parameters
    ----------
    thickness_um : float
        Optical thickness of the section on the focus axis. Mounted tissue of 3 to 8 um (n = 1.5) looks 2 to 5.3 um
        thick to an objective that is moved in air.
    slabs : int
        How many slabs it is cut into.
    spread : float
        Standard deviation of the depths of structures, as a part of the thickness. A picture chosen for being sharp
        shows mostly what lay near its focal plane, so 0.29 (evenly over the thickness) is the most there can be.
    """

    thickness_um: float = 2.7
    slabs: int = 4
    spread: float = 0.22


def lift_patch(light: FloatArray, mpp: float, rng: np.random.Generator, config: LiftConfig | None = None) -> Section:
    """Turn a sharp picture into a section with structures at all depths.

    Parameters
    ----------
    light : float32 (H, W, 3)
        Transmitted intensity of the picture, 0..1 (glass near 1).
    mpp : float
        Pixel size, um.
    rng : numpy Generator
        Depths follow from it.

    Returns
    -------
    Section
        ``density`` float32 (slabs, H, W, 3), whose sum over the slabs is the picture's; the middle of the section
        lies at depth 0. ``through_lens`` is set: the picture carries the lens's own blur.
    """
    config = config or LiftConfig()
    density = -np.log10(np.clip(light, 1e-3, 1.0)).astype(np.float32)
    slabs, z_um = lift_density(np.ascontiguousarray(np.moveaxis(density, -1, 0)), mpp, rng, config)
    return Section(np.ascontiguousarray(np.moveaxis(slabs, 1, -1)), z_um, mpp, through_lens=True)


def lift_density(
    density: FloatArray, mpp: float, rng: np.random.Generator, config: LiftConfig
) -> tuple[FloatArray, FloatArray]:
    """:func:`lift_patch` for optical densities with the colours first.

    Parameters
    ----------
    density : float32 (3, H, W)
        >= 0.

    Returns
    -------
    float32 (slabs, 3, H, W) and the depths of the slabs, float32 (slabs,), um.
    """
    edges = np.linspace(-config.thickness_um / 2, config.thickness_um / 2, config.slabs + 1)
    depths = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    if config.slabs == 1:
        return density[None], depths
    labels = find_structures(nuclear_amount(density), mpp)
    solid = compact_part(density, labels)
    rest = density - solid
    ground = _wandering_depths(density.shape[1:], mpp, rng, config, depths)
    shares = np.moveaxis(_structure_depths(labels, rng, config, edges)[labels], -1, 0)
    slabs = np.empty((config.slabs, *density.shape), np.float32)
    for k in range(config.slabs):
        # Borders between depths are softened, or each nucleus would have a sharp cut around it.
        np.multiply(solid, _soften(shares[k]), out=slabs[k])
        slabs[k] += rest * ground[k]
    return slabs, depths


def nuclear_amount(density: FloatArray) -> FloatArray:
    """How much nuclear stain there is at each pixel: float32 (H, W).

    Stain separation after Macenko et al. 2009 (:func:`stain_vectors`), where the second stain is eosin, which lets red
    light through. Brown (DAB) and violet mark nuclei too: there, what absorbs red counts, as all nuclear stains do.

    Parameters
    ----------
    density : float32 (3, H, W)
    """
    # skimage.color.separate_stains wants stains that are known; here the picture's own are found, one of which may be
    # missing.
    vectors = stain_vectors(density)
    if len(vectors) == 1 or vectors[1, 0] > _EOSIN_RED:
        return np.asarray(density[0], dtype=np.float32)
    amounts = np.linalg.pinv(vectors.T).astype(np.float32)[0] @ density.reshape(3, -1)
    return np.asarray(np.maximum(amounts, 0.0).reshape(density.shape[1:]), dtype=np.float32)


def compact_part(density: FloatArray, labels: npt.NDArray[np.int32]) -> FloatArray:
    """What structures add to the ground substance around them: float32 (3, H, W), 0..``density``, 0 outside them.

    Parameters
    ----------
    density : float32 (3, H, W)
    labels : int32 (H, W)
        0 outside structures.
    """
    outside = density[:, labels == 0]
    inside = labels > 0
    stained = outside[:, outside.sum(axis=0) > _STAINED]
    if stained.shape[1] < 64 or not inside.any():
        return np.asarray(density * inside, dtype=np.float32)
    ground = np.median(stained, axis=1).astype(np.float32)[:, None, None]
    return np.asarray(np.clip(density - ground, 0.0, None) * inside, dtype=np.float32)


def stain_vectors(density: FloatArray) -> FloatArray:
    """Directions of a picture's stains: float32 (1 or 2, 3), unit length, the one with more red absorbed first.

    Parameters
    ----------
    density : float32 (3, H, W)
    """
    pixels = density[:, ::2, ::2].reshape(3, -1)
    pixels = pixels[:, pixels.sum(axis=0) > _STAINED].astype(np.float64)
    if pixels.shape[1] < 64:
        return np.stack((HAEMATOXYLIN, EOSIN))
    mean = _unit(pixels.mean(axis=1))
    plane = np.linalg.eigh(np.cov(pixels))[1][:, :0:-1]
    plane *= np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    along = plane.T @ pixels
    low, high = np.percentile(np.arctan2(along[1], along[0]), (1, 99))
    if high - low < _MIN_ANGLE:
        return mean[None].astype(np.float32)
    ends = [_unit(np.maximum(plane @ (np.cos(angle), np.sin(angle)), 0.0)) for angle in (low, high)]
    ends.sort(key=lambda vector: -vector[0])
    return np.asarray(ends, dtype=np.float32)


def _unit(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), dtype=np.float64)


def find_structures(amount: FloatArray, mpp: float) -> npt.NDArray[np.int32]:
    """Number the compact stained structures of a picture; clumps are cut between the middles of their parts.

    Parameters
    ----------
    amount : float32 (H, W)
        Of nuclear stain.

    Returns
    -------
    int32 (H, W); 0 where there is none.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(amount, 0.35 / mpp)
    # Otsu's threshold fails where a few structures are black and the others pale; there the surroundings decide.
    around = np.maximum(1.15 * ndimage.uniform_filter(amount, int(_SURROUNDINGS_UM / mpp)), np.median(amount))
    threshold = np.minimum(otsu(smooth), around)
    mask = smooth > threshold
    inside = ndimage.distance_transform_edt(mask).astype(np.float32)
    rounded = ndimage.gaussian_filter(inside, 0.5 / mpp)
    size = max(3, int(_NUCLEUS_UM / mpp) // 2 * 2 + 1)
    peaks = np.argwhere((ndimage.maximum_filter(rounded, size) == rounded) & (rounded > 0.5 / mpp))
    if not len(peaks) or mask.all():
        return np.zeros(amount.shape, np.int32)
    middles = _middles(peaks, rounded[peaks[:, 0], peaks[:, 1]])
    numbers = np.zeros(amount.shape, np.int32)
    numbers[middles[:, 0], middles[:, 1]] = np.arange(1, len(middles) + 1)
    nearest = ndimage.distance_transform_edt(numbers == 0, return_distances=False, return_indices=True)
    # The flank of a structure goes with it, down to what lies around: a border halfway would show as an edge.
    ground = float(np.median(amount[~mask]))
    flank = smooth > ground + _FLANK * np.maximum(threshold - ground, 0.0)
    reach = ndimage.distance_transform_edt(~mask) <= _REACH_UM / mpp
    belongs = mask | (flank & reach) | ndimage.binary_dilation(mask, iterations=max(1, round(0.5 / mpp)))
    return np.where(belongs, numbers[nearest[0], nearest[1]], 0).astype(np.int32)


def _middles(peaks: npt.NDArray[np.int64], radius: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """The peaks (n, 2) that are middles of structures of their own: none lies within the disk that fits in another."""
    order = np.argsort(-radius, kind="stable")
    peaks, radius = peaks[order], radius[order]
    kept: list[int] = []
    for index, peak in enumerate(peaks):
        distance = np.hypot(*(peaks[kept] - peak).T) if kept else np.empty(0)
        if not (distance < 1.15 * radius[kept]).any():
            kept.append(index)
    return peaks[kept]


def otsu(values: FloatArray) -> float:
    """Otsu's threshold (1979), which parts values into the two classes that differ most."""
    # Not scikit-image's: it sums in float32, so that where two bins are almost equally good it takes another one (in
    # one picture of 800), and the same seed would give other pixels.
    if float(np.ptp(values)) == 0:
        return float(values.flat[0])
    counts, edges = np.histogram(values, 128)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts).astype(np.float64)
    total, mass = below[-1], np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (mass[-1] * below / total - mass) ** 2 / (below * (total - below))
    return float(middles[int(np.nanargmax(between[:-1]))])


def _structure_depths(
    labels: npt.NDArray[np.int32], rng: np.random.Generator, config: LiftConfig, edges: npt.NDArray[np.float64]
) -> FloatArray:
    """How each structure is shared among the slabs: float32 (structures + 1, slabs), rows sum to 1."""
    count, thickness = int(labels.max()) + 1, config.thickness_um
    centre = np.clip(rng.normal(0.0, config.spread * thickness, count), -thickness / 2, thickness / 2)
    half = rng.uniform(0.12, 0.38, count) * thickness
    low, high = (centre - half)[:, None], (centre + half)[:, None]
    shares = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


def _wandering_depths(
    shape: tuple[int, ...], mpp: float, rng: np.random.Generator, config: LiftConfig, depths: FloatArray
) -> FloatArray:
    """How the ground substance of each pixel is shared among the slabs: float32 (slabs, H, W), sums to 1.

    Half of it is everywhere; the other half follows fibres that rise and sink.
    """
    size = (shape[0], shape[1])
    height = 0.8 * smooth_noise(rng, size, 24.0 / mpp) + 0.6 * smooth_noise(rng, size, 7.0 / mpp)
    height *= np.float32(config.spread * config.thickness_um)
    width = np.float32(0.25 * config.thickness_um)
    shares = np.exp(-(((depths[:, None, None] - height) / width) ** 2))
    shares /= shares.sum(axis=0)
    shares *= np.float32(0.5)
    shares += np.float32(0.5 / len(depths))
    return np.asarray(shares, dtype=np.float32)


def _soften(image: FloatArray) -> FloatArray:
    """Average with the neighbours by 1-2-1 each way; sums over slabs stay what they are."""
    padded = np.pad(image, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / np.float32(16), dtype=np.float32)
