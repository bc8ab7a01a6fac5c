"""An open slide and what the window knows about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.app.viewer.view import View
from focusviewer.focus.base import FocusMap
from focusviewer.refocus.provenance import z_text
from focusviewer.slides import DisplayPyramid, Slide
from focusviewer.slides.files.freshness import Stamp


@dataclass(eq=False)
class Document:
    """One open slide: its pyramid, where the user was, and the focus maps made so far.

    ``maps`` is keyed by model name and plane; ``parts`` are the files of a slide that has several.
    """

    slide: Slide
    pyramid: DisplayPyramid
    view: View
    maps: dict[tuple[str, int], FocusMap] = field(default_factory=dict)
    fresh: bool = True  # not shown yet: the first time the whole slide is shown
    parts: tuple[Path, ...] = ()
    bad_tiles: int = 0
    fluorescence: bool | None = None  # None: not known yet
    stamp: Stamp | None = None  # of its files as they were opened; None: not looked at
    focus_records: list[tuple[str, str]] | None = None  # by the scanner, for people; None: not read yet

    @classmethod
    def of(cls, slide: Slide, stamp: Stamp | None = None, parts: tuple[Path, ...] = ()) -> Document:
        """Build the document of a slide (no file access)."""
        width, height = slide.dimensions
        plane = len(slide.planes_um) // 2
        return cls(slide, DisplayPyramid(slide), View(width, height, plane=plane), stamp=stamp, parts=parts)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files and folders it is read from."""
        return files_of(self.slide, self.parts)

    @property
    def path(self) -> Path:
        """Where the slide was opened from."""
        return self.slide.path

    @property
    def name(self) -> str:
        """File name."""
        return self.slide.name

    @property
    def mpp(self) -> float | None:
        """Microns per level-0 pixel, if known."""
        return self.slide.mpp

    @property
    def sides_um(self) -> tuple[float, float] | None:
        """Sides of a level-0 pixel across and down, um, if known; pixels need not be square."""
        return self.slide.sides_um

    @property
    def planes_um(self) -> tuple[float, ...]:
        """Z of the acquired planes."""
        return self.slide.planes_um

    @property
    def plane_um(self) -> float:
        """Z of the plane that is shown."""
        return self.slide.planes_um[self.view.plane]

    @property
    def plane_text(self) -> str:
        """Which acquired plane is shown, in words."""
        z = f"  ·  z = {z_text(self.plane_um)}" if self.slide.info.z_step_known else ""
        return f"Acquired plane {self.view.plane + 1} of {len(self.planes_um)}{z}"


def files_of(slide: Slide, parts: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files and folders a slide is read from; of one in several files all its parts."""
    return tuple(dict.fromkeys((*slide.files, *parts))) if len(parts) > 1 else slide.files
