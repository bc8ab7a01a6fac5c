"""The focal stacks for training, validating and testing the radiance network: simulated ones, or FocusPath.

FocusPath is the data of Wang 2024, section 5.3: strip 0 trains, strip 1 tests, 16 real planes 0.25 um
apart. As the strip that tests must not choose weights either, every tenth stack of strip 0 is kept back for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focusviewer.core.files import cache_dir
from focusviewer.core.json_text import json_digest
from focusviewer.training.data.focuspath_bank import focuspath_bank
from focusviewer.training.data.focuspath_strips import TESTED_ON, TRAINED_ON, focuspath, stack_names
from focusviewer.training.data.stack_bank import VALIDATION_SHARE, StackBank, StackBankConfig, stack_bank
from focusviewer.training.datasets import Dataset

CROP_PX = 128
"""Side of the fields cut from real stacks; those of simulated ones are as large."""

VALIDATION_EVERY = 10
"""One of so many stacks of the strip that trains chooses the weights instead."""


@dataclass(frozen=True)
class Stacks:
    """Banks, and what to tell about them.

    Attributes
    ----------
    train, validation, test : StackBank
        What a network learns from, what chooses between its weights, what its figures are taken on.
    data, split, figures, limits : str
        For the model card: what the stacks are, how they are divided, what figures are compared with, where it ends.
    """

    train: StackBank
    validation: StackBank
    test: StackBank
    data: str
    split: str
    figures: str
    limits: str


def simulated_stacks(data: Path, fields: int) -> Stacks:
    """Simulated fields of real sharp sections and of phantoms.

    Raises
    ------
    UserError
        If there are no sections, or no room to keep the fields.
    """
    train, held_out = (stack_bank(data, split, StackBankConfig(fields=fields)) for split in ("train", "validation"))
    return Stacks(
        train,
        held_out,
        held_out,
        f"{len(train)} simulated focal stacks of {train.z_um.shape[1]} planes, 0.25 um/px, within 4 um of focus, of "
        "real sharp sections (CC0, Apache-2.0, BSD-3, free use), flat and lifted, and of tissue phantoms, through "
        "random optics, tone, noise and JPEG; depth of the tissue told with errors",
        f"by image and by phantom; {len(held_out)} held-out stacks",
        "Held-out simulated stacks ({count} a row), the tissue's depth told with errors; PSNR in dB against the "
        "picture without noise",
        "Trained on simulated defocus only, for a short time on one processor core: real planes gain less than "
        "simulated ones.",
    )


def focuspath_stacks(folder: Path, fields: int) -> Stacks:
    """Fields of FocusPath's real stacks; cut once, then kept.

    Parameters
    ----------
    folder : Path
        FocusPath, or the folder it lies in.
    fields : int
        To cut from strip 0; each stack gives about as many as the others, and at least one.

    Raises
    ------
    UserError
        If it is not there, incomplete, or smaller than a field.
    """
    dataset = focuspath(folder)
    first, second = stack_names(dataset, TRAINED_ON), stack_names(dataset, TESTED_ON)
    validation = first[VALIDATION_EVERY - 1 :: VALIDATION_EVERY] or first[-1:]
    learned = [name for name in first if name not in validation] or first
    crops = max(1, round(fields / max(1, len(learned))))
    held_out = max(1, round(fields / VALIDATION_SHARE / len(second)))
    train = _bank(dataset, TRAINED_ON, learned, crops)
    return Stacks(
        train,
        _bank(dataset, TRAINED_ON, validation, crops),
        _bank(dataset, TESTED_ON, second, held_out),
        f"FocusPath, {dataset.about.url}: {len(learned)} stacks of strip 0, {train.z_um.shape[1]} real planes 0.25 um "
        f"apart, {crops} fields of each; its terms of use hold for these weights; depth of the tissue told with errors",
        f"by strip: {len(validation)} stacks of strip 0 chose the weights, {len(second)} of strip 1 were held out; "
        "both strips are of the same slides",
        "Held-out stacks of FocusPath's strip 1 ({count} a row), the tissue's depth told with errors; PSNR in dB "
        "against the plane that was scanned there",
        "Trained on the slides of one scanner.",
    )


def _bank(dataset: Dataset, split: str, names: Sequence[str], crops: int) -> StackBank:
    about = [str(dataset.root.resolve()), split, list(names), crops, CROP_PX]
    key = json_digest(about)
    folder = cache_dir() / "banks" / f"focuspath-{split.replace('/', '-')}-{key}"
    return focuspath_bank(dataset, folder, split, crops, CROP_PX, names=names)
