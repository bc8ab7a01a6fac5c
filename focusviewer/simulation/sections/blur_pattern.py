"""Where a simulated scan is out of focus, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.tissue import Bubble

Blur = Literal["none", "whole", "strip", "bubble", "mixed"]
BLURS: tuple[str, ...] = get_args(Blur)

EDGE_PX = 24.0
"""Width of the transition at the side of an out-of-focus scan stripe, px."""


@dataclass(frozen=True)
class Strip:
    """A scan stripe that the autofocus missed: from ``left`` to ``right`` (px), ``z_um`` off."""

    left: float
    right: float
    z_um: float


@dataclass(frozen=True)
class Wave:
    """One wave of an uneven surface: ``um * cos(kx x + ky y + phase)`` with x, y in px."""

    kx: float
    ky: float
    phase: float
    um: float


def uneven_surface(rng: np.random.Generator, rms_um: float, mpp: float, count: int = 10) -> tuple[Wave, ...]:
    """The relief of a section that does not lie flat: swells of 150 to 1500 um, long ones higher.

    Parameters
    ----------
    rms_um : float
        Root mean square of the height.
    mpp : float
        Pixel size, um.
    """
    lengths = np.exp(rng.uniform(np.log(150.0), np.log(1500.0), count)) / mpp
    angles, phases = rng.uniform(0, np.pi, count), rng.uniform(0, 2 * np.pi, count)
    heights = np.sqrt(lengths)
    heights *= rms_um * np.sqrt(2 / np.square(heights).sum())
    k = 2 * np.pi / lengths
    columns = (k * np.cos(angles), k * np.sin(angles), phases, heights)
    return tuple(Wave(*(float(value) for value in row)) for row in zip(*columns, strict=True))


@dataclass(frozen=True)
class BlurPattern:
    """Signed defocus over a slide, as a sum of simple causes.

    Attributes
    ----------
    offset_um : float
        Everywhere.
    strips : tuple of Strip
        Scan stripes.
    bubbles : tuple of Bubble
        Air under the coverslip; inside, focus is off by ``bubble_um``.
    bubble_um : float
        Defocus under a bubble.
    tilt_um : float
        Defocus that the corner at ``tilt_corner`` reaches; the field rises from the middle of the slide.
    tilt_corner : (x, y)
        Corner in px.
    tilt_reach_px : float
        Distance from the corner at which the tilt begins.
    waves : tuple of Wave
        An uneven surface.
    """

    offset_um: float = 0.0
    strips: tuple[Strip, ...] = ()
    bubbles: tuple[Bubble, ...] = ()
    bubble_um: float = 0.0
    tilt_um: float = 0.0
    tilt_corner: tuple[float, float] = (0.0, 0.0)
    tilt_reach_px: float = 1.0
    waves: tuple[Wave, ...] = ()

    def z_um(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> FloatArray:
        """Signed defocus at positions in level-0 px (arrays that broadcast against each other)."""
        z = np.full(np.broadcast_shapes(x.shape, y.shape), self.offset_um, np.float64)
        for strip in self.strips:
            z += strip.z_um * _ramp((x - strip.left) / EDGE_PX) * _ramp((strip.right - x) / EDGE_PX)
        for bubble in self.bubbles:
            inside = bubble.radius - np.hypot(x - bubble.x, y - bubble.y)
            z += self.bubble_um * _ramp(inside / 60.0)
        if self.tilt_um:
            distance = np.hypot(x - self.tilt_corner[0], y - self.tilt_corner[1])
            z += self.tilt_um * np.clip(1 - distance / self.tilt_reach_px, 0, 1) ** 1.3
        for wave in self.waves:
            z += wave.um * np.cos(wave.kx * x + wave.ky * y + wave.phase)
        return np.asarray(z, dtype=np.float32)


def _ramp(t: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Smooth step from 0 at -0.5 to 1 at 0.5."""
    t = np.clip(t + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def make_pattern(blur: str, rng: np.random.Generator, width: int, height: int) -> BlurPattern:
    """Draw a pattern of the named kind for a slide of the given size in px.

    Parameters
    ----------
    blur : str
        ``none``; ``whole``: one offset everywhere; ``strip``: a scan stripe; ``bubble``: a disk; ``mixed``: a tilted
        corner, a stripe and a bubble.

    Raises
    ------
    ValueError
        For another name.
    """
    if blur not in BLURS:
        raise ValueError(f"unknown blur {blur!r}: {', '.join(BLURS)}")
    small = min(width, height)
    stripe = float(np.clip(rng.uniform(0.10, 0.16) * width, 256, 2000))
    left = rng.uniform(0.2, 0.55) * width
    strips = (Strip(left, left + stripe, float(rng.choice((-1, 1)) * rng.uniform(1.4, 3.2))),)
    place = rng.uniform(0.28, 0.72, 2)
    bubbles = (Bubble(place[0] * width, place[1] * height, rng.uniform(0.09, 0.13) * small),)
    bubble_um = float(rng.uniform(2.5, 4.0))
    if blur == "whole":
        return BlurPattern(offset_um=float(rng.choice((-1, 1)) * rng.uniform(1.0, 3.5)))
    if blur == "strip":
        return BlurPattern(strips=strips)
    if blur == "bubble":
        return BlurPattern(bubbles=bubbles, bubble_um=bubble_um)
    if blur == "mixed":
        corner = (float(rng.integers(2) * width), float(rng.integers(2) * height))
        reach = 0.72 * float(np.hypot(width, height))
        return BlurPattern(0.0, strips, bubbles, bubble_um, float(rng.uniform(3.0, 4.5)), corner, reach)
    return BlurPattern()
