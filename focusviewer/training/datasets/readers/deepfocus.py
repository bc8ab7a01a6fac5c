"""DeepFocus: 204,000 patches of 64 x 64 pixels at eleven focal offsets, -2.5 to 2.5 um in steps of 0.5 um.

Published as one HDF5 file with the data sets ``X`` (patch, row, column, colour) and ``Y`` (class of each patch).
Class 0 is offset 0; classes 1 to 10 are the other offsets from -2.5 to 2.5 um. (The paper counts the offsets -0.5, 0
and 0.5 as in focus, and users of the file the classes 0, 5 and 6, which fits this order and no other ascending one.)
Values of ``Y`` that are no class numbers are taken as offsets in um.

The file does not say which of the 16 slides a patch is from: sixteenths of the file stand in for slides, which keeps
neighbours together but promises nothing more, and patches of one place cannot be matched to stacks. Patches kept as
image files in folders named by their offset (``-2.5`` ... ``2.5``, in a folder per slide if there are several) are
read too; equal names in the folders of one slide form stacks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.training.datasets.base import About, Dataset, by_group
from focusviewer.training.datasets.records import DatasetError, Finding, ImageRecord
from focusviewer.training.datasets.walk import IMAGES, files_below, unknown_files

OFFSETS_UM = (0.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 2.5)
"""Focal offset of every class of the file."""

MPP = 0.2461
PARTS = 16
_IN_FOCUS_UM = 0.5

ABOUT = About(
    name="deepfocus",
    title="DeepFocus",
    url="https://doi.org/10.5281/zenodo.1134848",
    content="204,000 patches of 64 x 64 px at 40x (0.2461 um/px), 11 offsets -2.5 to 2.5 um, 16 slides, four stains",
    truth="level",
    images=204000,
    size_px=(64, 64),
    step_um=0.5,
    note="The file names no slides: sixteenths of it stand in for them.",
)

OFFSET = re.compile(r"[+-]?\d(?:\.\d+)?(?: ?um)?", re.IGNORECASE)
HDF5 = frozenset({".h5", ".hdf5"})


class PatchFile(Dataset):
    """DeepFocus as it is published; patches are read from the file one by one."""

    def __init__(self, root: Path, records: Sequence[ImageRecord], findings: Sequence[Finding], scale: float) -> None:
        super().__init__(ABOUT, root, records, findings, {"parts": by_group})
        self._scale = scale
        self._open: dict[Path, Any] = {}

    def read(self, record: ImageRecord) -> RGB:
        """See :meth:`Dataset.read`."""
        if record.path not in self._open:
            self._open[record.path] = _opened(record.path)
        try:
            patch = np.asarray(self._open[record.path]["X"][record.index])
        except (OSError, KeyError, ValueError) as error:
            raise DatasetError(
                f"Cannot read patch {record.index} of {record.path}", f"the file is damaged ({error})", "Download it."
            ) from error
        return _eight_bit(patch, self._scale)


def load(root: Path) -> Dataset:
    """Read DeepFocus: its HDF5 file, or folders named by offset.

    Raises
    ------
    DatasetError
        If the file is damaged or does not hold what it is published with.
    UserError
        If h5py is not installed.
    """
    files = [root] if root.is_file() else files_below(root)
    packed = [path for path in files if path.suffix.lower() in HDF5]
    if not packed:
        return _load_folders(root, files)
    findings = list(unknown_files(files, packed))
    if len(packed) > 1:
        findings.append(Finding("warning", packed[1], f"only {packed[0].name} is read"))
    path = packed[0]
    with _opened(path) as file:
        classes, scale = _contents(file, path)
    z_um, wrong = _offsets(classes)
    if wrong is not None:
        raise DatasetError(f"Cannot use {path}", f"its patch {wrong} has the class {classes[wrong]:g}", "Download it.")
    records = [
        ImageRecord(
            path,
            slide=f"part{index * PARTS // len(z_um):02d}",
            index=index,
            z_um=float(z),
            blurred=bool(abs(z) > _IN_FOCUS_UM),
            mpp=MPP,
        )
        for index, z in enumerate(z_um)
    ]
    return PatchFile(root, records, findings, scale)


def _opened(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            f"Cannot read {path}", "h5py is not installed", "Run: pip install 'focusviewer[train]'"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        why = f"it is damaged or not HDF5 ({error})"
        raise DatasetError(f"Cannot read {path}", why, "Download it again.") from error


def _contents(file: Any, path: Path) -> tuple[npt.NDArray[np.float64], float]:
    """Classes of all patches, and what their samples have to be multiplied with for 0 to 255."""
    if "X" not in file or "Y" not in file:
        raise DatasetError(
            f"Cannot use {path}", f"it holds {', '.join(file) or 'nothing'}, not X and Y", "Download it."
        )
    patches, classes = file["X"], np.asarray(file["Y"], np.float64).ravel()
    if patches.ndim != 4 or patches.shape[3] != 3:
        raise DatasetError(f"Cannot use {path}", f"X has the shape {patches.shape}, not (patches, 64, 64, 3)", "")
    if len(patches) != len(classes):
        raise DatasetError(f"Cannot use {path}", f"it holds {len(patches)} patches and {len(classes)} classes", "")
    if not len(classes):
        raise DatasetError(f"Cannot use {path}", "it holds no patches", "Download it again.")
    if patches.dtype == np.uint8:
        return classes, 1.0
    if patches.dtype.kind != "f":
        raise DatasetError(f"Cannot use {path}", f"its patches are {patches.dtype}, not 8-bit or floating point", "")
    spread = np.linspace(0, len(patches) - 1, min(64, len(patches))).astype(int)
    brightest = max(float(np.max(patches[int(index)])) for index in spread)
    return classes, 255.0 if brightest <= 1.0 else 1.0


def _offsets(classes: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], int | None]:
    """Offsets in um, and the first patch whose class is none."""
    whole = bool(np.all(classes == np.round(classes))) and classes.min() >= 0 and classes.max() < len(OFFSETS_UM)
    if whole:
        return np.asarray(OFFSETS_UM)[classes.astype(int)], None
    strange = np.flatnonzero(~np.isin(classes, OFFSETS_UM))
    return classes, int(strange[0]) if len(strange) else None


def _eight_bit(patch: npt.NDArray[Any], scale: float) -> RGB:
    if patch.dtype == np.uint8:
        return patch
    return np.asarray(np.clip(patch.astype(np.float32) * scale + 0.5, 0, 255), np.uint8)


def _load_folders(root: Path, files: Sequence[Path]) -> Dataset:
    """Patches as image files, in folders named by their offset."""
    records, findings = [], []
    for path in files:
        if path.suffix.lower() not in IMAGES or not OFFSET.fullmatch(path.parent.name):
            continue
        z = float(re.sub(r"[^\d.+-]", "", path.parent.name))
        if z not in OFFSETS_UM:
            findings.append(Finding("error", path.parent, f"{z:g} um is none of the eleven offsets"))
            continue
        slide = path.parent.parent.name if path.parent.parent != root else "unstated"
        records.append(
            ImageRecord(
                path,
                slide=slide,
                stack=f"{slide}/{path.stem}",
                plane=sorted(OFFSETS_UM).index(z),
                z_um=z,
                blurred=abs(z) > _IN_FOCUS_UM,
                mpp=MPP,
            )
        )
    findings += unknown_files(files, [record.path for record in records])
    return Dataset(ABOUT, root, records, findings, {"slides": by_group})
