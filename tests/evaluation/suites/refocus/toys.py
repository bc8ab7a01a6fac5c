"""Engines whose answer is known, and stacks of one texture at every focus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.refocus.competitors import Competitors
from focusviewer.evaluation.suites.refocus.planes import Planes
from focusviewer.evaluation.test_sets.ground_truth_stacks import PLANES, GroundTruthStack
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from focusviewer.optics import defocus_image
from focusviewer.refocus.base import Encoded, FloatMap, Refocuser
from focusviewer.refocus.fast.operators import SCANNER
from focusviewer.slides.base import RGB

Paint = Callable[[list[RGB], tuple[float, ...], "float | FloatMap"], RGB]
SAME_DB = 148.13  # what equal pictures score


class Toy(Refocuser):
    """Renders by a function of its planes, their positions and the target; remembers what it was given."""

    name = "toy"
    halo_px = 8

    def __init__(self, paint: Paint) -> None:
        self.paint, self.seen = paint, list[tuple[float, ...]]()

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        shape = images[0].shape[:2]
        self.seen.append(tuple(planes_um))
        return Encoded((shape[0], shape[1]), mpp, tuple(planes_um), np.zeros(shape, np.float32), list(images))

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        return self.paint(encoded.state, encoded.planes_um, target_um)


class Touching(Toy):
    """Goes around the interface: it draws even where a plane was acquired."""

    def render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:  # type: ignore[misc]
        return self._render(encoded, target_um)


def nothing() -> Toy:
    """Shows the plane nearest to the target."""
    return Toy(lambda images, zs, z: images[int(np.argmin([abs(float(np.mean(z)) - at) for at in zs]))])


def shifted(by: int) -> Toy:
    """Everything brighter by so many gray levels."""
    return Toy(lambda images, zs, z: (images[0].astype(int) + by).clip(0, 255).astype(np.uint8))


def decibel(gray_levels: float) -> float:
    return float(20 * np.log10(255 / gray_levels))


GRAIN = np.random.default_rng(2).standard_normal((96, 96, 3))


def picture(z_um: float) -> RGB:
    """A texture that blurs with distance, alike on both sides of focus."""
    sigma = round(abs(z_um), 3) + 0.5
    soft = gaussian_filter(GRAIN, (sigma, sigma, 0))
    return np.asarray(np.clip(128 + 60 * soft, 0, 240), dtype=np.uint8)


def stack(name: str = "a", planes: int = 16) -> Planes:
    z_um = tuple(0.25 * (index - planes // 2) + 0.1 for index in range(planes))  # no two are alike
    return Planes(np.stack([picture(z) for z in z_um]), z_um, planes // 2, name)


def knowing(error: Callable[[int], int] = lambda planes: 0) -> Toy:
    """Knows the picture at every focus; wrong by so many gray levels with so many planes."""
    return Toy(lambda images, zs, z: picture(float(np.mean(z))) + np.uint8(error(len(images))))


def no_competitors() -> Competitors:
    def refuse(name: str) -> Refocuser:
        raise UserError(f"no {name}", "", "")

    return Competitors(lambda image, optics, z_um, mpp, noise: image, refuse)


def true_stack() -> GroundTruthStack:
    levels = 1 + np.arange(PLANES) / 5
    return GroundTruthStack(np.stack([picture((level - 8.5) * 0.25) for level in levels]), "grain", 8.5)


def real_stack(step_um: float = 0.6) -> RealStack:
    rng = np.random.default_rng(3)
    grain = np.clip(0.6 + 0.25 * gaussian_filter(rng.standard_normal((96, 96, 3)), (1, 1, 0)) * 3, 0, 1)
    planes = [defocus_image(grain.astype(np.float32), abs(i - 4) * step_um, 0.25, SCANNER) for i in range(9)]
    return RealStack("made", np.stack([(plane * 255 + 0.5).astype(np.uint8) for plane in planes]), (4, 4))
