"""Thousands of random actions in an off-screen window over slides, stacks, pictures and a broken file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focusviewer.bench.slide import bench_slide

if TYPE_CHECKING:
    from focusviewer.app.monkey import MonkeyReport


def let_monkey_loose(
    slide: Path | None, actions: int, seed: int, on_progress: Callable[[float, str], None]
) -> MonkeyReport:
    """Let the monkey at a window with the usual models and engines.

    Parameters
    ----------
    slide : Path, optional
        A slide of the user's instead of the generated one.
    """
    from focusviewer.app.monkey import start_monkey

    with tempfile.TemporaryDirectory() as folder:
        paths = [slide or bench_slide(), *_written(Path(folder), np.random.default_rng(seed))]
        return start_monkey(paths, actions, seed, on_progress)


def _written(folder: Path, rng: np.random.Generator) -> list[Path]:
    """A focal stack, a picture and a broken slide."""
    import tifffile
    from PIL import Image

    field = rng.integers(0, 255, (75, 100, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    stack, picture, broken = folder / "stack.tif", folder / "picture.png", folder / "broken.svs"
    planes = np.stack([np.clip(field.astype(int) + shift, 0, 255).astype(np.uint8) for shift in (-20, 0, 20)])
    about = {"axes": "ZYXS", "spacing": 1.0, "unit": "um"}
    tifffile.imwrite(stack, planes, imagej=True, resolution=(4.0, 4.0), metadata=about)
    Image.fromarray(field).save(picture)
    broken.write_bytes(b"II*\0" + bytes(200))
    return [stack, picture, broken]
