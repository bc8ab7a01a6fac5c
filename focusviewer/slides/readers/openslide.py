"""Every format that the OpenSlide library reads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Level, Region, Slide, SlideInfo, UnsureError, pixel_sizes
from focusviewer.slides.files.limits import check_memory
from focusviewer.slides.pixels import over_white, white
from focusviewer.slides.readers.dicom.header import read_header
from focusviewer.slides.readers.dicom.parts import by_uid, parts_of
from focusviewer.slides.readers.numbers import microns, number
from focusviewer.slides.readers.orientation import UPRIGHT, tiff_orientation
from focusviewer.slides.readers.rawfile import fingerprint

_MAX_READ_PX = 16 << 20
_SEVERAL_FILES = ("mirax", "hamamatsu", "dicom")
_FIRST_PAGE_IS_LEVEL_0 = ("generic-tiff", "aperio")
_NAMES = {
    "aperio": "Aperio SVS", "dicom": "DICOM", "generic-tiff": "Tiled TIFF", "hamamatsu": "Hamamatsu",
    "leica": "Leica SCN", "mirax": "MIRAX", "philips-tiff": "Philips TIFF", "sakura": "Sakura", "trestle": "Trestle", 
    "ventana": "Ventana BIF", "zeiss": "Zeiss CZI", "synthetic": "Synthetic",
}  # fmt: skip

# Where vendors state what OpenSlide could not read as a number: it knows decimal commas, but no units and no groups.
_SIDES = ("aperio.MPP", "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL_{axis}", "ventana.ScanRes")
_POWERS = ("aperio.AppMag", "mirax.GENERAL.OBJECTIVE_MAGNIFICATION", "ventana.Magnification", "hamamatsu.SourceLens",
           "leica.objective", "sakura.NominalLensMagnification", "trestle.Objective Power")  # fmt: skip


def supports(path: Path) -> bool:
    """Whether OpenSlide recognises the file."""
    import openslide

    return openslide.OpenSlide.detect_format(str(path)) is not None


class OpenSlideSlide(Slide):
    """A slide read through OpenSlide.

    OpenSlide handles refuse everything after one error, so a bad tile costs the handle: it is opened anew and only
    that read fails.

    Raises
    ------
    SlideError
        If OpenSlide cannot open the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._closed = False
        self._handle = self._open()
        self.info = self._describe()
        _check_tiles(self.info)

    def _open(self) -> Any:
        import openslide

        try:
            return openslide.OpenSlide(str(self._path))
        except openslide.OpenSlideError as error:
            text = str(error).replace(f"{self._path}", self._path.name)
            raise SlideError(
                f"Cannot open {self._path.name}",
                f"OpenSlide says: {text}",
                "If other programs open it, export it anew with one of them; if none does, copy it from its source."
                + self._other_way(),
            ) from error
        except OSError as error:
            raise SlideError(f"Cannot open {self._path.name}", error.strerror or str(error), "") from error

    def _other_way(self) -> str:
        if read_header(self._path) is None or find_spec("wsidicom") is not None:
            return ""
        return " With pip install 'focusviewer[dicom]' more kinds of DICOM are read."

    def _describe(self) -> SlideInfo:
        slide = self._handle
        properties = dict(slide.properties)
        vendor = properties.get("openslide.vendor")
        sizes = pixel_sizes(*(_side_um(properties, axis) for axis in "xy"))
        icc = slide.color_profile
        quick = properties.get("openslide.quickhash-1", "") if vendor in _SEVERAL_FILES else ""
        return SlideInfo(
            path=self._path,
            format=_NAMES.get(vendor or "", vendor or "OpenSlide"),
            vendor=vendor,
            levels=tuple(
                Level(w, h, d) for (w, h), d in zip(slide.level_dimensions, slide.level_downsamples, strict=True)
            ),
            stated_mpp=sizes.stated,
            mpp=sizes.usable,
            stated_mpp_xy=sizes.sides,
            objective_power=_first(number, properties, "openslide.objective-power", *_POWERS),
            properties=properties,
            associated=tuple(sorted(slide.associated_images)),
            icc_profile=icc.tobytes() if icc is not None else None,
            fingerprint=self._fingerprint(vendor, quick),
        )

    def _fingerprint(self, vendor: str | None, quick: str) -> str:
        """The same for every file of a DICOM slide, by whichever it was opened."""
        parts = parts_of(self._path) if vendor == "dicom" else []
        return fingerprint(by_uid(parts)) if len(parts) > 1 else fingerprint(self._path, quick)

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`; corners of coarse levels are rounded to whole pixels."""
        level = self.levels[region.level]
        x, y = (int(np.floor(v / level.downsample + 0.5)) for v in (region.x, region.y))
        out = white(region.height, region.width)
        # OpenSlide paints up to a pixel off when the corner lies outside, so it is asked for the inside only.
        x0, x1 = max(x, 0), min(x + region.width, level.width)
        y0, y1 = max(y, 0), min(y + region.height, level.height)
        rows = max(1, _MAX_READ_PX // max(x1 - x0, 1))  # bounds the memory of one read
        for top in range(y0, y1 if x1 > x0 else y0, rows):
            bottom = min(top + rows, y1)
            corner = round(x0 * level.downsample), round(top * level.downsample)
            out[top - y : bottom - y, x0 - x : x1 - x] = self._read(corner, region.level, (x1 - x0, bottom - top))
        return out

    def _read(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> RGB:
        import openslide

        handle = self._usable()
        try:
            pixels = np.asarray(handle.read_region(location, level, size))
        except (openslide.OpenSlideError, ValueError, OSError):
            self._reopen(handle)
            # The handle may have failed on another thread's bad tile, so the read is repeated with a new handle.
            own = self._open()
            try:
                pixels = np.asarray(own.read_region(location, level, size))
            except (openslide.OpenSlideError, ValueError, OSError) as error:
                raise SlideError(
                    f"Cannot read part of {self.name}",
                    f"OpenSlide says: {error}",
                    "The file is probably damaged there; other parts stay usable.",
                ) from error
            finally:
                own.close()
        return over_white(pixels[..., :3], pixels[..., 3], "straight")

    def _usable(self) -> Any:
        handle = self._handle
        if self._closed or handle is None:
            raise SlideError(f"Cannot read {self.name}", "the slide has been closed")
        return handle

    def _reopen(self, dead: Any) -> None:
        """Replace a handle that met an error; the old one closes when its last reader lets go of it."""
        with self._lock:
            if self._handle is dead and not self._closed:
                self._handle = self._open()

    def read_associated(self, name: str) -> RGB:
        """See :meth:`Slide.read_associated`."""
        import openslide

        handle = self._usable()
        if name not in self.info.associated:
            raise KeyError(name)
        try:
            pixels = np.asarray(handle.associated_images[name])
        except openslide.OpenSlideError as error:
            self._reopen(handle)
            raise SlideError(f"Cannot read the {name} image of {self.name}", str(error)) from error
        return over_white(pixels[..., :3], pixels[..., 3], "straight")

    def close(self) -> None:
        """Release the file once the running reads have ended."""
        with self._lock:
            self._closed = True
            # Closing under a running read would crash; without our reference the last reader closes it.
            self._handle = None


def _side_um(properties: Mapping[str, str], axis: str) -> float | None:
    """A side of a pixel in um: as OpenSlide has it, else as the vendor writes it."""
    return _first(microns, properties, f"openslide.mpp-{axis}", *(name.format(axis=axis.upper()) for name in _SIDES))


def _first(read: Callable[[str | None], float | None], properties: Mapping[str, str], *names: str) -> float | None:
    values = (read(properties.get(name)) for name in names)
    return next((value for value in values if value is not None), None)


def open_slide_file(path: Path) -> Slide:
    """Open a file with OpenSlide.

    Raises
    ------
    SlideError
        If OpenSlide cannot open it, or its tiles are too large for memory.
    UnsureError
        If OpenSlide would show it wrongly.
    """
    slide = OpenSlideSlide(path)
    if slide.info.vendor in _FIRST_PAGE_IS_LEVEL_0 and (turn := tiff_orientation(path)) != UPRIGHT:
        slide.close()  # it would turn each tile in its place, and not the picture
        raise UnsureError(f"its pixels are stored turned, with orientation {turn}")
    return slide


def _check_tiles(info: SlideInfo) -> None:
    """Refuse tiles for which OpenSlide could not get memory: it would end the process (4 bytes a pixel)."""
    for level in range(len(info.levels)):
        width, height = (
            int(number(info.properties.get(f"openslide.level[{level}].tile-{side}")) or 0)
            for side in ("width", "height")
        )
        check_memory(info.path.name, f"a tile of {width:,} x {height:,} pixels", width * height * 8)
