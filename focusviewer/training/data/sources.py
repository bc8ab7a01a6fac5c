"""Sharp pixels to learn from: real patches whose licence allows training, filtered by sharpness, split by image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError

# Whole images are held out, so that no picture is on both sides. All come from the folders marked "train".
VALIDATION_IMAGES = frozenset(
    {
        "patches/tiatoolbox/target_image.png",
        "patches/histolab/medium-nuclei-score-level0.png",
        "patches/histolab/tissue-level0-7352-11762-7864-12274.png",
        "patches/histolab/tissue-level2-4640-4649-8736-8746.png",
        "patches/histoqc/template4.png",
        "wsi/bracs-1640-n-3-crop.tiff",
    }
)
VALIDATION_EVERY = 6  # of the many small bbbc038 images, each sixth is held out

MIN_ENERGY_RATIO = 0.7
MIN_CONTRAST = 8.0
MIN_REAL_SHARE = 0.75  # of a crop's side; the small bbbc038 images lack a little of the largest crops


@dataclass(frozen=True)
class Source:
    """One real image to cut crops from: uint8 (H, W, 3)."""

    name: str
    image: RGB


def energy_ratio(gray: npt.NDArray[np.floating]) -> float:
    """``sum Lap^2 / sum |grad|^2`` of a gray image: high when fine detail dominates."""
    laplacian = 4 * gray[1:-1, 1:-1] - gray[2:, 1:-1] - gray[:-2, 1:-1] - gray[1:-1, 2:] - gray[1:-1, :-2]
    gradient = np.square(np.diff(gray, axis=0)).sum() + np.square(np.diff(gray, axis=1)).sum()
    return float(np.square(laplacian).sum() / max(float(gradient), 1e-9))


def load_sources(data_dir: Path, split: str) -> list[Source]:
    """Read the real images of one side of the split (``"train"`` or ``"validation"``).

    Raises
    ------
    UserError
        If the folder holds none of them.
    """
    sources = []
    for index, path in enumerate(_candidates(data_dir)):
        name = path.relative_to(data_dir).as_posix()
        small = "bbbc038" in name and index % VALIDATION_EVERY == 0
        held_out = name in VALIDATION_IMAGES or small
        if held_out == (split == "validation"):
            sources.append(Source(name, read_image(path)))
    if not sources:
        raise UserError(
            f"No training images in {data_dir}",
            "the folders patches/ and wsi/ are missing or empty",
            "Point --data (or FOCUSVIEWER_DATA) to the data folder.",
        )
    return sources


def sources_digest(data_dir: Path) -> str:
    """Twelve hex digits that change when an image that :func:`load_sources` reads is added, taken away or changed.

    Looks at names and sizes of the files only.
    """
    lines = [f"{path.relative_to(data_dir).as_posix()} {path.stat().st_size}" for path in _candidates(data_dir)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _candidates(data_dir: Path) -> list[Path]:
    patterns = (
        "patches/bbbc038/c_*",
        "patches/openslide-crops/*.tif",
        "patches/tiatoolbox/*",
        "patches/histolab/*",
        "patches/histoqc/*",
        "patches/bone-special-stain.jpeg",
        "wsi/cmu-1-small-region.svs",
        "wsi/bracs-1640-n-3-crop.tiff",
    )
    return [path for pattern in patterns for path in sorted(data_dir.glob(pattern)) if path.is_file()]


def read_image(path: Path) -> RGB:
    """The colour picture in a file: uint8 (H, W, 3)."""
    if path.suffix in {".tif", ".tiff", ".svs"}:
        import tifffile

        image = np.asarray(tifffile.imread(path, key=0))
    else:
        from PIL import Image

        image = np.asarray(Image.open(path).convert("RGB"))
    if image.ndim == 3 and image.shape[0] == 3:
        image = np.moveaxis(image, 0, -1)
    return np.ascontiguousarray(image[..., :3], dtype=np.uint8)


def sharp_crops(sources: list[Source], size_px: int, factors: tuple[int, ...] = (1, 2)) -> npt.NDArray[np.uint8]:
    """Cut the sharp, structured squares out of the sources, at full and reduced size.

    A soft image becomes sharp when it is averaged down, so each source is also offered at lower scale; what counts
    is sharpness per pixel.

    Returns
    -------
    uint8 (N, size_px, size_px, 3)
    """
    crops = [crop for source in sources for factor in factors for crop in _cut(_shrink(source.image, factor), size_px)]
    if not crops:
        raise UserError("No sharp crops found", f"no source holds a sharp square of {size_px} px", "Add sharp images.")
    return np.stack(crops)


def _shrink(image: RGB, factor: int) -> RGB:
    if factor == 1:
        return image
    height, width = (side // factor * factor for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, 3)
    return np.asarray(blocks.mean(axis=(1, 3)) + 0.5, dtype=np.uint8)


def _cut(image: RGB, size_px: int) -> Iterator[RGB]:
    if min(image.shape[:2]) < size_px:
        image = _mirror_to(image, size_px)
    for y in _starts(image.shape[0], size_px):
        for x in _starts(image.shape[1], size_px):
            crop = image[y : y + size_px, x : x + size_px]
            gray = crop.mean(axis=2, dtype=np.float32)
            if gray.std() >= MIN_CONTRAST and energy_ratio(gray) >= MIN_ENERGY_RATIO:
                yield crop


def _mirror_to(image: RGB, size_px: int) -> RGB:
    """Continue an image that is a little too small by its mirror image; a much smaller one stays as it is."""
    short = [max(0, size_px - side) for side in image.shape[:2]]
    if min(image.shape[:2]) < MIN_REAL_SHARE * size_px:
        return image
    pads = [(missing // 2, missing - missing // 2) for missing in short]
    return np.pad(image, (*pads, (0, 0)), mode="reflect")


def _starts(length: int, size_px: int) -> list[int]:
    if length < size_px:
        return []
    count = max(1, round(length / (size_px * 0.75)))
    return sorted({int(start) for start in np.linspace(0, length - size_px, count)})
