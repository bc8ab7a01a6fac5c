"""The published data sets in miniature: their folders, names, index lines and bit depths, with tiny images."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

Gray = npt.NDArray[np.float64]


def texture(size_px: int, seed: int) -> Gray:
    """Grains of several sizes, 0 to 1, (size_px, size_px)."""
    rng = np.random.default_rng(seed)
    grain = rng.standard_normal((size_px, size_px)) + 4 * gaussian_filter(rng.standard_normal((size_px, size_px)), 3)
    return np.asarray(np.clip(0.5 + grain / (6 * grain.std()), 0, 1))


def blurred(sharp: Gray, z_um: float) -> Gray:
    """``sharp`` out of focus: a Gaussian whose width grows with distance."""
    return np.asarray(gaussian_filter(sharp, 0.8 * abs(z_um)) if z_um else sharp)


def tissue(gray: Gray) -> npt.NDArray[np.uint8]:
    """Purple on pink, uint8 (H, W, 3)."""
    return np.asarray(np.array([235, 190, 220]) - gray[..., None] * np.array([120, 130, 60]), dtype=np.uint8)


def make_focuspath(
    root: Path, *, slides: int = 3, strips: int = 2, positions: int = 1, size_px: int = 32, index: bool = True
) -> Path:
    """FocusPath: PNG files of 16 slices, and index lines that say .tif; sharpest slice 8 or 9."""
    folder = root / "FocusPath_full"
    folder.mkdir(parents=True)
    lines = []
    for slide in range(1, slides + 1):
        for strip in range(strips):
            for position in range(1, positions + 1):
                best = 8 + (slide + strip + position) % 2
                sharp = texture(size_px, 1000 * slide + 100 * strip + position)
                for number in range(1, 17):
                    name = f"Slide{slide:02d}_Strip{strip:02d}_Slice{number:02d}_Position{position:02d}"
                    level = number - best
                    Image.fromarray(tissue(blurred(sharp, level * 0.25))).save(folder / f"{name}.png")
                    score = 20 + 9.5 * abs(level)
                    lines.append(f"{name}.tif,{slide},{strip},{number},{position},{score:.8f},{level}")
    if index:
        (root / "FocusPath_full_split1.txt").write_text("\n".join(lines) + "\n")
    return root


def make_tcga_focus(root: Path, *, cases: int = 4, size_px: int = 32, out: str = "Out Focus") -> Path:
    """TCGA@Focus: patches in folders by label, organ and slide, and index lines (blurred = 1)."""
    base = root / "Image Patches Database"
    lines = []
    for case in range(cases):
        slide = f"TCGA-OR-A5J{case}-01Z-00-DX{case + 1}.A71196CF-F710-49EC-8F1A-2F90F60CDA0{case}"
        organ = ("Adrenal Gland", "Colon")[case % 2]
        for label, folder in enumerate(("In Focus", out)):
            for row in (32381, 32391):
                path = base / folder / organ / slide / f"patch_i_{row}_j_{37784 + case}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(tissue(blurred(texture(size_px, case), 3.0 * label))).save(path)
                lines.append(f"{path.relative_to(base).as_posix()},{organ},0,{label}")
    (root / "TCGA@Focus.txt").write_text("\n".join(lines) + "\n")
    return root


def make_deepfocus(root: Path, *, patches: int = 44, scale: float = 255.0) -> Path:
    """DeepFocus: one HDF5 file with X (float32) and Y (class); class 0 is in focus, 1-10 go from -2.5 to 2.5 um."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    offsets = [0.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5]
    classes = np.arange(patches) % len(offsets)
    images = [tissue(blurred(texture(64, i // 11), offsets[c])) / 255.0 * scale for i, c in enumerate(classes)]
    with h5py.File(root / "outoffocus2017_patches5Classification.h5", "w") as file:
        file["X"] = np.asarray(images, np.float32)
        file["Y"] = classes.astype(np.float32)
    return root


def make_deepfocus_folders(root: Path, *, slides: int = 2, patches: int = 1) -> Path:
    """DeepFocus patches as image files, in folders named by their offset."""
    for slide in range(slides):
        for offset in np.arange(-2.5, 2.6, 0.5):
            folder = root / f"slide{slide}" / f"{offset:.1f}"
            folder.mkdir(parents=True)
            for patch in range(patches):
                pixels = tissue(blurred(texture(64, 10 * slide + patch), float(offset)))
                Image.fromarray(pixels).save(folder / f"patch{patch:03d}.png")
    return root


def make_bbbc006(
    root: Path,
    *,
    wells: tuple[str, ...] = ("a01", "a02", "b01"),
    fields: int = 1,
    planes: tuple[int, ...] = (1, 5, 10, 16, 32),
    size_px: int = 24,
) -> Path:
    """BBBC006: 16-bit gray TIFF of 12-bit values in one folder per plane; the uuid differs from file to file."""
    import tifffile

    number = 0
    for plane in planes:
        folder = root / f"BBBC006_v1_images_z_{plane:02d}"
        folder.mkdir(parents=True)
        for seed, well in enumerate(wells):
            for field in range(1, fields + 1):
                for stain in (1, 2):
                    number += 1
                    sharp = texture(size_px, 100 * seed + 10 * field + stain)
                    counts = 300 + 2900 * blurred(sharp, (plane - 16) * 0.2)
                    name = f"mcf-z-stacks-03212011_{well}_s{field}_w{stain}{UUID(int=number)}.tif"
                    tifffile.imwrite(folder / name, counts.astype(np.uint16))
    return root


def make_wss(root: Path, *, images: int = 3, size_px: int = 128, side: bool = True) -> Path:
    """PATH-DT-MSU WSS: images and two-valued masks of the same name; the left half of each image is blurred."""
    for number in range(images):
        part = ("train", "test")[number % 2] if side else ""
        sharp = texture(size_px, number)
        pixels = tissue(sharp)
        half = size_px // 2
        pixels[:, :half] = tissue(blurred(sharp, 3.0))[:, :half]
        mask = np.zeros((size_px, size_px), np.uint8)
        mask[:, :half] = 255
        for folder, content in (("images", pixels), ("masks", mask)):
            path = root / folder / part / f"wss_{number:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(path)
    return root


def make_kimia(root: Path, *, classes: int = 3, size_px: int = 32) -> Path:
    """Kimia Path24C: JPEG patches in class folders, training and test."""
    for side, count in (("Training-patches", 2), ("Test-patches", 1)):
        for name in range(classes):
            folder = root / side / f"s{name}"
            folder.mkdir(parents=True)
            for patch in range(count):
                Image.fromarray(tissue(texture(size_px, 10 * name + patch))).save(folder / f"{patch}.jpg")
    return root
