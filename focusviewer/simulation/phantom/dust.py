"""Dust on a slide: grains and fibres above or below the section, seldom in focus with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.layout import Frame

REACH = 4.0
"""How far a particle's outline may lie from its centre, in radii; fibres are long."""


@dataclass(frozen=True)
class Dust:
    """One particle.

    Attributes
    ----------
    x, y : float
        Centre, px.
    radius_um : float
        Of a grain; half the length of a fibre is a few times that.
    height_um : float
        Above the middle of the section on the focus axis; negative below.
    density : float
        Optical density in its middle.
    fibre : bool
        A bent thread rather than a grain.
    seed : int
        Of its outline.
    """

    x: float
    y: float
    radius_um: float
    height_um: float
    density: float
    fibre: bool
    seed: int


def draw_dust(
    rng: np.random.Generator, count: int, width: int, height: int, height_um: float = 8.0
) -> tuple[Dust, ...]:
    """Particles at random places of a slide of the given size in px, all at one height above the section.

    The mounting medium carries most dust to the coverslip, so that the particles of a slide share a plane: a scanner
    that focuses on it has all of them sharp and no tissue.
    """
    return tuple(
        Dust(
            float(rng.uniform(0, width)),
            float(rng.uniform(0, height)),
            float(np.clip(rng.lognormal(0.9, 0.55), 0.8, 9.0)),
            height_um,
            float(rng.uniform(0.5, 1.6)),
            bool(rng.random() < 0.22),
            int(rng.integers(1 << 30)),
        )
        for _ in range(count)
    )


def dust_density(dust: tuple[Dust, ...], frame: Frame) -> FloatArray:
    """Optical density of particles in a window, gray: float32 (H, W)."""
    density = np.zeros((frame.height, frame.width), np.float32)
    for particle in dust:
        reach = int(np.ceil(REACH * particle.radius_um / frame.mpp)) + 2
        left, top = int(particle.x) - reach - frame.x0, int(particle.y) - reach - frame.y0
        rows = slice(max(top, 0), min(top + 2 * reach, frame.height))
        columns = slice(max(left, 0), min(left + 2 * reach, frame.width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + frame.y0 - particle.y) * frame.mpp
        x = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + frame.x0 - particle.x) * frame.mpp
        density[rows, columns] += _fibre(particle, x, y) if particle.fibre else _grain(particle, x, y)
    return density


def _grain(particle: Dust, x: FloatArray, y: FloatArray) -> FloatArray:
    """A jagged opaque crumb, paler at its rim."""
    rng = np.random.default_rng(particle.seed)
    theta, distance = np.arctan2(y, x), np.hypot(x, y)
    outline = np.full_like(distance, particle.radius_um)
    for order in range(2, 9):
        amount = rng.normal(0, 0.3 / order) * particle.radius_um
        outline += np.float32(amount) * np.cos(order * theta + np.float32(rng.uniform(0, 2 * np.pi)))
    inside = np.clip((outline - distance) / np.float32(0.5 + 0.2 * particle.radius_um), 0, 1)
    streaks = 1 + 0.35 * np.cos((x * rng.normal() + y * rng.normal()) * np.float32(2.2 / particle.radius_um))
    return np.asarray(particle.density * inside * streaks, dtype=np.float32)


def _fibre(particle: Dust, x: FloatArray, y: FloatArray) -> FloatArray:
    """A bent thread."""
    rng = np.random.default_rng(particle.seed)
    angle, bend = rng.uniform(0, np.pi), rng.normal(0, 0.12)
    along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    half_um = 0.8 * REACH * particle.radius_um
    off = np.abs(across - np.float32(bend) * (along**2 / np.float32(half_um) - np.float32(half_um / 3)))
    thread = np.clip((np.float32(0.25 * particle.radius_um + 0.4) - off) / 0.5, 0, 1)
    ends = np.clip((np.float32(half_um) - np.abs(along)) / 1.0, 0, 1)
    return np.asarray(0.6 * particle.density * thread * ends, dtype=np.float32)
