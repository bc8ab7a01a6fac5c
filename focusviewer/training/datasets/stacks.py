"""Focal stacks of no particular data set: a folder of plane images, a multi-page TIFF, or an OME-TIFF with a Z axis.

Plane files are ordered by the number in their names. When that number is written with a sign, a decimal point or the
unit (``z-1.5um.png``, ``z+0.50.tif``), it is the focal position in um, and 0 is the reference plane. Of simulated
stacks the truth beside them names it. Folders named train, validation and test are a split of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides import open_slide, stepped_planes
from focusviewer.slides.base import Region, Slide, SlideInfo
from focusviewer.slides.readers.plane_folder import image_files, plane_files
from focusviewer.slides.writer import truth_path
from focusviewer.training.datasets.base import About, Dataset, Scheme, as_published, by_group
from focusviewer.training.datasets.decode import TIFF
from focusviewer.training.datasets.records import DatasetError, Finding, FocusStack, ImageRecord
from focusviewer.training.datasets.reference import Reference, reference_plane
from focusviewer.training.datasets.splits import SIDES
from focusviewer.training.datasets.walk import files_below, unknown_files

ABOUT = About(
    name="stacks",
    title="Focal stacks",
    url="",
    content="folders of plane images, multi-page TIFF and OME-TIFF files",
    truth="level",
    bits=16,
    note="One stack per sub-folder or TIFF file.",
)

Z_NAME = re.compile(r"(?:^|.*[^a-z0-9.+-])?z[_= ]?([+-]?\d+(?:\.\d+)?)(um|µm)?", re.IGNORECASE)


class StackFolder(Dataset):
    """A folder of stacks, each a sub-folder of planes or a TIFF file."""

    def __init__(
        self, root: Path, records: Sequence[ImageRecord], findings: Sequence[Finding], z_step_um: float | None
    ) -> None:
        schemes: dict[str, Scheme] = {"slides": by_group}
        if records and all(record.published for record in records):
            schemes = {"folders": as_published, **schemes}
        super().__init__(ABOUT, root, records, findings, schemes)
        self._z_step_um = z_step_um

    def stack(self, name: str, reference: Reference = "auto") -> FocusStack:
        """See :meth:`Dataset.stack`."""
        planes = self.stack_records(name)
        if not planes:
            raise DatasetError(f"There is no stack {name!r} in {self.root}", "", "")
        path = planes[0].path if planes[0].index is not None else planes[0].path.parent
        stack = open_stack(path, reference, self._z_step_um)
        return replace(stack, name=name, slide=planes[0].slide)

    def read(self, record: ImageRecord) -> RGB:
        """See :meth:`Dataset.read`."""
        if record.index is None:
            return super().read(record)
        with open_slide(record.path) as slide:
            return _plane(slide, record.index)


def load(root: Path, z_step_um: float | None = None) -> Dataset:
    """Read one stack, or a folder of stacks.

    Returns
    -------
    StackFolder
        Its findings name stacks that cannot be opened, gaps in the numbers of planes, and files that are no planes.
    """
    records, findings, claimed = [], [], []
    for path in _candidates(root):
        try:
            name = path.relative_to(root).as_posix() if path != root else path.name
            side = next((part for part in path.relative_to(root).parts[:-1] if part in SIDES), None)
            planes = [replace(record, stack=name, slide=_stem(name), published=side) for record in _records(path)]
        except (SlideError, DatasetError) as error:
            findings.append(Finding("error", path, error.why or error.what))
            claimed += files_below(path) if path.is_dir() else [path]
            continue
        records += planes
        claimed += [record.path for record in planes] + ([truth_path(path)] if path.is_file() else [])
    findings += unknown_files(files_below(root) if root.is_dir() else [], claimed, "no plane of a stack")
    return StackFolder(root, records, findings, z_step_um)


def open_stack(path: Path, reference: Reference = "auto", z_step_um: float | None = None) -> FocusStack:
    """One stack from a folder of planes, a multi-page TIFF or an OME-TIFF.

    Parameters
    ----------
    path : Path
    reference : int or str
        See ``Reference``; what a file states is the plane whose position is 0 among positions on both sides of it, or
        the best plane of its truth, where it is simulated.
    z_step_um : float, optional
        Distance of the planes, for files that do not state it.

    Raises
    ------
    DatasetError
        If a plane is missing, the planes differ in size or bit depth, there is only one, or a truth is damaged; names
        the file.
    SlideError
        If it cannot be opened at all.
    """
    if path.is_dir():
        return _open_folder(path, reference, z_step_um)
    info = _stack_info(path)
    count = len(info.planes_um)

    def read(index: int) -> RGB:
        with open_slide(path) as opened:
            return _plane(opened, index)

    z, known = info.planes_um, info.z_step_known
    if not known and z_step_um is not None:
        z, known = stepped_planes(info, z_step_um), True
    stated = z.index(0.0) if info.z_step_known and 0.0 in z[1:] else _simulated_best(path)
    best = reference_plane(reference, stated, count, read, path.name)
    return FocusStack(path.name, _stem(path.name), _around(z, best), read, best, known, info.mpp)


def _simulated_best(path: Path) -> int | None:
    """The best plane by the truth of a simulated stack; None where there is none."""
    truth = truth_path(path)
    if not truth.is_file():
        return None
    try:
        with np.load(truth) as facts:
            return int(facts["best_plane"]) if "best_plane" in facts else None
    except (OSError, ValueError, BadZipFile) as error:
        raise DatasetError(f"Cannot read {truth}", f"it is damaged ({error})", "Simulate it again.") from error


def named_positions(paths: Sequence[Path]) -> list[float] | None:
    """Focal positions in um written in the names of planes, or None when the numbers only count them."""
    matches = [Z_NAME.fullmatch(path.stem) for path in paths]
    found = [match for match in matches if match is not None]
    if len(found) < len(paths) or not any(m[2] or "." in m[1] or m[1][0] in "+-" for m in found):
        return None
    return [float(match[1]) for match in found]


def _open_folder(path: Path, reference: Reference, z_step_um: float | None) -> FocusStack:
    records = _records(path)
    dataset = Dataset(ABOUT, path, records)
    planes = dataset.stack_records(str(records[0].stack))
    dataset.check_alike(planes)
    stated = [record.z_um for record in planes if record.z_um is not None]
    known = len(stated) == len(planes)
    z = tuple(stated) if known else tuple(index * (z_step_um or 1.0) for index in range(len(planes)))

    def read(index: int) -> RGB:
        return dataset.read(planes[index])

    zero = stated.index(0.0) if known and 0.0 in stated else None
    best = reference_plane(reference, zero, len(planes), read, path.name)
    return FocusStack(path.name, path.name, _around(z, best), read, best, known or z_step_um is not None)


def _candidates(root: Path) -> list[Path]:
    """Stacks at or below a path: TIFF files of several pages, and the folders of planes."""
    if root.is_file():
        return [root]
    found: list[Path] = []
    for folder in sorted({path.parent for path in files_below(root)}):
        images = image_files(folder)
        several = [path for path in images if path.suffix.lower() in TIFF and _pages(path) > 1]
        if several:
            found += several
        elif len(images) > 1:
            found.append(folder)
    return found


def _records(path: Path) -> list[ImageRecord]:
    """One record per plane of a stack."""
    if path.is_file():
        info, stem = _stack_info(path), _stem(path.name)
        count = len(info.planes_um)
        return [ImageRecord(path, stem, index=i, stack=path.name, plane=i, mpp=info.mpp) for i in range(count)]
    images = image_files(path)
    z = named_positions(images)
    if z is not None:
        ordered = sorted(zip(z, images, strict=True))
        return [
            ImageRecord(image, path.name, stack=path.name, plane=i, z_um=value)
            for i, (value, image) in enumerate(ordered)
        ]
    planes = plane_files(path)
    _refuse_gaps(path, planes)
    return [ImageRecord(plane, path.name, stack=path.name, plane=i) for i, plane in enumerate(planes)]


def _refuse_gaps(folder: Path, planes: Sequence[Path]) -> None:
    """Raise when the numbers of the planes skip some: they go up in one step, except where a file is missing."""
    numbers = [[int(text) for text in re.findall(r"\d+", path.stem)] for path in planes]
    column = next((i for i in range(len(numbers[0])) if len({row[i] for row in numbers}) == len(numbers)), None)
    if column is None or len(planes) < 3:
        return
    counted = sorted(row[column] for row in numbers)
    steps = [after - before for before, after in pairwise(counted)]
    step = min(steps)
    for before, after in pairwise(counted):
        if after - before > step and (after - before) % step == 0 and steps.count(step) > len(steps) / 2:
            raise DatasetError(
                f"{folder} lacks a plane", f"number {before + step} is missing after {before}", "Restore the file."
            )


def _stack_info(path: Path) -> SlideInfo:
    """What a stack in one file says of itself.

    Raises
    ------
    DatasetError
        If it lacks a plane it announces, its pages differ in size, or it holds one plane only.
    """
    sizes = _page_sizes(path)
    odd = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if odd is not None:
        (width, height), (usual_width, usual_height) = sizes[odd], sizes[0]
        why = f"page {odd} is {width} x {height} pixels, page 0 is {usual_width} x {usual_height}"
        raise DatasetError(f"{path} is no focal stack", why, "Crop the planes to one size.")
    with open_slide(path) as slide:
        info = slide.info
    if info.missing_planes:
        planes = len(info.planes_um) + info.missing_planes
        raise DatasetError(
            f"{path} lacks a plane",
            f"it announces {planes} planes, and does not hold {info.missing_planes} of them",
            "Copy it again from its source.",
        )
    if len(info.planes_um) < 2:
        raise DatasetError(f"{path} is no focal stack", "it holds one plane", "")
    return info


def _page_sizes(path: Path) -> list[tuple[int, int]]:
    """Sizes of the full-size pages of a TIFF file without a description of its planes."""
    if path.suffix.lower() not in TIFF:
        return []
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            pages: list[Any] = [] if tif.is_ome else [page.aspage() for page in tif.pages]
            return [(int(p.imagewidth), int(p.imagelength)) for p in pages if not p.is_reduced]
    except Exception:  # the reader that opens it next says what is wrong with it
        return []


def _stem(name: str) -> str:
    """A stack's name without the endings of a file (``case3`` of ``case3.ome.tif``)."""
    return re.sub(r"(\.ome)?\.tiff?$", "", name, flags=re.IGNORECASE)


def _pages(path: Path) -> int:
    try:
        import tifffile

        with tifffile.TiffFile(path) as tif:
            return len(tif.pages)
    except Exception:
        return 0


def _plane(slide: Slide, index: int) -> RGB:
    width, height = slide.dimensions
    return slide.read_region(Region(0, 0, 0, width, height, index))


def _around(z: Sequence[float], best: int) -> tuple[float, ...]:
    return tuple(value - z[best] for value in z)
