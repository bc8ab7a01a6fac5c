"""A folder of images that are the focal planes of one stack."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cachetools import LRUCache

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Region, Slide
from focusviewer.slides.files.suffixes import PICTURE_SUFFIXES, TIFF_SUFFIXES
from focusviewer.slides.readers.pictures import PictureSlide, decode_picture, picture_header, ranged
from focusviewer.slides.readers.plane_names import PlaneSeries, brief, gaps, plane_series
from focusviewer.slides.readers.rawfile import fingerprint
from focusviewer.slides.readers.tiff.ome_pages import missing_remark
from focusviewer.slides.readers.tiff.planes import held_planes

_KEPT_BYTES = 768 << 20


def image_files(folder: Path) -> list[Path]:
    """Image files of a folder, hidden ones left out, by name."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".") and p.is_file()
    )


def plane_files(folder: Path) -> list[Path]:
    """The plane images of a folder, in order; see :mod:`plane_names`.

    Raises
    ------
    SlideError
        If the folder holds no images, none with a number, more than one stack, or names that allow several orders.
    """
    return _series(folder).files


def _series(folder: Path) -> PlaneSeries:
    images = image_files(folder)
    if not images:
        raise SlideError(f"Cannot open {folder.name}", "the folder holds no images", "Choose a folder of plane images.")
    return plane_series(folder, images)


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
        self._folder = folder
        series = _series(folder)
        self._files = series.files
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
        lacking = gaps(series.ranks) if series.z_um is None else []
        plan = held_planes(series.z_um, [rank not in lacking for rank in range(len(self._files) + len(lacking))])
        self.info = replace(
            first,
            path=folder,
            format=f"folder of {first.format} planes",
            planes_um=plan.positions,
            z_step_known=plan.known,
            missing_planes=len(lacking),
            missing_um=plan.missing,
            remarks=_remarks(series, lacking),
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
        if self._deep is not None or path.suffix.lower() not in TIFF_SUFFIXES:
            return PictureSlide(path, self._deep)
        slide = self._open_plane(path)
        if len(slide.planes_um) > 1:
            slide.close()
            raise SlideError(
                f"Cannot open {self._folder.name} as a focal stack",
                f"{path.name} holds {len(slide.planes_um)} planes itself",
                "Open its files one by one.",
            )
        return slide

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


def _remarks(series: PlaneSeries, lacking: list[int]) -> tuple[str, ...]:
    remarks = []
    if series.left_out:
        remarks.append(f"left out, for their names are not of the series: {brief(series.left_out)}")
    if lacking:
        announced = len(series.files) + len(lacking)
        remarks.append(missing_remark(announced, len(series.files), "the numbers in the names skip them"))
    return tuple(remarks)
