"""Windows of real images labelled by the classical detector: the Fourier classifier learns from them too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from focusviewer.core.arrays import RGB
from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.training.data.sources import load_sources, sources_digest
from focusviewer.training.waiting import tell

SIDE_PX = 96
"""Side of the stored windows: the detector's 64 px and what a blur needs around them."""

FORMAT = "1"
"""Changes with what is stored."""

Labels = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]
"""Top left corners (y, x) of 64 px windows, int (N, 2), and which of them are blurred, bool (N,)."""

Labeller = Callable[[RGB], Labels]
"""Gives the windows of an image that are sharp or blurred; background is left out."""

_LABELLED_PX = 64
_FIELD_PX = 200  # least side of an image in which the detector, which compares windows, can be trusted
_MOST_OF_ONE = 64  # windows of one image, so that no large image dominates
_GAUSSIAN_PX = (1.5, 5.0)  # spread of the synthetic blur


@dataclass(frozen=True)
class LabelledWindows:
    """Windows with the detector's label: uint8 (N, SIDE_PX, SIDE_PX, 3) and bool (N,)."""

    images: npt.NDArray[np.uint8]
    blurred: npt.NDArray[np.bool_]

    @property
    def blurred_share(self) -> float:
        """Share of the windows that the detector calls blurred."""
        return float(self.blurred.mean())

    @property
    def digest(self) -> str:
        """How a checksum of it all begins."""
        return hashlib.sha256(self.images.tobytes() + self.blurred.tobytes()).hexdigest()[:16]

    def batch(self, count: int, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random windows, float32 (count, 3, side, side) in 0..1, and 1 for each blurred one, float32 (count,)."""
        pick = torch.randint(len(self.images), (count,), generator=generator).numpy()
        return _middle(_pixels(self.images[pick]), side), torch.from_numpy(self.blurred[pick]).float()


def blurred_copies(windows: LabelledWindows, count: int, side: int, generator: torch.Generator) -> Tensor:
    """Windows that the detector found sharp, under a Gaussian blur: float32 (count, 3, side, side)."""
    sharp = np.flatnonzero(~windows.blurred)
    pick = sharp[torch.randint(len(sharp), (count,), generator=generator).numpy()]
    low, high = _GAUSSIAN_PX
    spread = low + (high - low) * torch.rand(count, generator=generator)
    blurred = gaussian(_pixels(windows.images[pick]), spread)
    noise = 0.006 * torch.randn(blurred.shape, generator=generator)  # blurred pictures have noise too
    return _middle((blurred + noise).clamp(0, 1), side)


def gaussian(images: Tensor, spread: Tensor) -> Tensor:
    """Blur each image (B, C, S, S) by its own spread (B,), px; the border is wrapped."""
    side = images.shape[-1]
    vertical, horizontal = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
    squared = vertical.square() + horizontal.square()
    transfer = torch.exp(-2 * torch.pi**2 * spread[:, None, None, None].square() * squared)
    blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * transfer, s=(side, side))
    return blurred


def labelled_windows(data: Path, labeller: Labeller | None = None) -> LabelledWindows:
    """Label the windows of the real training images, and of copies of them with one side out of focus.

    Parameters
    ----------
    data : Path
        Folder of training data.
    labeller : callable, optional
        The classical detector when missing; what it says is kept in the cache folder.
    """
    if labeller is not None:
        return _label(data, labeller)
    from focusviewer.focus.knowledge.detector import load_curve

    path = cache_dir() / f"labelled-windows-{FORMAT}-{sources_digest(data)[:12]}-{load_curve().version}.npz"
    if not path.exists():
        made = _label(data, detector_labels)
        with atomic_write(path) as temporary:
            np.savez(temporary, images=made.images, blurred=made.blurred)
    with np.load(path, allow_pickle=False) as stored:
        return LabelledWindows(stored["images"], stored["blurred"])


def _label(data: Path, label: Labeller) -> LabelledWindows:
    images: list[RGB] = []
    blurred: list[npt.NDArray[np.bool_]] = []
    large = (source for source in load_sources(data, "train") if min(source.image.shape[:2]) >= _FIELD_PX)
    for index, source in enumerate(large):
        tell(f"labelling the windows of picture {index + 1}")
        versions = [source.image] if index % 2 else [source.image, half_blurred(source.image, index)]
        for image in versions:
            corners, labels = label(image)
            pick = np.random.default_rng(index).permutation(len(labels))[:_MOST_OF_ONE]
            cut, kept = _cut(image, corners[pick])
            images.append(cut)
            blurred.append(labels[pick][kept])
    return LabelledWindows(np.concatenate(images), np.concatenate(blurred))


def detector_labels(image: RGB) -> Labels:
    """Labels of the classical detector (HiFST and edge sharpness)."""
    from focusviewer.focus.knowledge.detector import BACKGROUND, BLURRED, label_windows

    labels, boxes = label_windows(image)
    told = labels != BACKGROUND
    return boxes[told][:, 1::-1].astype(np.int64), labels[told] == BLURRED


def half_blurred(image: RGB, seed: int) -> RGB:
    """The image with one side out of focus, as a tilted slide has: the blur grows over a band in the middle."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    spread = float(rng.uniform(*_GAUSSIAN_PX))
    soft = ndimage.gaussian_filter(image.astype(np.float32), (spread, spread, 0))
    length = image.shape[1]
    ramp = np.clip((np.arange(length) / length - rng.uniform(0.3, 0.7)) * 8 + 0.5, 0, 1)[None, :, None]
    mixed = image * (1 - ramp) + soft * ramp + rng.normal(0, 1.5, image.shape)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _cut(image: RGB, corners: npt.NDArray[np.int64]) -> tuple[RGB, npt.NDArray[np.int64]]:
    """Windows of SIDE_PX around the labelled ones, and which of these lie far enough inside."""
    margin = (SIDE_PX - _LABELLED_PX) // 2
    starts = corners - margin
    inside = (starts >= 0).all(1) & (starts[:, 0] + SIDE_PX <= image.shape[0])
    kept = np.flatnonzero(inside & (starts[:, 1] + SIDE_PX <= image.shape[1]))
    cut = [image[y : y + SIDE_PX, x : x + SIDE_PX] for y, x in starts[kept]]
    return (np.stack(cut) if cut else np.empty((0, SIDE_PX, SIDE_PX, 3), np.uint8)), kept


def _pixels(images: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _middle(images: Tensor, side: int) -> Tensor:
    spare = (images.shape[-1] - side) // 2
    return images[..., spare : spare + side, spare : spare + side]
