"""The Slide interface: what every reader gives, and the small types used with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError

PLAUSIBLE_MPP = (0.05, 5.0)
"""Pixel sizes of level 0, in microns, that a light microscope's scanner can have; others are taken for mistakes."""


class UnsureError(Exception):
    """A file that this reader might show wrongly; the next reader should try."""


class DamagedError(SlideError):
    """A file that is certainly damaged; a reader that opens it all the same would hide that."""


class Level(NamedTuple):
    """One level of the pyramid; ``downsample`` is relative to level 0."""

    width: int
    height: int
    downsample: float


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of one plane: what every read asks for.

    Parameters
    ----------
    level : int
        Pyramid level that is read.
    x, y : int
        Upper left corner in **level-0 pixels**, as OpenSlide does; may lie outside the slide.
    width, height : int
        Size in pixels **of the level**.
    plane : int
        Focal plane index, 0-based.
    """

    level: int
    x: int
    y: int
    width: int
    height: int
    plane: int = 0


@dataclass(frozen=True)
class SlideInfo:
    """What a file says about itself.

    ``stated_mpp`` is what the file states, however implausible; ``mpp`` is ``None`` unless the value is usable.
    ``planes_um`` are the focal positions (um, increasing) of the planes; when the file does not state a z step
    they are the indices 0, 1, 2 ... and ``z_step_known`` is False.
    """

    path: Path
    format: str
    vendor: str | None
    levels: tuple[Level, ...]
    stated_mpp: float | None = None
    mpp: float | None = None
    objective_power: float | None = None
    planes_um: tuple[float, ...] = (0.0,)
    z_step_known: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)
    associated: tuple[str, ...] = ()
    icc_profile: bytes | None = None
    fingerprint: str = ""


class Slide(ABC):
    """An open slide: a pyramid of levels, with one or more focal planes.

    Readers are thread-safe: any thread may call :meth:`read_region` at any time.
    Use as a context manager or call :meth:`close`.
    """

    info: SlideInfo

    @property
    def path(self) -> Path:
        """The file or folder the slide was opened from."""
        return self.info.path

    @property
    def name(self) -> str:
        """File name, for people."""
        return self.info.path.name

    @property
    def files(self) -> tuple[Path, ...]:
        """Files and folders the slide is read from: where one is written anew, the slide is another."""
        return (self.info.path,)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest first."""
        return self.info.levels

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of level 0 in pixels."""
        return self.info.levels[0].width, self.info.levels[0].height

    @property
    def mpp(self) -> float | None:
        """Microns per level-0 pixel, or None when neither the file nor the user has said it."""
        return self.info.mpp

    @property
    def planes_um(self) -> tuple[float, ...]:
        """Focal positions of the planes in um (one entry for a slide without a stack)."""
        return self.info.planes_um

    @property
    def fingerprint(self) -> str:
        """Hash of the content (not of the path): the same for a moved or renamed file."""
        return self.info.fingerprint

    def best_level(self, downsample: float) -> int:
        """Coarsest level that is still at least as fine as ``downsample`` (level 0 if none is)."""
        best = 0
        for index, level in enumerate(self.levels):
            if level.downsample <= downsample * 1.01:
                best = index
        return best

    @abstractmethod
    def read_region(self, region: Region) -> RGB:
        """Pixels of a region.

        Returns
        -------
        uint8 (height, width, 3) RGB; white outside the slide and where the file holds nothing.

        Raises
        ------
        SlideError
            If that part of the file cannot be decoded. The slide itself stays usable.
        IndexError
            If there is no such level or plane.
        """

    def read_associated(self, name: str) -> RGB:
        """A label, macro or thumbnail image named in ``info.associated``."""
        raise KeyError(name)

    @abstractmethod
    def close(self) -> None:
        """Release the file; reads after this raise SlideError."""

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def usable_mpp(value: float | None) -> float | None:
    """``value`` when it is a plausible level-0 pixel size in um (see PLAUSIBLE_MPP), else None."""
    if value is None or not np.isfinite(value) or not PLAUSIBLE_MPP[0] <= value <= PLAUSIBLE_MPP[1]:
        return None
    return float(value)


def mpp_from_power(objective_power: float | None) -> float | None:
    """Usual pixel size of a scan at this magnification: 10 um divided by it (40x = 0.25 um)."""
    if not objective_power or not 1 <= objective_power <= 200:
        return None
    return 10.0 / objective_power
