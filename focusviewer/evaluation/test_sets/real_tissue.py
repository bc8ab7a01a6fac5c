"""Real stained sections that are out of focus, each beside the sharp plane of the same field; for evaluation only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.evaluation.test_sets.real_stacks import plane_files, read_stack

SIDE_PX = 768
"""Middle of a field that is evaluated, at most."""

SHARP_AND_BLURRED: dict[str, tuple[tuple[int, int], ...]] = {
    "retroscope": ((5, 12), (8, 12), (5, 1), (5, 8)),
    "urjc-adipose-1": ((10, 6), (10, 8), (10, 12), (10, 14)),
    "huron-brain": ((14, 10), (14, 12), (14, 16), (14, 18)),
}
"""Numbers of a stack's sharp plane and of a blurred one."""

DEVELOPMENT = {"retroscope": 4, "tassomoraes": 4}
"""Tissues, and how many of their first pairs, that training may stop by; all others are kept back from it."""

_LEAST_SHIFT_PX = 0.2
"""Planes that lie nearer to each other than this are not moved: every interpolation softens."""


@dataclass(frozen=True)
class RealPair:
    """One field out of focus and in focus.

    Attributes
    ----------
    tissue : str
        Name of the set.
    case : str
        Which of its pairs.
    blurred, sharp : uint8 (H, W, 3)
        Registered: the blurred plane is moved by what phase correlation finds, to a tenth of a pixel.
    """

    tissue: str
    case: str
    blurred: RGB
    sharp: RGB


def real_pairs(data_dir: Path, side_px: int = SIDE_PX) -> list[RealPair]:
    """All pairs of a data folder, the middles of their fields; empty where there are none.

    Retroscope (H&E, both sides of focus), adipose tissue, brain (planes 1 um apart, mosaic of 60 fields), and the pairs
    of Tassomoraes: the same cells in the middle of a field and, softer, at its edge.
    """
    pairs = []
    for tissue, numbers in SHARP_AND_BLURRED.items():
        planes = _planes(data_dir / "stacks" / "test" / tissue)
        for sharp, blurred in numbers:
            if sharp in planes and blurred in planes:
                case = f"plane {blurred}, sharp {sharp}"
                pairs.append(_registered(tissue, case, planes[sharp], planes[blurred], side_px))
    for folder in sorted((data_dir / "pairs" / "tassomoraes").glob("p*")):
        sharp_cells, blurred_cells = (_read(folder / name) for name in ("in.png", "out.png"))
        pairs.append(_registered("tassomoraes", folder.name, sharp_cells, blurred_cells, side_px))
    return pairs


def development_pairs(data_dir: Path, side_px: int = SIDE_PX) -> list[RealPair]:
    """The pairs of :data:`DEVELOPMENT`."""
    pairs = real_pairs(data_dir, side_px)
    return [pair for tissue, count in DEVELOPMENT.items() for pair in [p for p in pairs if p.tissue == tissue][:count]]


def _planes(folder: Path) -> dict[int, RGB]:
    """The planes of a stack by their numbers; none where it is missing."""
    if (folder / "stacks.npz").exists():
        return dict(enumerate(read_stack(folder).planes))
    return {int(path.stem[1:]): _read(path) for path in plane_files(folder)} if folder.is_dir() else {}


def _registered(tissue: str, case: str, sharp: RGB, blurred: RGB, side_px: int) -> RealPair:
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    sharp, blurred = _middle(sharp, side_px), _middle(blurred, side_px)
    move = phase_cross_correlation(  # type: ignore[no-untyped-call]
        sharp.mean(-1), blurred.mean(-1), upsample_factor=10
    )[0]
    if np.abs(move).max() > _LEAST_SHIFT_PX:
        moved = shift(blurred.astype(np.float32), (*move, 0), order=3, mode="nearest")
        blurred = np.asarray(moved.clip(0, 255) + 0.5, dtype=np.uint8)
    return RealPair(tissue, case, blurred, sharp)


def _middle(plane: RGB, side_px: int) -> RGB:
    y, x = (max(0, (length - side_px) // 2) for length in plane.shape[:2])
    return np.ascontiguousarray(plane[y : y + side_px, x : x + side_px])


def _read(path: Path) -> RGB:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))
