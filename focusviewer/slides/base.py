"""The Slide interface: what every reader gives, and the small types used with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import NotSquareError, ScaleUnknownError, SlideError

PLAUSIBLE_MPP = (0.05, 5.0)
"""Pixel sizes of level 0, in microns, that a light microscope's scanner can have; others are taken for mistakes."""

SQUARE = 1.01
"""Pixels whose sides differ by no more than this factor are square: scanners' sides differ by tenths of a percent."""


class UnsureError(Exception):
    """A file that this reader might show wrongly; the next reader should try.

    Parameters
    ----------
    why : str
    planes : int
        Focal planes that this reader knows of: a reader that sees fewer would lose some.
    """

    def __init__(self, why: str = "", planes: int = 1) -> None:
        super().__init__(why)
        self.planes = planes


class UnsupportedError(UnsureError):
    """A sound file of a kind that this reader cannot decode; ``why`` says of which kind, as part of a sentence."""


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
    ``stated_mpp_xy`` is set where the file states two sizes that differ, across and down. Where pixels are not square
    (see SQUARE) the other two are ``None``, so that nobody works with a size that holds in no direction; lengths are
    measured with ``mpp_x`` and ``mpp_y``. :func:`pixel_sizes` fills in all three.
    ``remarks`` are sentences, without their ends, about what the file lacks or leaves open and how it is read.
    ``planes_um`` are the focal positions (um, increasing) of the planes; when the file does not state a z step
    they are the indices 0, 1, 2 ... and ``z_step_known`` is False. ``missing_planes`` counts planes that the file
    announces but that were never written: they are no planes of the slide, and ``missing_um`` says where they would
    lie, on the same axis, as far as that can be told.
    """

    path: Path
    format: str
    vendor: str | None
    levels: tuple[Level, ...]
    stated_mpp: float | None = None
    mpp: float | None = None
    stated_mpp_xy: tuple[float, float] | None = None
    objective_power: float | None = None
    planes_um: tuple[float, ...] = (0.0,)
    z_step_known: bool = True
    missing_planes: int = 0
    missing_um: tuple[float, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    associated: tuple[str, ...] = ()
    icc_profile: bytes | None = None
    fingerprint: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def mpp_x(self) -> float | None:
        """Microns per level-0 pixel across."""
        return self._side(0)

    @property
    def mpp_y(self) -> float | None:
        """Microns per level-0 pixel down."""
        return self._side(1)

    def _side(self, axis: int) -> float | None:
        return self.mpp if self.not_square is None else self.not_square[axis]

    @property
    def not_square(self) -> tuple[float, float] | None:
        """Sides of a pixel, um, where the file states plausible ones that differ and nobody has said better."""
        sides = self.stated_mpp_xy
        if sides is None or self.mpp is not None or None in map(usable_mpp, sides):
            return None
        return None if _is_square(*sides) else sides


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
        """Microns per level-0 pixel; None when neither the file nor the user has said it, or pixels are not square."""
        return self.info.mpp

    @property
    def sides_um(self) -> tuple[float, float] | None:
        """Sides of a level-0 pixel across and down, um, or None when one is not known; for lengths and areas."""
        across, down = self.info.mpp_x, self.info.mpp_y
        return None if across is None or down is None else (across, down)

    def scale_error(self) -> ScaleUnknownError:
        """The error for a step that needs ``mpp`` where there is none."""
        if self.info.not_square is not None:
            return NotSquareError(self.name, *self.info.not_square)
        return ScaleUnknownError(self.name)

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


class PixelSizes(NamedTuple):
    """``stated_mpp``, ``mpp`` and ``stated_mpp_xy`` of SlideInfo."""

    stated: float | None
    usable: float | None
    sides: tuple[float, float] | None


def pixel_sizes(across: float | None, down: float | None) -> PixelSizes:
    """What to believe of the pixel size that a file states across and down, um; one that is missing is the other."""
    if across is None or down is None:
        stated = down if across is None else across
        return PixelSizes(stated, usable_mpp(stated), None)
    if across == down:
        return PixelSizes(across, usable_mpp(across), None)
    if not _is_square(across, down):
        return PixelSizes(None, None, (across, down))
    stated = (across + down) / 2
    return PixelSizes(stated, usable_mpp(stated), (across, down))


def _is_square(across: float, down: float) -> bool:
    return 0 < max(across, down) <= SQUARE * min(across, down)


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
