"""Libraries of nuclei and blood cells, drawn once and stamped many times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.texture import TILE, grain_tile

ANGLES = 16
"""Directions, over half a turn, in which every elongated cell is drawn."""

LAYERS = 3
"""Depth layers of a stamp: chromatin differs from the top of a nucleus to its bottom."""


@dataclass(frozen=True)
class CellType:
    """How one kind of cell looks.

    Lengths are um; densities are units of dye through a whole section.

    Attributes
    ----------
    length_um, width_um : (low, high)
        Full axes of the nucleus.
    density : (low, high)
        Mean dye.
    clumps : float
        Contrast of the chromatin.
    clump_um : float
        Size of its clumps.
    rim : float
        Extra density of the nuclear membrane, as a share of the mean.
    nucleoli : int
        Largest number of nucleoli.
    ragged : float
        Irregularity of the outline.
    bend : float
        Curvature of elongated nuclei.
    """

    length_um: tuple[float, float]
    width_um: tuple[float, float]
    density: tuple[float, float]
    clumps: float
    clump_um: float
    rim: float
    nucleoli: int = 0
    ragged: float = 0.05
    bend: float = 0.0
    variants: int = 12
    hollow: float = 0.0


TYPES: dict[str, CellType] = {
    "epithelial": CellType((8.0, 11.8), (4.6, 6.8), (0.42, 0.80), 0.55, 0.36, 0.6, 2, 0.07, variants=20),
    "vesicular": CellType((8.0, 12.0), (6.5, 9.0), (0.34, 0.56), 0.6, 0.42, 0.85, 2, 0.07, variants=16),
    "fibroblast": CellType((8.0, 16.0), (1.5, 3.8), (0.38, 0.95), 0.45, 0.36, 0.3, 0, 0.09, 0.4, variants=20),
    "endothelial": CellType((8.0, 13.0), (1.8, 2.8), (0.6, 1.0), 0.3, 0.35, 0.2, 0, 0.05, 0.35),
    "lymphocyte": CellType((5.2, 6.8), (4.8, 6.2), (0.85, 1.3), 0.5, 0.55, 0.2, 0, 0.05),
    "mitosis": CellType((7.5, 10.0), (2.6, 4.2), (1.4, 1.8), 0.35, 0.5, 0.0, 0, 0.3),
    "blood": CellType((5.4, 6.8), (4.4, 6.6), (0.5, 0.85), 0.03, 0.5, 0.12, 0, 0.06, hollow=0.22),
}


@dataclass(frozen=True)
class Library:
    """Stamps of one cell type: ``pixels`` float32 (ANGLES, variants, LAYERS, S, S) and ``cover`` (0..1, no layers)."""

    pixels: FloatArray
    cover: FloatArray


def _field(rng: np.random.Generator, shape: tuple[int, int, int, int], sigma_px: float) -> FloatArray:
    """Smooth noise, alike but not equal in the layers of a stamp: float32 (n, LAYERS, S, S), unit variance.

    Windows of one large texture: far cheaper than filtering as many small images.
    """
    n, layers, side, _ = shape
    tile = grain_tile(int(rng.integers(1 << 16)), sigma_px)
    axis = np.arange(side)

    def windows(*counts: int) -> FloatArray:
        rows = (rng.integers(0, TILE, (*counts, 1, 1)) + axis[:, None]) % TILE
        columns = (rng.integers(0, TILE, (*counts, 1, 1)) + axis) % TILE
        return np.asarray(tile[rows, columns], dtype=np.float32)

    common = windows(n, 1)
    return np.asarray(np.float32(0.7071) * (common + windows(n, layers)), dtype=np.float32)


@lru_cache(maxsize=64)
def library(name: str, mpp: float) -> Library:
    """Draw the library of a cell type at a pixel size (cached; the same for every phantom).

    Parameters
    ----------
    name : str
        Key of ``TYPES``.
    mpp : float
        Pixel size, um.
    """
    kind = TYPES[name]
    rng = np.random.default_rng((sorted(TYPES).index(name), 77))
    side = int(np.ceil(kind.length_um[1] * 1.18 / mpp / 2)) * 2 + 5
    n = ANGLES * kind.variants
    inside, radius_um = _outlines(kind, rng, n, side, mpp)
    body = _chromatin(kind, rng, n, side, mpp)
    edge = np.exp(-((inside / 0.32) ** 2)) * (radius_um < 1.2)
    body = body + kind.rim * edge[:, None] * (0.75 + 0.25 * body)
    if kind.hollow:
        body = body - kind.hollow * np.exp(-((radius_um[:, None] / 0.45) ** 2))
    _add_nucleoli(kind, rng, body, inside, mpp)
    # Outline as sharp as the section is: the edge falls off within about half a micron.
    cover = np.clip(inside / 0.45 + 0.5, 0.0, 1.0)
    density = rng.uniform(*kind.density, n)[:, None, None, None]
    pixels = np.clip(body, 0.05, None) * cover[:, None] * density
    shape = (ANGLES, kind.variants)
    return Library(
        pixels.reshape(*shape, LAYERS, side, side).astype(np.float32),
        cover.reshape(*shape, side, side).astype(np.float32),
    )


def _outlines(kind: CellType, rng: np.random.Generator, n: int, side: int, mpp: float) -> tuple[FloatArray, FloatArray]:
    """Distance inside the outline in um (n, S, S), negative outside, and the relative radius (1 on the outline)."""
    axis = (np.arange(side) - (side - 1) / 2) * mpp
    x, y = axis[None, None, :], axis[None, :, None]
    angle = (np.repeat(np.arange(ANGLES), kind.variants) + rng.uniform(-0.5, 0.5, n)) * np.pi / ANGLES
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    u, v = x * cos + y * sin, -x * sin + y * cos
    long_um = rng.uniform(*kind.length_um, n)[:, None, None] / 2
    wide_um = np.minimum(rng.uniform(*kind.width_um, n)[:, None, None] / 2, long_um)
    v = v + kind.bend * rng.normal(0, 1, n)[:, None, None] * wide_um * ((u / long_um) ** 2 - 0.4)
    theta = np.arctan2(v / wide_um, u / long_um)
    rho = np.hypot(u / long_um, v / wide_um)
    outline = np.ones_like(rho)
    for order in (2, 3, 4, 5, 7):
        amount = rng.normal(0, kind.ragged / np.sqrt(order - 1), n)[:, None, None]
        outline += amount * np.cos(order * theta + rng.uniform(0, 2 * np.pi, n)[:, None, None])
    relative = rho / np.maximum(outline, 0.3)
    # (1 - relative) is a share of the local radius; the smaller axis makes it microns near the long sides.
    local = 1.0 / np.hypot(np.cos(theta) / long_um, np.sin(theta) / wide_um)
    return ((1.0 - relative) * np.minimum(local, 1.4 * wide_um)).astype(np.float32), relative.astype(np.float32)


def _chromatin(kind: CellType, rng: np.random.Generator, n: int, side: int, mpp: float) -> FloatArray:
    """Relative density around 1, float32 (n, LAYERS, S, S): clumps, threads and fine grain."""
    shape = (n, LAYERS, side, side)
    size = kind.clump_um / mpp
    coarse = _field(rng, shape, 1.5 * size)
    medium = _field(rng, shape, 0.75 * size)
    fine = _field(rng, shape, 0.14 / mpp)
    clumps = np.tanh(1.4 * medium) + 0.5 * np.tanh(coarse) + 0.55 * fine
    return np.asarray(1.0 + kind.clumps * clumps, dtype=np.float32)


def _add_nucleoli(kind: CellType, rng: np.random.Generator, body: FloatArray, inside: FloatArray, mpp: float) -> None:
    """Add dark nucleoli to ``body`` in place, well inside the outline."""
    if not kind.nucleoli:
        return
    side = body.shape[-1]
    axis = (np.arange(side) - (side - 1) / 2) * mpp
    for index in range(body.shape[0]):
        for _ in range(rng.integers(0, kind.nucleoli + 1)):
            room = np.argwhere(inside[index] > 1.1)
            if not len(room):
                continue
            row, column = room[rng.integers(len(room))]
            radius = rng.uniform(0.45, 0.85)
            distance = np.hypot(axis[None, :] - axis[column], axis[:, None] - axis[row])
            spot = np.clip((radius - distance) / 0.3 + 0.5, 0, 1).astype(np.float32)
            body[index] += rng.uniform(0.7, 1.3) * spot * np.array([0.7, 1.0, 0.7], np.float32)[:, None, None]
