"""FocusPath's two strips, one to learn from and one to test on: their folder, and the names of their stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.training.datasets import Dataset, datasets_root, find_datasets, open_dataset

TRAINED_ON, TESTED_ON = "strips/train", "strips/test"


def focuspath(root: Path | None) -> Dataset:
    """FocusPath below a folder of data sets.

    Raises
    ------
    UserError
        If it is not there, or incomplete.
    """
    folder = datasets_root(root)
    where = (
        [path for path, entry in find_datasets(folder) if entry and entry.about.name == "focuspath"] if folder else []
    )
    if not where:
        raise UserError(
            f"No FocusPath in {folder}" if folder else "No folder of data sets was given",
            "the protocol is judged on it",
            "Download zenodo.org/record/3926181 and name its folder with --datasets.",
        )
    dataset = open_dataset(where[0], "focuspath")
    if not dataset.select(TESTED_ON):
        raise UserError(f"{where[0]} holds no stack of strip 1", "the protocol tests on that strip", "Download it all.")
    return dataset


def stack_names(dataset: Dataset, split: str = TESTED_ON, limit: int | None = None) -> list[str]:
    """Names of the stacks of a side, all of them or some spread evenly."""
    names = list(dict.fromkeys(record.stack for record in dataset.select(split) if record.stack is not None))
    if limit is not None and limit < len(names):
        names = [names[index] for index in np.linspace(0, len(names) - 1, limit).astype(int)]
    return names
