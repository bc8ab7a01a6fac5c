"""The simulated test stacks: fields no model has trained on, at sixteen focal planes, made once and kept.

After the protocol of the FocusPath data set: stacks of 16 planes 0.25 um apart around a best plane, one label per
image, ``|z - z*|`` in levels of 0.25 um, blurred from 3 levels on. Each field has its own optics and camera. Real
sharp pictures of the held-out side of the training data are taken to be thin; tissue phantoms are thick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.core.json_text import json_digest
from focusviewer.focus.base import LEVEL_UM
from focusviewer.optics import Camera, Optics, defocus_image, image_section
from focusviewer.simulation.demo_slide import VERSION as PHANTOM_VERSION
from focusviewer.simulation.phantom.tissue import phantom_section
from focusviewer.training.data.sources import MIN_CONTRAST, MIN_ENERGY_RATIO, Source, energy_ratio, load_sources

VERSION = 1
"""Raised whenever the same configuration would give other pixels."""

BLURRY_LEVEL = 3
PHANTOM_SEED = 2000  # evaluation phantoms have seeds below those of training
KINDS = ("mixed", "gland", "tumour", "stroma", "inflamed", "mixed")


@dataclass(frozen=True)
class FieldsConfig:
    """What the test set holds; equal configurations give equal pixels.

    Attributes
    ----------
    real, phantoms : int
        Fields of held-out real pictures (at most; as many as there are) and of phantoms.
    field_px, planes : int
        Side of a field and planes of its stack.
    mpp : float
        Pixel size, um.
    """

    real: int = 10
    phantoms: int = 18
    field_px: int = 496  # three by three dense windows
    planes: int = 16
    mpp: float = 0.25
    seed: int = 7


@dataclass(frozen=True)
class FieldSet:
    """Simulated focal stacks with known truth.

    Attributes
    ----------
    images : uint8 (F, P, H, W, 3)
        Memory-mapped.
    levels : float32 (F, P)
        Signed distance from the best plane, levels of 0.25 um.
    groups : (F,) of str
        The picture or phantom a field was cut from; fields of one group are not independent.
    real : bool (F,)
        Whether the field is a real picture.
    """

    images: RGB
    levels: FloatArray
    groups: tuple[str, ...]
    real: npt.NDArray[np.bool_]
    mpp: float
    key: str

    def __len__(self) -> int:
        return len(self.groups)

    def some(self, count: int) -> FieldSet:
        """About ``count`` fields spread evenly over the set."""
        pick = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(int))
        groups = tuple(self.groups[index] for index in pick)
        key = f"{self.key}-{len(pick)}"
        return FieldSet(self.images[pick], self.levels[pick], groups, self.real[pick], self.mpp, key)


def field_set(
    data_dir: Path | None, config: FieldsConfig | None = None, on_progress: Callable[[float], None] | None = None
) -> FieldSet:
    """The test stacks; made on first use, then mapped from the cache folder.

    Parameters
    ----------
    data_dir : Path or None
        Data folder with real pictures; without one the set holds phantoms alone.
    """
    config = config or FieldsConfig()
    crops = sharp_fields(data_dir, config)
    facts = {**asdict(config), "version": VERSION, "phantom": PHANTOM_VERSION, "real": [name for name, _ in crops]}
    key = json_digest(facts)
    path = cache_dir() / f"test-fields-{key}.npy"
    levels, names = _plan(crops, config)
    if not path.exists():
        _make(path, crops, levels, config, on_progress or (lambda fraction: None))
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    real = np.arange(len(names)) < len(crops)
    return FieldSet(images, levels, tuple(names), real, config.mpp, key)


def sharp_fields(data_dir: Path | None, config: FieldsConfig) -> list[tuple[str, RGB]]:
    """The held-out real pictures that fields are made of, by name; none without a data folder."""
    return _real_fields(load_sources(data_dir, "validation"), config) if data_dir and config.real else []


def _real_fields(sources: list[Source], config: FieldsConfig) -> list[tuple[str, RGB]]:
    """Sharp squares that do not overlap, evenly from all pictures."""
    side, found = config.field_px, []
    for source in sources:
        rows, cols = (length // side for length in source.image.shape[:2])
        for row, col in np.ndindex(rows, cols):
            crop = source.image[row * side : (row + 1) * side, col * side : (col + 1) * side]
            gray = crop.mean(axis=2, dtype=np.float32)
            if gray.std() >= MIN_CONTRAST and energy_ratio(gray) >= MIN_ENERGY_RATIO:
                found.append((source.name, crop))
    if len(found) > config.real:
        found = [found[index] for index in np.linspace(0, len(found) - 1, config.real).astype(int)]
    return found


def _plan(crops: list[tuple[str, RGB]], config: FieldsConfig) -> tuple[FloatArray, list[str]]:
    """Signed levels of every plane (the best one lies in the middle half of its stack), and the groups."""
    names = [name for name, _ in crops] + [f"phantom-{PHANTOM_SEED + index}" for index in range(config.phantoms)]
    rng = np.random.default_rng((config.seed, 1))
    best = rng.integers(config.planes // 4, config.planes - config.planes // 4, len(names))
    return (np.arange(config.planes)[None] - best[:, None]).astype(np.float32), names


def _make(
    path: Path,
    crops: list[tuple[str, RGB]],
    levels: FloatArray,
    config: FieldsConfig,
    on_progress: Callable[[float], None],
) -> None:
    shape = (*levels.shape, config.field_px, config.field_px, 3)
    with atomic_write(path) as temporary:
        images = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        for index in range(len(levels)):
            rng = np.random.default_rng((config.seed, 2, index))
            optics, camera = _optics(rng), _camera(rng)
            expose = _real(crops[index][1], optics, config) if index < len(crops) else _phantom(index, optics, config)
            for plane, level in enumerate(levels[index]):
                images[index, plane] = camera.capture(expose(float(level) * LEVEL_UM), rng)
            on_progress((index + 1) / len(levels))
        images.flush()
        del images


def _real(crop: RGB, optics: Optics, config: FieldsConfig) -> Callable[[float], FloatArray]:
    light = crop.astype(np.float32) / np.float32(255)
    return lambda z_um: defocus_image(light, z_um, config.mpp, optics)


def _phantom(index: int, optics: Optics, config: FieldsConfig) -> Callable[[float], FloatArray]:
    rng = np.random.default_rng((config.seed, 3, index))
    section = phantom_section(
        PHANTOM_SEED + index,
        config.field_px,
        config.field_px,
        mpp=config.mpp,
        stain="ihc" if index % 3 == 2 else "he",
        thickness_um=float(rng.uniform(2.0, 4.0)),
        slabs=4,
        kind=KINDS[index % len(KINDS)],
    )
    middle = float(section.z_um.mean())
    return lambda z_um: image_section(section, middle + z_um, optics)


def _optics(rng: np.random.Generator) -> Optics:
    red, blue = (round(float(shift), 2) for shift in rng.normal(0, 0.2, 2))
    return Optics(
        na=round(float(rng.uniform(0.62, 0.78)), 3),
        chromatic_shift_um=(red, 0.0, blue),
        spherical_waves=round(float(rng.uniform(-0.08, 0.08)), 3),
    )


def _camera(rng: np.random.Generator) -> Camera:
    return Camera(
        noise=float(rng.uniform(0.002, 0.01)),
        noise_correlation_px=float(rng.choice([0.0, 0.6])),
        gamma=float(rng.uniform(0.9, 1.25)),
        sharpening=float(rng.choice([0.0, 0.0, 0.3])),
        jpeg_quality=int(rng.integers(75, 96)) if rng.random() < 0.7 else None,
    )
