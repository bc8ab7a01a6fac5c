"""What every data set is read into: image records, focal stacks, findings, and the error that names the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError

LEVEL_UM = 0.25
"""One focus level: the z step of FocusPath, in um."""


class DatasetError(UserError):
    """A data set that cannot be used as it lies on disk; the message names the file."""


@dataclass(frozen=True)
class ImageRecord:
    """One image of a data set: where it is, what is known of it; its pixels are decoded only when asked for.

    Attributes
    ----------
    path : Path
        The file that holds the image.
    slide : str
        Which slide (well, scan) it was cut from; never empty.
    case : str or None
        Patient or case, where the data set names one.
    index : int or None
        Position inside ``path`` when that file holds many images (page or row).
    stack : str or None
        Images of one place at several focal positions share this; None for single images.
    strip, plane, position : int or None
        Numbers of the scanned strip, of the focal plane (as the data set counts them) and of the place.
    z_um : float or None
        Focal position in um relative to the plane the data set calls sharpest.
    blurred : bool or None
        The data set's binary label: True is out of focus.
    score : float or None
        Any other figure the index states for the image (FocusPath: the blur score of its authors).
    kind : str or None
        Organ, class or channel.
    marker : bool
        Out of focus because of a pen mark (TCGA@Focus).
    mask : Path or None
        Mask or annotation file that belongs to the image.
    published : str or None
        Side of the split that the data set itself is published with.
    mpp : float or None
        Pixel size in um, where the data set states it.
    """

    path: Path
    slide: str
    case: str | None = None
    index: int | None = None
    stack: str | None = None
    strip: int | None = None
    plane: int | None = None
    position: int | None = None
    z_um: float | None = None
    blurred: bool | None = None
    score: float | None = None
    kind: str | None = None
    marker: bool = False
    mask: Path | None = None
    published: str | None = None
    mpp: float | None = None

    @property
    def group(self) -> str:
        """What must never be on both sides of a split: the case, else the slide."""
        return self.case or self.slide

    @property
    def level(self) -> float | None:
        """Distance from focus in levels of 0.25 um, or None when the position is unknown."""
        return None if self.z_um is None else abs(self.z_um) / LEVEL_UM


@dataclass(frozen=True)
class FocusStack:
    """Planes of one place at several focal positions, in order of z; a plane is decoded when it is asked for.

    Attributes
    ----------
    name, slide : str
    z_um : tuple of float
        Focal positions, increasing; plane numbers when ``z_known`` is False.
    reference : int or None
        Index of the plane called sharpest.
    read : callable
        Decodes one plane to uint8 (H, W, 3).
    """

    name: str
    slide: str
    z_um: tuple[float, ...]
    read: Callable[[int], RGB] = field(repr=False, compare=False)
    reference: int | None = None
    z_known: bool = True
    mpp: float | None = None

    def __len__(self) -> int:
        return len(self.z_um)

    @property
    def planes(self) -> npt.NDArray[np.uint8]:
        """All planes, uint8 (planes, H, W, 3).

        Raises
        ------
        DatasetError
            If a plane cannot be decoded, or the planes differ in size.
        """
        decoded = [self.read(index) for index in range(len(self))]
        for index, plane in enumerate(decoded):
            if plane.shape != decoded[0].shape:
                raise DatasetError(
                    f"The planes of {self.name} differ in size",
                    f"plane {index} is {size_text(plane)}, plane 0 is {size_text(decoded[0])}",
                    "Crop the planes to one size.",
                )
        return np.stack(decoded)

    @property
    def levels(self) -> tuple[float, ...]:
        """Distance of every plane from the reference plane in levels of 0.25 um.

        Raises
        ------
        DatasetError
            If the z step or the reference plane is unknown.
        """
        if not self.z_known:
            raise DatasetError(
                f"{self.name} has no known z step", "the file does not state it", "Give the step in um (z_step_um)."
            )
        if self.reference is None:
            raise DatasetError(f"{self.name} has no reference plane", "", "Give it, or let a focus measure choose it.")
        best = self.z_um[self.reference]
        return tuple(abs(z - best) / LEVEL_UM for z in self.z_um)


class FocusImage(NamedTuple):
    """One image with its focus truth.

    ``truth`` is |z - z*| in levels of 0.25 um, or 0 (sharp) and 1 (blurred) for data sets with binary labels.
    """

    pixels: RGB
    truth: float
    slide: str


@dataclass(frozen=True)
class Finding:
    """Something a person should know about a data set on disk.

    ``error``: the data cannot be used as they are. ``warning``: they can, but not everything is as published.
    """

    severity: Literal["error", "warning"]
    path: Path
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def size_text(image: RGB) -> str:
    """Width x height, for people."""
    return f"{image.shape[1]} x {image.shape[0]} pixels"
