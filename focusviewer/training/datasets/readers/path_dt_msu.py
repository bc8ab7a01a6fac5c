"""PATH-DT-MSU WSS1 and WSS2: histological images with masks or annotations.

An image folder (``images``), if need be with ``train`` and ``test`` below it, and beside it a folder of the same shape
with what belongs to each image under its name (``masks`` or ``annotations``); or ``train`` and ``test`` with images
and annotations (``<name>.json``, ``<name>_v2.5.json``) side by side. Two-valued masks mark blurred areas. JSON
annotations and masks with more values tell tissue types, so they are no focus truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import Region
from focusviewer.training.datasets.base import About, Dataset, as_published, by_group
from focusviewer.training.datasets.decode import decode
from focusviewer.training.datasets.records import DatasetError, Finding, ImageRecord
from focusviewer.training.datasets.walk import IMAGES, files_below, unknown_files

MASKS = frozenset({"masks", "mask", "annotations", "annotation", "labels"})
SLIDES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".psi"})
UNREADABLE = ".psi"
_SIDES = {"train": "train", "training": "train", "val": "validation", "validation": "validation", "test": "test"}
_MOST_PIXELS = 100_000_000

ABOUT = About(
    name="path-dt-msu",
    title="PATH-DT-MSU WSS",
    url="https://imaging.cs.msu.ru/en/research/histology/path-dt-msu",
    content="histological images with masks: WSS2 trains the blur detector, 100 images of about 1500 x 1500 px of "
    "WSS1 with synthetic Gaussian blur test it",
    truth="mask",
    note="Only two-valued masks are focus truth; annotations of tissue types are listed, not used as such.",
)


class MaskedImages(Dataset):
    """Images with masks; whole slides among them are read as they are, if they are not too large."""

    def read(self, record: ImageRecord) -> RGB:
        """See :meth:`Dataset.read`.

        Raises
        ------
        DatasetError
            Also for slides in a format of their own (``.psi``), and those that are too large to be read whole.
        """
        suffix = record.path.suffix.lower()
        if suffix == UNREADABLE:
            raise DatasetError(
                f"Cannot read {record.path}", "PSI is a format of its authors", "Convert it to TIFF with psimage first."
            )
        if suffix not in SLIDES:
            return super().read(record)
        from focusviewer.slides import open_slide

        with open_slide(record.path) as slide:
            width, height = slide.dimensions
            if width * height > _MOST_PIXELS:
                raise DatasetError(
                    f"Cannot read {record.path} as one image", f"it has {width} x {height} pixels", "Cut it into parts."
                )
            return slide.read_region(Region(0, 0, 0, width, height))

    def blur_mask(self, record: ImageRecord) -> npt.NDArray[np.bool_]:
        """Where the image is blurred, bool (H, W).

        Raises
        ------
        DatasetError
            If the image has no mask, or one that is no blur mask.
        """
        if record.mask is None:
            raise DatasetError(f"{record.path} has no mask", "", "Put it beside the images, in masks/.")
        if record.mask.suffix.lower() not in IMAGES:
            why = "it is an annotation of tissue types"
            raise DatasetError(f"{record.mask} does not say what is blurred", why, "")
        raw = decode(record.mask).raw
        values = np.unique(raw if raw.ndim == 2 else raw[..., :3].max(axis=2))
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            why = f"it holds {len(values)} different values, a blur mask two"
            raise DatasetError(f"{record.mask} does not say what is blurred", why, "")
        return np.asarray((raw if raw.ndim == 2 else raw[..., :3].max(axis=2)) > 0)


def load(root: Path) -> Dataset:
    """Read WSS1 or WSS2.

    Returns
    -------
    MaskedImages
        Its findings name masks without an image, images without a mask, and unknown files.
    """
    files = files_below(root)
    images = [path for path in files if _is_image(root, path)]
    masks = [path for path in files if not _is_image(root, path) and _is_mask(root, path)]
    by_key = {_key(root, path): path for path in images}
    found = {_key(root, path): path for path in masks}
    records = [replace(_record(root, path), mask=found.get(key)) for key, path in by_key.items()]
    findings = [Finding("error", path, "belongs to no image") for key, path in found.items() if key not in by_key]
    findings += _without_mask(records)
    findings += unknown_files(files, [*images, *masks])
    schemes = {"slides": by_group}
    if any(record.published for record in records):
        schemes = {"published": as_published, **schemes}
    return MaskedImages(ABOUT, root, records, findings, schemes)


def _without_mask(records: Sequence[ImageRecord]) -> Iterable[Finding]:
    lacking = [record.path for record in records if record.mask is None]
    if lacking:
        yield Finding("warning", lacking[0], f"has no mask ({len(lacking)} such images)")


def _parts(root: Path, path: Path) -> list[str]:
    return [part.lower() for part in path.relative_to(root).parts[:-1]]


def _is_image(root: Path, path: Path) -> bool:
    suffix = path.suffix.lower()
    return (suffix in IMAGES or suffix in SLIDES) and not MASKS & set(_parts(root, path))


def _is_mask(root: Path, path: Path) -> bool:
    in_folder = bool(MASKS & set(_parts(root, path)))
    return path.suffix.lower() == ".json" or (in_folder and path.suffix.lower() in IMAGES)


def _key(root: Path, path: Path) -> tuple[str, ...]:
    """What an image and its mask have in common: their folders without images/ and masks/, and their name."""
    folders = [part for part in _parts(root, path) if part not in MASKS and part != "images"]
    stem = re.sub(r"(_mask|_anno(tation)?|_v\d+(\.\d+)?)+$", "", path.stem, flags=re.IGNORECASE)
    return (*folders, stem.lower())


def _record(root: Path, path: Path) -> ImageRecord:
    side = next((_SIDES[part] for part in _parts(root, path) if part in _SIDES), None)
    return ImageRecord(path, slide="/".join(_key(root, path)), published=side)
