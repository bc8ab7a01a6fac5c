"""Every data set used the same way: images with their focus truth, focal stacks, pairs for deblurring."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.training.datasets.base import EVERYTHING, Dataset
from focusviewer.training.datasets.readers.path_dt_msu import MaskedImages
from focusviewer.training.datasets.records import DatasetError, FocusImage, FocusStack, ImageRecord
from focusviewer.training.datasets.reference import Reference
from focusviewer.training.datasets.splits import SEED

BLURRY_LEVEL = 3.0
"""|z - z*| in levels from which FocusPath's evaluation calls an image blurry."""

PROTOCOL_WINDOW_PX = 235
PROTOCOL_STRIDE_PX = 128
"""Windows that an image is scored with in FocusPath's evaluation: dense, mean of the scores."""

MASK_WINDOW_PX = 64
"""Window of the blur detector; blurred where at least half of its mask is."""


def focus_images(
    dataset: Dataset, split: str = EVERYTHING, seed: int = SEED, reference: Reference = "auto"
) -> Iterator[FocusImage]:
    """Images of one side of a split, each with its focus truth.

    Images with a focal position give |z - z*| in levels of 0.25 um; labelled ones 0 or 1; images with blur masks are
    cut into windows of 64 x 64 pixels with 0 or 1.

    Parameters
    ----------
    dataset : Dataset
    split : str
        ``all``, ``train``, ``validation``, ``test``, or ``scheme/side``.
    seed : int
    reference : int or str
        How the sharpest plane is found in stacks that do not state it.

    Yields
    ------
    FocusImage
        (pixels uint8 (H, W, 3), truth, slide).

    Raises
    ------
    DatasetError
        If the data set has no focus truth, or an image cannot be used; names the file.
    """
    records = dataset.select(split, seed)
    truth = dataset.about.truth
    if truth == "none":
        raise DatasetError(f"{dataset.about.title} has no focus truth", dataset.about.content, "Use its images only.")
    if truth == "mask":
        yield from _windows(dataset, records)
    elif truth == "label":
        for record in records:
            if record.blurred is None:
                raise DatasetError(f"{record.path} has no label", "", "")
            yield FocusImage(dataset.read(record), float(record.blurred), record.slide)
    else:
        yield from _levels(dataset, records, reference)


def focal_stacks(
    dataset: Dataset, split: str = EVERYTHING, seed: int = SEED, reference: Reference = "auto"
) -> Iterator[FocusStack]:
    """Focal stacks of one side of a split, each with all its planes.

    Raises
    ------
    DatasetError
        If the data set has no stacks, or one of them is incomplete; names the file.
    """
    if not dataset.stacks:
        raise DatasetError(f"{dataset.about.title} has no focal stacks", "its images cannot be matched to places", "")
    names = dict.fromkeys(record.stack for record in dataset.select(split, seed) if record.stack is not None)
    for name in names:
        yield dataset.stack(name, reference)


def refocus_pairs(dataset: Dataset, split: str, seed: int = SEED) -> Iterator[tuple[RGB, RGB, str]]:
    """Every image of a split with the sharpest plane of its stack: (input, target, slide), both uint8 (H, W, 3)."""
    records = dataset.select(split, seed)
    for name, planes in groupby(records, key=lambda record: record.stack):
        if name is None:
            continue
        stack = dataset.stack(name)
        assert stack.reference is not None
        target = stack.read(stack.reference)
        for record in planes:
            yield dataset.read(record), target, record.slide


def dense_windows(image: RGB, window_px: int = PROTOCOL_WINDOW_PX, stride_px: int = PROTOCOL_STRIDE_PX) -> RGB:
    """The windows an image is scored with, uint8 (windows, window_px, window_px, 3); a view where possible.

    Raises
    ------
    ValueError
        If the image is smaller than a window.
    """
    if min(image.shape[:2]) < window_px:
        raise ValueError(f"an image of {image.shape[1]} x {image.shape[0]} pixels holds no window of {window_px}")
    view = np.lib.stride_tricks.sliding_window_view(image, (window_px, window_px), axis=(0, 1))
    picked: npt.NDArray[np.uint8] = view[::stride_px, ::stride_px]
    return np.moveaxis(picked, 2, -1).reshape(-1, window_px, window_px, 3)


def _levels(dataset: Dataset, records: tuple[ImageRecord, ...], reference: Reference) -> Iterator[FocusImage]:
    measured: dict[str, dict[ImageRecord, float]] = {}
    for record in records:
        level = record.level
        if record.stack is not None and (level is None or reference not in ("auto", "metadata")):
            if record.stack not in measured:
                stack = dataset.stack(record.stack, reference)
                planes = dataset.stack_records(record.stack)
                measured[record.stack] = dict(zip(planes, stack.levels, strict=True))
            level = measured[record.stack][record]
        if level is None:
            raise DatasetError(f"{record.path} has no focal position", "", "")
        yield FocusImage(dataset.read(record), float(level), record.slide)


def _windows(dataset: Dataset, records: tuple[ImageRecord, ...]) -> Iterator[FocusImage]:
    assert isinstance(dataset, MaskedImages)
    size = MASK_WINDOW_PX
    for record in records:
        pixels, mask = dataset.read(record), dataset.blur_mask(record)
        if mask.shape != pixels.shape[:2]:
            raise DatasetError(
                f"{record.mask} does not fit its image",
                f"it is {mask.shape[1]} x {mask.shape[0]} pixels, {record.path.name} "
                f"{pixels.shape[1]} x {pixels.shape[0]}",
                "Download it again.",
            )
        for y in range(0, mask.shape[0] - size + 1, size):
            for x in range(0, mask.shape[1] - size + 1, size):
                share = float(mask[y : y + size, x : x + size].mean())
                yield FocusImage(pixels[y : y + size, x : x + size], float(share >= 0.5), record.slide)
