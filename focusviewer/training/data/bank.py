"""The bank: simulated crops with known defocus, made once, kept on disk, and learned from by every focus network.

Making a crop costs far more than a training step on it, and all networks should learn from the same data.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from focusviewer.core.errors import UserError
from focusviewer.core.files import building_folder, cache_dir
from focusviewer.core.json_text import json_digest
from focusviewer.focus.base import LEVEL_UM
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.data.sources import load_sources, sharp_crops, sources_digest
from focusviewer.training.data.stacks import simulate_focus_crops
from focusviewer.training.waiting import tell

SCALES: dict[float, tuple[float, float]] = {0.25: (0.6, 0.8), 0.5: (0.4, 0.75)}
"""Pixel sizes (um) that networks are trained for, and the numerical apertures that scan at them."""

_PIECE = 1000  # crops made at a time, so that memory stays small
SOURCE_PX = 320  # real crops are cut this large, so that shifts and halos stay inside
VALIDATION_SEED = 500_000


@dataclass(frozen=True)
class BankConfig:
    """What is in a bank; two banks of one configuration hold the same bytes.

    Attributes
    ----------
    mpp : float
        Pixel size, um; one of :data:`SCALES`.
    count : int
        Crops in all.
    crop_px : int
        Side of a crop: a 235 px window and the pixel around it that FocusLiteNN looks at.
    max_z_um : float
        Largest distance from focus.
    seed : int
        Of everything random.
    simulator : str
        Version of the simulator that made it; part of the key, so that older banks are never mistaken for newer.
    """

    mpp: float = 0.25
    count: int = 12_000
    crop_px: int = 237
    max_z_um: float = 5.0
    seed: int = 20
    simulator: str = SIMULATOR_VERSION


@dataclass(frozen=True)
class FocusBank:
    """Crops with known defocus.

    Attributes
    ----------
    images : uint8 (N, S, S, 3)
        Memory-mapped.
    z_um : float32 (N,)
        Distance from best focus, um, >= 0.
    source : int32 (N,)
        Which field a crop is of; crops of one field share it.
    """

    images: npt.NDArray[np.uint8]
    z_um: npt.NDArray[np.float32]
    source: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.z_um)

    def batch(self, count: int, crop_px: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random crops of crops, flipped and turned as one batch.

        Returns
        -------
        float32 (count, 3, crop_px, crop_px) in 0..1, and levels of 0.25 um from focus, float32 (count,). A pure
        function of the generator's state.
        """
        pick = torch.randint(len(self), (count,), generator=generator).numpy()
        spare = self.images.shape[1] - crop_px
        corners = torch.randint(spare + 1, (count, 2), generator=generator).tolist()
        turns, mirrored = (int(value) for value in torch.randint(4, (2,), generator=generator))
        # Turned and sorted by colour as bytes: on floats the same takes three times as long.
        cut = np.empty((count, 3, crop_px, crop_px), np.uint8)
        for row, (index, (y, x)) in enumerate(zip(pick, corners, strict=True)):
            crop = np.rot90(self.images[index, y : y + crop_px, x : x + crop_px], turns)
            cut[row] = (crop[:, ::-1] if mirrored % 2 else crop).transpose(2, 0, 1)
        return torch.from_numpy(cut).float().div_(255), torch.from_numpy(self.z_um[pick] / LEVEL_UM)


def focus_bank(data: Path, split: str, config: BankConfig | None = None) -> FocusBank:
    """Open a bank, making it first where it is not there yet.

    Parameters
    ----------
    data : Path
        Folder with the real sharp images to blur (see ``training/data/sources.py``).
    split : "train" or "validation"
        Side of the split by image; phantoms of the two sides have different seeds.

    Raises
    ------
    UserError
        If the data folder holds no sharp images, or the scale is not one of :data:`SCALES`.
    """
    config = config or BankConfig()
    if config.mpp not in SCALES:
        scales = " or ".join(f"{mpp:g}" for mpp in SCALES)
        raise UserError(f"No training data for {config.mpp:g} um per pixel", "its optics are unknown", f"Use {scales}.")
    folder = bank_folder(data, split, config)
    if not folder.exists():
        with building_folder(folder.parent) as making:
            _make(data, split, config, making)
            with suppress(OSError):  # another program may have been faster, with the same bytes
                making.rename(folder)
    return FocusBank(
        np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "z_um.npy", allow_pickle=False),
        np.load(folder / "source.npy", allow_pickle=False),
    )


def banks_for(data: Path, split: str, scales: tuple[float, ...], counts: tuple[int, ...]) -> dict[float, FocusBank]:
    """The banks of several scales: ``counts`` has the crops of each, or one number for all.

    Raises
    ------
    UserError
        If the numbers do not match, or as :func:`focus_bank` does.
    """
    if len(counts) not in (1, len(scales)):
        raise UserError(
            f"{len(scales)} scales and {len(counts)} numbers of crops", advice="Give one number, or one for each scale."
        )
    each = counts * len(scales) if len(counts) == 1 else counts
    return {mpp: focus_bank(data, split, BankConfig(mpp, count)) for mpp, count in zip(scales, each, strict=True)}


def bank_folder(data: Path, split: str, config: BankConfig) -> Path:
    """Where a bank lies: named by its configuration and by the images it is made of."""
    about = asdict(config) | {"sources": sources_digest(data)}
    key = json_digest(about)
    return cache_dir() / "banks" / f"{split}-{config.mpp:g}-{key}"


def _make(data: Path, split: str, config: BankConfig, folder: Path) -> None:
    """Simulate every crop."""
    crops = sharp_crops(load_sources(data, split), SOURCE_PX)
    shape = (config.count, config.crop_px, config.crop_px, 3)
    images = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    z_um, source = np.empty(config.count, np.float32), np.empty(config.count, np.int32)
    first = 0
    for start in range(0, config.count, _PIECE):
        tell(f"{start} of {config.count} {split} crops of {config.mpp:g} µm per pixel")
        count = min(_PIECE, config.count - start)
        piece, depths, ids = simulate_focus_crops(
            crops,
            count,
            config.crop_px,
            config.mpp,
            SCALES[config.mpp],
            config.max_z_um,
            _piece_seed(split, config.seed, start),
        )
        part = slice(start, start + count)
        images[part], z_um[part], source[part] = piece[:count], depths[:count], ids[:count] + first
        first = int(source[part].max()) + 1
    images.flush()
    np.save(folder / "z_um.npy", z_um)
    np.save(folder / "source.npy", source)
    (folder / "bank.json").write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf-8")


def _piece_seed(split: str, seed: int, start: int) -> int:
    return (seed * 1000 + start // _PIECE) % VALIDATION_SEED + (VALIDATION_SEED if split == "validation" else 0)
