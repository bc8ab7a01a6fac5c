"""A folder of images that are the focal planes of one stack."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from cachetools import LRUCache

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Region, Slide
from focusviewer.slides.readers.pictures import PictureSlide, decode_picture, picture_header, ranged
from focusviewer.slides.readers.rawfile import fingerprint
from focusviewer.slides.readers.tiff.metadata import plane_positions
from focusviewer.slides.suffixes import PICTURE_SUFFIXES

_KEPT_BYTES = 768 << 20
_Z_WORDS = ("z", "plane", "slice", "focus", "focal", "depth")


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder, hidden ones left out, by name."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".") and p.is_file()
    )


def plane_files(folder: Path) -> list[Path]:
    """The plane images of a folder, in the order of the number in their names.

    Files without a number (``all-in-focus.png``) and files whose name differs otherwise than by numbers from most
    of the others are left out.

    Raises
    ------
    SlideError
        If the folder holds no images, none with a number, or more than one stack.
    """
    images = image_files(folder)
    if not images:
        raise SlideError(f"Cannot open {folder.name}", "the folder holds no images", "Choose a folder of plane images.")
    parts = {path: re.split(r"(\d+)", path.stem) for path in images}
    numbered = [path for path in images if len(parts[path]) > 1]
    templates = Counter(tuple(parts[path][::2]) for path in numbered)
    template, count = templates.most_common(1)[0] if templates else ((), 0)
    if not numbered or count * 2 <= len(numbered):
        raise SlideError(
            f"Cannot open {folder.name} as a focal stack",
            "the names of its images do not form one numbered series",
            "Open one image, or name the planes z00, z01, z02 ...",
        )
    series = [path for path in numbered if tuple(parts[path][::2]) == template]
    numbers = {path: [int(text) for text in parts[path][1::2]] for path in series}
    position = _plane_number(template, list(numbers.values()))
    ordered = sorted(series, key=lambda path: numbers[path][position])
    for one, other in pairwise(ordered):
        if numbers[one][position] == numbers[other][position]:
            raise SlideError(
                f"Cannot open {folder.name} as a focal stack",
                f"{one.name} and {other.name} have the same plane number",
                "Put each stack into a folder of its own.",
            )
    return ordered


def _plane_number(template: tuple[str, ...], rows: list[list[int]]) -> int:
    """Which of the numbers in the names counts the planes: one that varies, best one that follows a word for z."""
    varying = [i for i in range(len(template) - 1) if len({row[i] for row in rows}) > 1] or [len(template) - 2]
    for index in reversed(varying):
        word = re.sub(r"[^a-z]+$", "", template[index].lower())
        if re.search(r"(^|[^a-z])(" + "|".join(_Z_WORDS) + r")$", word):
            return index
    return varying[-1]


class PlaneFolder(Slide):
    """Focal planes kept as one file each; a plane is decoded when it is first looked at.

    Parameters
    ----------
    folder : Path
    open_plane : callable
        Opens a plane that may be more than a plain picture (TIFF).

    Raises
    ------
    SlideError
        See :func:`plane_files`; also if the planes differ in size.
    """

    def __init__(self, folder: Path, open_plane: Callable[[Path], Slide]) -> None:
        self._files = plane_files(folder)
        self._open_plane = open_plane
        headers = [picture_header(path) for path in self._files]
        sizes = [(header.width, header.height) for header in headers]
        usual = Counter(sizes).most_common(1)[0][0]
        for path, size in zip(self._files, sizes, strict=True):
            if size != usual:
                raise SlideError(
                    f"Cannot open {folder.name} as a focal stack",
                    f"{path.name} is {size[0]} x {size[1]} pixels, the others {usual[0]} x {usual[1]}",
                    "Leave that file out of the folder, or crop the planes to one size.",
                )
        self._open: LRUCache[int, Slide] = LRUCache(max(2, _KEPT_BYTES // (usual[0] * usual[1] * 3)))
        self._lock = threading.Lock()
        self._busy: dict[int, threading.Lock] = {}
        self._closed = False
        self._deep = self._deep_range() if any(header.deep for header in headers) else None
        first = self._plane(0).info
        positions, known, _ = plane_positions(None, len(self._files))
        self.info = replace(
            first,
            path=folder,
            format=f"folder of {first.format} planes",
            planes_um=positions,
            z_step_known=known,
            properties={**first.properties, "planes.files": ", ".join(path.name for path in self._files)},
            associated=(),
            fingerprint=fingerprint(self._files),
        )

    def _deep_range(self) -> tuple[float, float] | None:
        """Value range of planes with more than 8 bits, found on three of them; all planes share it."""
        picks = sorted({0, len(self._files) // 2, len(self._files) - 1})
        decoded = [decode_picture(self._files[i]) for i in picks]
        form = ranged(decoded[0][1], [raw for raw, _ in decoded])
        return None if form.low is None or form.high is None else (form.low, form.high)

    def _plane(self, index: int) -> Slide:
        with self._lock:
            if self._closed:
                raise SlideError(f"Cannot read {self.name}", "the slide has been closed")
            slide = self._open.get(index)
            if slide is not None:
                return slide
            busy = self._busy.setdefault(index, threading.Lock())
        with busy:  # two threads that want the same plane decode it once
            with self._lock:
                slide = self._open.get(index)
            if slide is None:
                slide = self._decode(index)
                with self._lock:
                    self._open[index] = slide
        return slide

    def _decode(self, index: int) -> Slide:
        path = self._files[index]
        if self._deep is None and path.suffix.lower() in (".tif", ".tiff"):
            return self._open_plane(path)
        return PictureSlide(path, self._deep)

    @property
    def files(self) -> tuple[Path, ...]:
        """The folder and its planes."""
        return (self.info.path, *self._files)

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`."""
        plane = self._plane(region.plane)
        if region.level >= len(plane.levels):
            raise SlideError(
                f"Cannot read a plane of {self.name}",
                f"{plane.name} holds fewer levels than {self._files[0].name}",
                "Write all planes in the same way.",
            )
        return plane.read_region(replace(region, plane=0))

    def close(self) -> None:
        """Release the planes."""
        with self._lock:
            self._closed = True
            for slide in self._open.values():
                slide.close()
            self._open.clear()
