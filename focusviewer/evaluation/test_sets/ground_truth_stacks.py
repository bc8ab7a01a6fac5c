"""Simulated stacks with a picture at every fifth of a level, so that any focus in between has a truth.

Levels are counted as in Wang 2024: sixteen of them, 0.25 um apart, the section's middle between the
eighth and the ninth. What engines get and what they are compared with are recorded one by one, each with noise of its
own, as a scanner would: against a truth free of noise, mixing two planes would gain by the noise that it averages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.core.json_text import json_digest
from focusviewer.focus.base import LEVEL_UM
from focusviewer.optics import Camera, Optics
from focusviewer.simulation.demo_slide import VERSION as PHANTOM_VERSION

VERSION = 1
"""Raised whenever the same configuration would give other pixels."""

LEVELS = 16
PER_LEVEL = 5
PLANES = (LEVELS - 1) * PER_LEVEL + 1
PHANTOM_SEED = 2300  # below those of training
NOISE = 0.004
KINDS = ("gland", "tumour", "mixed", "stroma")


@dataclass(frozen=True)
class GroundTruthStack:
    """A section at every fifth of a level.

    Attributes
    ----------
    clean : uint8 (PLANES, H, W, 3)
        Without noise.
    name : str
        The picture or phantom it was made of.
    best : float
        Level at which most of it is in focus.
    """

    clean: RGB
    name: str
    best: float
    mpp: float = 0.25

    def truth(self, level: float) -> RGB:
        """The section at a level between 1 and 16, to the nearest fifth: to compare with."""
        return self._recorded(level, 8)

    def recorded(self, level: float) -> RGB:
        """The same for engines: noise of its own, the same every time."""
        return self._recorded(level, 7)

    def _recorded(self, level: float, shot: int) -> RGB:
        index = _index(level)
        light = np.asarray(self.clean[index], np.float32) / np.float32(255)
        return Camera(noise=NOISE).capture(light, np.random.default_rng((VERSION, shot, index)))

    def z_um(self, level: float, mirrored: bool = False) -> float:
        """Position of a level on a focus axis whose 0 is the section's best focus; ``mirrored`` turns the axis."""
        z_um = (level - self.best) * LEVEL_UM
        return -z_um if mirrored else z_um


def _index(level: float) -> int:
    index = round((level - 1) * PER_LEVEL)
    if not 0 <= index < PLANES:
        raise ValueError(f"level {level} is not between 1 and {LEVELS}")
    return index


@dataclass(frozen=True)
class GroundTruthConfig:
    """How many stacks of held-out pictures (lifted to volumes) and of phantoms, and their side in px."""

    real: int = 2
    phantoms: int = 2
    side_px: int = 224


def ground_truth_stacks(
    pictures: Sequence[tuple[str, RGB]],
    config: GroundTruthConfig | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> list[GroundTruthStack]:
    """The stacks; made on first use, then mapped from the cache folder.

    Parameters
    ----------
    pictures : sequence of (name, uint8 (H, W, 3))
        Sharp pictures never trained on, at least ``side_px`` wide and high; the first ones are taken.
    """
    config = config or GroundTruthConfig()
    chosen = list(pictures)[: config.real]
    facts = {**asdict(config), "version": VERSION, "phantom": PHANTOM_VERSION, "pictures": [name for name, _ in chosen]}
    key = json_digest(facts)
    sources: list[tuple[str, RGB | None]] = [*chosen]
    sources += [(f"phantom-{PHANTOM_SEED + index}", None) for index in range(config.phantoms)]
    stacks = []
    for index, (name, picture) in enumerate(sources):
        path = cache_dir() / f"true-stack-{key}-{index}.npz"
        if not path.exists():
            _make(path, index, picture, config)
        with np.load(path, allow_pickle=False) as file:
            stacks.append(GroundTruthStack(file["clean"], name, float(file["best"])))
        if on_progress:
            on_progress((index + 1) / len(sources))
    return stacks


def _make(path: Path, index: int, picture: RGB | None, config: GroundTruthConfig) -> None:
    from focusviewer.simulation.scanner import Scanner
    from focusviewer.simulation.stacks import StackRecipe, simulate_stack

    rng = np.random.default_rng((VERSION, index))
    optics = Optics(na=float(rng.uniform(0.65, 0.78)), chromatic_shift_um=(0.1, 0.0, -0.1))
    side = config.side_px
    recipe = StackRecipe(
        seed=PHANTOM_SEED + index - (config.real if picture is None else 0),
        width=side,
        height=side,
        planes=PLANES,
        step_um=LEVEL_UM / PER_LEVEL,
        thickness_um=float(rng.uniform(2.0, 3.5)),
        kind=KINDS[index % len(KINDS)],
        scanner=Scanner(optics, Camera(noise=0.0)),
    )
    made = simulate_stack(recipe, None if picture is None else np.ascontiguousarray(picture[:side, :side]))
    best = 1 + float(np.median(made.best_z_um)) / LEVEL_UM
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, clean=made.pictures, best=best)
