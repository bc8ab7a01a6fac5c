"""The bank of focal stacks: simulated fields at several planes, as recorded and without noise, made once and kept.

Every network that refocuses learns from the same bank, so that they can be compared. The bank is made in pieces that
follow from (seed, number of the piece) alone: when the making is broken off, the next program goes on with the pieces
that are missing, and programs that make it at the same time share the work.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.core.files import atomic_write, cache_dir, output_folder, unfinished_file
from focusviewer.core.json_text import json_digest
from focusviewer.training.data.bank import SCALES, SOURCE_PX, VALIDATION_SEED
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.data.sources import load_sources, sharp_crops, sources_digest
from focusviewer.training.data.stacks import SHARES, STEPS_PER_SLOT, PlaneConfig, PlaneGenerator, glass_light
from focusviewer.training.waiting import tell

VALIDATION_SHARE = 8
"""A validation bank has one field for so many of the training bank."""

PIECE = 50
"""Fields made at a time."""


@dataclass(frozen=True)
class StackBankConfig:
    """What is in a bank; two banks of one configuration hold the same bytes.

    Attributes
    ----------
    mpp : float
        Pixel size, um.
    fields : int
        Focal stacks of the training bank; the validation bank has an eighth of them.
    planes : int
        Of each stack.
    crop_px : int
        Side of a picture.
    max_z_um : float
        Planes lie within this distance of the tissue.
    seed : int
        Of everything random.
    """

    mpp: float = 0.25
    fields: int = 1600
    planes: int = 10
    crop_px: int = 128
    max_z_um: float = 4.0
    seed: int = 40


@dataclass(frozen=True)
class StackBank:
    """Focal stacks of tissue at depth 0.

    Attributes
    ----------
    recorded : uint8 (N, P, S, S, 3)
        Memory-mapped; with the camera's noise and compression: what a network is given.
    clean : uint8 (N, P, S, S, 3)
        Memory-mapped; the same pictures without: what it should make.
    z_um : float32 (N, P)
        Signed distances of the planes from the tissue, increasing; one of them is 0.
    source : int32 (N,)
        Index of the real patch; of phantoms, the number of patches or more.
    """

    recorded: RGB
    clean: RGB
    z_um: FloatArray
    source: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.z_um)


def stack_bank(data: Path, split: str, config: StackBankConfig | None = None) -> StackBank:
    """Open a bank, making first what is missing of it.

    Parameters
    ----------
    data : Path
        Folder with the real sharp images (see ``training/data/sources.py``).
    split : "train" or "validation"
        Side of the split by image; phantoms of the two sides have different seeds.

    Raises
    ------
    UserError
        If the data folder holds no sharp images, or the cache folder cannot be written to.
    """
    config = config or StackBankConfig()
    folder = stack_bank_folder(data, split, config)
    fields = config.fields if split == "train" else max(1, config.fields // VALIDATION_SHARE)
    pieces = [range(start, min(start + PIECE, fields)) for start in range(0, fields, PIECE)]
    missing = [number for number in range(len(pieces)) if not _piece_file(folder, number).exists()]
    if missing:
        _make(data, split, config, output_folder(folder), pieces)
    about = [np.load(_piece_file(folder, number), allow_pickle=False) for number in range(len(pieces))]
    return StackBank(
        np.load(folder / "recorded.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "clean.npy", mmap_mode="r", allow_pickle=False),
        np.concatenate([part["z_um"] for part in about]),
        np.concatenate([part["source"] for part in about]),
    )


def stack_bank_folder(data: Path, split: str, config: StackBankConfig) -> Path:
    """Where a bank lies: named by its configuration, the simulator, and the images it is made of."""
    about = asdict(config) | {"simulator": SIMULATOR_VERSION, "sources": sources_digest(data)}
    key = json_digest(about)
    return cache_dir() / "banks" / f"stacks-{split}-{config.mpp:g}-{key}"


def _piece_file(folder: Path, number: int) -> Path:
    """Distances and sources of a piece; exists as soon as the pictures of the piece are there."""
    return folder / f"piece-{number:04d}.npz"


def _make(data: Path, split: str, config: StackBankConfig, folder: Path, pieces: list[range]) -> None:
    generator = PlaneGenerator(
        sharp_crops(load_sources(data, split), max(SOURCE_PX, config.crop_px)),
        PlaneConfig(config.crop_px, config.mpp, SCALES[config.mpp], config.max_z_um),
        config.seed + (VALIDATION_SEED if split == "validation" else 0),
    )
    shape = (pieces[-1].stop, config.planes, config.crop_px, config.crop_px, 3)
    recorded, clean = (_pictures(folder / f"{name}.npy", shape) for name in ("recorded", "clean"))
    first = os.getpid() % len(pieces)  # programs that begin together begin at different places
    for number in (*range(first, len(pieces)), *range(first)):
        path = _piece_file(folder, number)
        if path.exists():
            continue
        tell(f"{sum(_piece_file(folder, other).exists() for other in range(len(pieces)))} of {len(pieces)} parts")
        part = pieces[number]
        z_um = np.empty((len(part), config.planes), np.float32)
        source = np.empty(len(part), np.int32)
        for row, field in enumerate(part):
            recorded[field], clean[field], z_um[row], source[row] = make_stack(generator, config, number, row)
        for pictures in (recorded, clean):
            pictures.flush()
        with atomic_write(path) as temporary:
            np.savez(temporary, z_um=z_um, source=source)


def _pictures(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Open a file of pictures for writing; it is there in its full length or not at all."""
    if not path.exists():
        with unfinished_file(path) as temporary:
            np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape).flush()
            with suppress(FileExistsError):  # another program was faster, and may have written into it already
                os.link(temporary, path)
    return np.lib.format.open_memmap(path, mode="r+")


def make_stack(
    generator: PlaneGenerator, config: StackBankConfig, piece: int, row: int
) -> tuple[RGB, RGB, FloatArray, int]:
    """One field: recorded and clean pictures, uint8 (P, S, S, 3), the planes (P,) in um, and its source."""
    rng = np.random.default_rng((generator.seed, 41, piece, row))
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    field, source = generator.field(kind, piece * STEPS_PER_SLOT, rng)  # volumes are shared within a piece only
    z_um = spread_planes(config.planes, config.max_z_um, rng)
    glass, camera = glass_light(kind, rng), field.system.camera
    quiet = replace(camera, noise=0.0, jpeg_quality=None)
    light = [glass * field.light(float(z)) for z in z_um]
    return (
        np.stack([camera.capture(plane, rng) for plane in light]),
        np.stack([quiet.capture(plane, rng) for plane in light]),
        z_um,
        source,
    )


def spread_planes(planes: int, max_z_um: float, rng: np.random.Generator) -> FloatArray:
    """Signed distances from the tissue, increasing: 0, and one at random in each of ``planes - 1`` equal parts."""
    edges = np.linspace(-max_z_um, max_z_um, planes)
    others = rng.uniform(edges[:-1], edges[1:])
    return np.sort(np.append(others, 0.0)).astype(np.float32)


def draw_case(
    bank: StackBank, row: int, inputs: int, rng: np.random.Generator, far_um: float = 0.5, target: int | None = None
) -> tuple[list[int], int]:
    """Draw what is given and what is asked for from one stack.

    Parameters
    ----------
    row : int
        The stack.
    inputs : int
        Planes that are given.
    far_um : float
        Planes nearer to the target than this are not given, so that copying is not learned.
    target : int, optional
        Plane that is asked for; any that leaves enough inputs when missing.

    Returns
    -------
    Inputs in the order of their planes, and the target, which is none of them. For one input the convention of one
    plane holds on the axis that :func:`signed_planes` gives.

    Raises
    ------
    ValueError
        If too few planes are far enough.
    """
    apart = np.abs(bank.z_um[row][:, None] - bank.z_um[row][None, :])
    allowed = (apart >= far_um) & ~np.eye(len(apart), dtype=bool)
    possible = np.flatnonzero(allowed.sum(axis=1) >= inputs)
    if target is not None:
        possible = possible[possible == target]
    if not len(possible):
        raise ValueError(f"{inputs} planes {far_um:g} um from a target: the stack has too few")
    chosen = int(rng.choice(possible))
    given = rng.choice(np.flatnonzero(allowed[chosen]), inputs, replace=False)
    return sorted(int(plane) for plane in given), chosen


def signed_planes(bank: StackBank, row: int, inputs: list[int]) -> FloatArray:
    """Signed distances of all planes of a stack from its tissue, um (P,), for the inputs that are given.

    One plane cannot tell its side of focus; by convention the tissue lies on its positive side, so its distance is
    negative. Where it is not, the axis is mirrored.
    """
    z_um = np.asarray(bank.z_um[row])
    return -z_um if len(inputs) == 1 and z_um[inputs[0]] > 0 else z_um
