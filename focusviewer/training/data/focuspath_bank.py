"""FocusPath's training strip as a bank of focal stacks, for the tasks that learn refocusing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.evaluation.suites.refocus.protocol import TRAINED_ON, stack_names
from focusviewer.training.data.stack_bank import StackBank
from focusviewer.training.datasets import Dataset


def focuspath_bank(
    dataset: Dataset,
    folder: Path,
    split: str = TRAINED_ON,
    crops: int = 12,
    crop_px: int = 128,
    seed: int = 40,
    names: Sequence[str] | None = None,
) -> StackBank:
    """Cut the stacks of one strip into a bank; made once, then mapped.

    What a scanner recorded is all there is of a real plane, so the clean pictures are the recorded ones. The best plane
    of a stack is where its tissue is: z = 0.

    Parameters
    ----------
    folder : Path
        Where the bank is kept; another one for every choice of what follows.
    crops : int
        Fields from each stack, at random places.
    names : sequence of str, optional
        Stacks to cut; all of the strip when missing.

    Raises
    ------
    UserError
        If the strip holds no stack, its pictures are smaller than a crop, or the folder cannot be written to.
    """
    names = stack_names(dataset, split) if names is None else list(names)
    if not names:
        raise UserError(f"{dataset.about.title} has no stack on the side {split}", "", "Download all of it.")
    pictures, facts = output_folder(folder) / "recorded.npy", folder / "facts.npz"
    if not facts.exists():
        _cut(dataset, names, pictures, facts, crops, crop_px, seed)
    recorded = np.load(pictures, mmap_mode="r", allow_pickle=False)
    with np.load(facts, allow_pickle=False) as file:
        return StackBank(recorded, recorded, file["z_um"], file["source"])


def _cut(dataset: Dataset, names: list[str], pictures: Path, facts: Path, crops: int, crop_px: int, seed: int) -> None:
    count, planes = len(names) * crops, len(dataset.stack(names[0]).z_um)
    z_um, source = np.empty((count, planes), np.float32), np.empty(count, np.int32)
    slides: dict[str, int] = {}
    with atomic_write(pictures) as temporary:
        shape = (count, planes, crop_px, crop_px, 3)
        recorded = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
        for index, name in enumerate(names):
            stack = dataset.stack(name)
            images = stack.planes
            if min(images.shape[1:3]) < crop_px:
                raise UserError(f"{name} is too small", f"it holds no square of {crop_px} px", "Use smaller crops.")
            rng = np.random.default_rng((seed, index))
            for row in range(index * crops, (index + 1) * crops):
                y, x = (int(rng.integers(side - crop_px + 1)) for side in images.shape[1:3])
                recorded[row] = images[:, y : y + crop_px, x : x + crop_px]
                z_um[row], source[row] = stack.z_um, slides.setdefault(stack.slide, len(slides))
        recorded.flush()
        del recorded
    with atomic_write(facts) as temporary, temporary.open("wb") as file:
        np.savez(file, z_um=z_um, source=source)
