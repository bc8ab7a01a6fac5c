from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from focusviewer.focus.registry import get_model
from focusviewer.qc.batch.runner import Batch
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from tests.qc.tasks import InlinePool

MODEL = "tenengrad"  # needs no weights; gives no distances, so everything is for REVIEW


@pytest.fixture
def slide_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small slide that looks enough like tissue: name, seed, pixel size in um (None: not stated)."""

    def write(name: str, seed: int = 0, mpp: float | None = 0.25, side: int = 320) -> Path:
        import tifffile

        rng = np.random.default_rng(seed)
        grain = np.kron(rng.random((side // 4, side // 4, 1)), np.ones((4, 4, 1)))
        pixels = (np.array([225, 160, 200]) - grain * np.array([110, 110, 60])).astype(np.uint8)
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", **scale)
        return path

    return write


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Callable[..., Batch]]:
    """Makes batches in this process on one worklist; keywords are fields of Batch."""
    out = tmp_path / "out"
    (out / "slides").mkdir(parents=True)
    opened: list[Worklist] = []

    def make(pool: InlinePool | None = None, **changes: object) -> Batch:
        opened.append(Worklist(out / FILE_NAME))
        return Batch(opened[-1], pool or InlinePool(), Rules(), get_model(MODEL), **changes)

    yield make
    for worklist in opened:
        worklist.close()
