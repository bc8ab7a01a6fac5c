"""Real focal stacks with a stated best plane, for evaluation only, and the figures of score curves over them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.base import FocusModel
from focusviewer.metrics import srcc

ASSUMED_MPP = 0.25
"""The real stacks do not state a usable scale; they are evaluated as 40x scans, and the tables say so."""

# Best planes as stated with the data (0-based, first and last that hold something sharp).
REFERENCE = {"urjc-adipose-1": (10, 10), "wbc-0054": (5, 5), "huron-brain": (9, 20)}


@dataclass(frozen=True)
class RealStack:
    """A real focal stack for evaluation only.

    Attributes
    ----------
    planes : uint8 (P, H, W, 3)
    best : (first, last) or None
        Range of planes that are sharp, 0-based; None where no single plane is.
    all_in_focus : uint8 (H, W, 3) or None
        The picture sharp everywhere that is published with the stack.
    """

    name: str
    planes: RGB
    best: tuple[int, int] | None
    all_in_focus: RGB | None = None


def real_stacks(data_dir: Path) -> list[RealStack]:
    """Read every stack below ``stacks/test``.

    Raises
    ------
    UserError
        If there are none.
    """
    stacks = [read_stack(folder) for folder in sorted((data_dir / "stacks/test").glob("*")) if folder.is_dir()]
    if not stacks:
        raise UserError(f"No test stacks in {data_dir}", "stacks/test is missing", "Give the data folder with --data.")
    return stacks


def read_stack(folder: Path) -> RealStack:
    """The stack in a folder: a picture for each plane, or small fields packed in ``stacks.npz``, put together."""
    from PIL import Image

    packed = folder / "stacks.npz"
    if packed.exists():
        fields = np.load(packed, allow_pickle=False)["stacks"]
        columns = 10
        count, depth, height, width = fields.shape
        mosaic = fields.reshape(count // columns, columns, depth, height, width).transpose(2, 0, 3, 1, 4)
        gray = mosaic.reshape(depth, count // columns * height, columns * width)
        planes = np.repeat(gray[..., None], 3, axis=3)
    else:
        planes = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in plane_files(folder)])
    fused = folder / "all-in-focus.png"
    sharp = np.asarray(Image.open(fused).convert("RGB")) if fused.exists() else None
    return RealStack(folder.name, planes, REFERENCE.get(folder.name), sharp)


def plane_files(folder: Path) -> list[Path]:
    """Pictures of the planes in a folder, ``z0``, ``z1`` ..., in the order of their numbers."""
    files = [path for path in folder.iterdir() if re.fullmatch(r"z\d+", path.stem)]
    return sorted(files, key=lambda path: int(path.stem[1:]))


def evaluate_focus(model: FocusModel, stacks: Sequence[RealStack]) -> list[dict[str, Any]]:
    """Score every plane of every stack.

    Returns
    -------
    One row a stack: name, scores, the plane with the lowest score, the reference, and how many planes it is off;
    the figures of :func:`curve_figures` too where the stack has a stated best plane (else those are None).
    """
    rows = []
    for stack in stacks:
        scores = [model.score(plane, ASSUMED_MPP if model.mpps else None) for plane in stack.planes]
        rows.append(
            {
                "stack": stack.name,
                "model": model.name,
                "scores": [round(float(score), 3) for score in scores],
                "reference": list(stack.best) if stack.best else None,
                **curve_figures(scores, stack.best),
            }
        )
    return rows


def curve_figures(scores: Sequence[float], best: tuple[int, int] | None) -> dict[str, Any]:
    """The figures of a curve of scores over the planes of one stack.

    Parameters
    ----------
    scores : sequence of float
        One blur score per plane.
    best : (first, last) or None
        The planes stated as sharpest, 0-based.

    Returns
    -------
    ``lowest`` plane, how many ``planes_off`` it is, the share of steps away from focus that rise (``monotone``, and
    ``monotone_below``, ``monotone_above`` for the two sides), and the rank correlation of the scores with the
    distance on either side (``srcc_below``, ``srcc_above``; NaN where a side has fewer than three planes).
    """
    values = np.asarray(scores, np.float64)
    lowest = int(np.argmin(values))
    if best is None:
        return {"lowest": lowest, "planes_off": None}
    first, last = best
    sides = {"below": values[first::-1], "above": values[last:]}
    steps = {name: np.diff(side) > 0 for name, side in sides.items()}
    figures: dict[str, Any] = {"lowest": lowest, "planes_off": max(first - lowest, lowest - last, 0)}
    figures["monotone"] = _share(np.concatenate(list(steps.values())))
    for name, side in sides.items():
        figures[f"monotone_{name}"] = _share(steps[name])
        figures[f"srcc_{name}"] = srcc(side, np.arange(side.size)) if side.size >= 3 else float("nan")
    return figures


def _share(rises: npt.NDArray[np.bool_]) -> float:
    return float(rises.mean()) if rises.size else float("nan")
