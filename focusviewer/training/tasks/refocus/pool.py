"""What the selector of the fast engine learns from: simulated crops, reduced once to what a step of training needs.

The error of a mixture is a quadratic form in the few coefficients of the basis filters. The pool keeps its terms for
each place, so that a step filters nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from focusviewer.core.arrays import RGB
from focusviewer.core.files import atomic_write, cache_dir, output_folder
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.refocus.fast.filtering import filter_image
from focusviewer.refocus.fast.operators import OperatorBank, operator_bank
from focusviewer.refocus.fast.selector import CELL, FEATURES, SPECTRUM, STRIDE, features, shrinking, spectra
from focusviewer.training.data.refracting import refracting_crop
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.data.sources import Source
from focusviewer.training.data.stacks import PlaneConfig, PlaneGenerator, glass_light

CROP_PX = 224
PAD_PX = 48
BLOCK = 2
"""Cells along a side of the blocks in which errors are kept."""

SCALES = ((0.25, (0.6, 0.8), 0.8), (0.5, (0.4, 0.75), 0.2))  # um per pixel, apertures, share of the crops
SHARES = {"plain": 0.4, "thin": 0.25, "lifted": 0.2, "phantom": 0.15}
"""Kinds of fields: those of :mod:`focusviewer.training.data.stacks`, and pictures that nothing but defocus and white
noise has changed."""

PLANES = {"plain": 1, "thin": 2, "lifted": 4, "phantom": 4}
POOL_PIECE = 800

UNEXPLAINED = 5e-5
"""Squared error that a refracting specimen has anyway; what sharpening changes in it comes on top."""

_POOL_VERSION, _REFRACTING_VERSION = 2, 2  # raised when the same settings would give other numbers
_FIELDS_A_STEP = 12


@dataclass(frozen=True)
class Pool:
    """Simulated crops reduced to what training needs.

    Attributes
    ----------
    features : float16 (N, FEATURES, h, w)
    spectra : float16 (N, SPECTRUM, h', w')
    terms : float32 (N, T, h / BLOCK, w / BLOCK)
        Of the squared error as a quadratic form in the coefficients, block by block: products, sides, constant.
    z_um : float32 (N,)
        Distance from focus.
    mpp : float32 (N,)
    """

    features: np.ndarray
    spectra: np.ndarray
    terms: np.ndarray
    z_um: np.ndarray
    mpp: np.ndarray

    def __len__(self) -> int:
        return len(self.z_um)

    def rows(self, mpp: float) -> np.ndarray:
        """Indices of the crops of one pixel size."""
        return np.flatnonzero(np.isclose(self.mpp, mpp))

    def batch(self, index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Features, spectra and error terms of some crops of one pixel size, float32."""
        parts = (torch.from_numpy(np.array(a[np.sort(index)])) for a in (self.features, self.spectra, self.terms))
        cells, windows, terms = (part.to(device).float() for part in parts)
        side = _windows(float(self.mpp[index[0]]))
        return cells, windows[..., :side, :side], terms


def _windows(mpp: float) -> int:
    """Windows of spectra along the side of a crop."""
    return -(-CROP_PX // (STRIDE * shrinking(mpp)))


@dataclass(frozen=True)
class Pools:
    """Several pools as one."""

    parts: tuple[Pool, ...]

    @property
    def z_um(self) -> np.ndarray:
        """Distance of each crop from focus."""
        return np.concatenate([part.z_um for part in self.parts])

    def rows(self, mpp: float) -> np.ndarray:
        """Indices of the crops of one pixel size."""
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        return np.concatenate([part.rows(mpp) + start for part, start in zip(self.parts, starts, strict=False)])

    def batch(self, index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Features, spectra and error terms of some crops, float32, pool by pool."""
        found, start = [], 0
        for part in self.parts:
            mine = index[(index >= start) & (index < start + len(part))] - start
            if mine.size:
                found.append(part.batch(mine, device))
            start += len(part)
        cells, windows, terms = (torch.cat(column) for column in zip(*found, strict=True))
        return cells, windows, terms


def error_terms(sharp: Tensor, blurred: Tensor, filtered: Tensor) -> Tensor:
    """Terms of the squared error of ``blurred + sum_j c_j filtered_j`` in each block: (B, T, h / BLOCK, w / BLOCK).

    T = J (J + 1) / 2 products (those off the diagonal twice), J sides (twice), one constant.
    """
    count, layers, colours, height, width = filtered.shape
    side = CELL * BLOCK
    first, second = torch.triu_indices(layers, layers)
    twice = torch.where(first == second, 1.0, 2.0)
    both = torch.cat([filtered, (blurred - sharp)[:, None]], 1)
    blocks = both.view(count, layers + 1, colours, height // side, side, width // side, side)
    blocks = blocks.permute(0, 3, 5, 1, 2, 4, 6).flatten(4).contiguous()
    products = blocks @ blocks.transpose(-1, -2) / (colours * side * side)
    terms = torch.cat([products[..., first, second] * twice, 2 * products[..., :-1, -1], products[..., -1:, -1]], -1)
    return terms.permute(0, 3, 1, 2)


def quadratic(coefficients: Tensor) -> Tensor:
    """What the terms are to be multiplied with: (..., J) to (..., T)."""
    first, second = torch.triu_indices(coefficients.shape[-1], coefficients.shape[-1], device=coefficients.device)
    products = coefficients[..., first] * coefficients[..., second]
    return torch.cat([products, coefficients, torch.ones_like(coefficients[..., :1])], -1)


Case = tuple[RGB, RGB, float]
"""A crop as recorded out of focus, the same in focus without noise, and the distance from focus in um."""


def field_cases(generator: PlaneGenerator, step: int, seed: int) -> Iterator[Case]:
    """Crops of some fields at random distances."""
    config = generator.config
    kinds = np.random.default_rng((seed, 51, step)).choice(list(SHARES), _FIELDS_A_STEP, p=_field_shares())
    for row, kind in enumerate(kinds):
        rng = np.random.default_rng((seed, 52, step, row))
        if kind == "plain":
            patch = generator.patches[rng.integers(len(generator.patches))]
            yield plain_case(patch, config, _distance(rng, config.max_z_um), rng)
            continue
        field, _ = generator.field(str(kind), step, rng)
        glass, camera = glass_light(str(kind), rng), field.system.camera
        sharp = replace(camera, noise=0.0, jpeg_quality=None).capture(glass * field.light(0.0), rng)
        for _ in range(PLANES[str(kind)]):
            z_um = _distance(rng, config.max_z_um)
            yield camera.capture(glass * field.light(z_um), rng), sharp, abs(z_um)


def _field_shares() -> list[float]:
    """Shares of fields, whose numbers of crops differ."""
    fields = np.array([share / PLANES[kind] for kind, share in SHARES.items()])
    return list(fields / fields.sum())


def _distance(rng: np.random.Generator, max_z_um: float) -> float:
    return 0.0 if rng.random() < 0.12 else float(rng.uniform(0, max_z_um) * rng.choice((-1.0, 1.0)))


def plain_case(patch: RGB, config: PlaneConfig, z_um: float, rng: np.random.Generator) -> Case:
    """A patch through ideal optics, with white noise."""
    y, x = (int(rng.integers(0, side - config.crop_px + 1)) for side in patch.shape[:2])
    sharp = np.rot90(patch[y : y + config.crop_px, x : x + config.crop_px], int(rng.integers(4)))
    light = np.ascontiguousarray(sharp, dtype=np.float32) / np.float32(255)
    if z_um:
        light = defocus_image(light, abs(z_um), config.mpp, Optics(na=float(rng.uniform(*config.na_range))))
    return Camera(noise=float(rng.uniform(0, 0.009))).capture(light, rng), sharp, abs(z_um)


def make_pool(patches: RGB, max_z_um: float, count: int, seed: int) -> Pool:
    """Simulate ``count`` crops and compute what training needs of them."""

    def cases(scale: int) -> Iterator[Case]:
        mpp, apertures, _ = SCALES[scale]
        generator = PlaneGenerator(patches, PlaneConfig(CROP_PX, mpp, apertures, max_z_um), seed + 100 * scale)
        for step in itertools.count():
            yield from field_cases(generator, step, seed + 100 * scale)

    return _gathered(cases, count)


def make_refracting_pool(sources: list[Source], count: int, seed: int) -> Pool:
    """Crops of specimens that refract: the right picture is the one that was recorded, up to UNEXPLAINED."""

    def cases(scale: int) -> Iterator[Case]:
        for row in itertools.count():
            crop = refracting_crop(sources, CROP_PX, SCALES[scale][0], np.random.default_rng((seed, 53, scale, row)))
            yield crop, crop, 0.0

    pool = _gathered(cases, count)
    pool.terms[:, -1] += np.float32(UNEXPLAINED)
    return pool


@torch.no_grad()
def _gathered(cases: Callable[[int], Iterator[Case]], count: int) -> Pool:
    """What training needs of the first ``count`` cases, in the shares of SCALES."""
    placed = np.zeros((count, 2), np.float32)
    whole: tuple[np.ndarray, ...] | None = None
    done = 0
    for index, (mpp, _, share) in enumerate(SCALES):
        bank = operator_bank(mpp)
        last = count if index == len(SCALES) - 1 else round(count * share)
        for recorded, truth, z_um in itertools.islice(cases(index), last - done):
            crop = _reduced(recorded, truth, bank)
            if whole is None:  # made once: thousands of small arrays between large ones would scatter the memory
                side = max(_windows(scale[0]) for scale in SCALES)
                shapes = (crop[0].shape, (SPECTRUM, side, side), crop[2].shape)
                whole = tuple(np.zeros((count, *shape), part.dtype) for shape, part in zip(shapes, crop, strict=True))
            for column, part in zip(whole, crop, strict=True):
                rows, columns = part.shape[1:]
                column[done, :, :rows, :columns] = part
            placed[done] = z_um, mpp
            done += 1
    assert whole is not None
    return Pool(whole[0], whole[1], whole[2], placed[:, 0], placed[:, 1])


def _reduced(recorded: RGB, truth: RGB, bank: OperatorBank) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, spectra and error terms of one crop."""
    blurred, sharp = (_planar(image) for image in (recorded, truth))
    filtered = torch.from_numpy(filter_image(blurred[0].numpy(), bank, PAD_PX))[None]
    cells, windows = features(blurred, filtered.mean(2), bank)[0].half(), spectra(blurred, bank.mpp)[0].half()
    return cells.numpy(), windows.numpy(), error_terms(sharp, blurred, filtered)[0].contiguous().numpy()


def _planar(image: RGB) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))[None].float() / 255


def cached_pool(patches: RGB, max_z_um: float, count: int, seed: int) -> Pool:
    """The pool from the cache folder, made first when it is not there: a resumed run must not wait for it again."""
    key = hashlib.sha256(patches.tobytes())
    facts: list[object] = [_POOL_VERSION, SIMULATOR_VERSION, count, seed, max_z_um]
    return _cached(key, facts, lambda: make_pool(patches, max_z_um, count, seed))


def cached_refracting_pool(sources: list[Source], count: int, seed: int) -> Pool:
    """As :func:`cached_pool`, of specimens that refract."""
    key = hashlib.sha256()
    for source in sources:
        key.update(source.image.tobytes())
    facts: list[object] = [_REFRACTING_VERSION, count, seed, UNEXPLAINED]
    return _cached(key, facts, lambda: make_refracting_pool(sources, count, seed))


def _cached(key: hashlib._Hash, facts: list[object], make: Callable[[], Pool]) -> Pool:
    bank = operator_bank(SCALES[0][0])
    key.update(json.dumps([*facts, FEATURES, SPECTRUM, bank.basis.shape[0]]).encode())
    key.update(bank.basis.round(2).tobytes())
    folder = cache_dir() / "banks" / f"refocus-{key.hexdigest()[:12]}"
    names = [field.name for field in dataclasses.fields(Pool)]
    if not all((folder / f"{name}.npy").exists() for name in names):
        output_folder(folder)
        pool = make()
        for name in names:
            with atomic_write(folder / f"{name}.npy") as temporary:
                np.save(temporary, getattr(pool, name))
    return Pool(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names))


def cached_pools(patches: RGB, max_z_um: float, count: int, seed: int) -> Pools:
    """Pools of at most POOL_PIECE crops, so that a program that is broken off loses little."""
    sizes = [min(POOL_PIECE, count - start) for start in range(0, count, POOL_PIECE)]
    return Pools(tuple(cached_pool(patches, max_z_um, size, seed + 2 * part) for part, size in enumerate(sizes)))
