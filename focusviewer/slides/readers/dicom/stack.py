"""DICOM slides that OpenSlide does not read, through wsidicom (the extra ``dicom``): those with focal planes first."""

from __future__ import annotations

import logging
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.slides.base import Level, Region, Slide, SlideInfo, UnsureError, pixel_sizes
from focusviewer.slides.files.limits import MAX_PLANES, check_limit
from focusviewer.slides.pixels import white
from focusviewer.slides.readers.dicom.header import read_header
from focusviewer.slides.readers.dicom.parts import by_uid, has_several_planes, no_extra, parts_of, refuse_others
from focusviewer.slides.readers.rawfile import fingerprint
from focusviewer.slides.readers.tiff.ome_pages import missing_remark
from focusviewer.slides.readers.tiff.planes import held_planes

# Remarks about odd values would reach the terminal; errors are told in our own words.
warnings.filterwarnings("ignore", module=r"(pydicom|wsidicom)\.")

_MAX_READ_PX = 16 << 20
_SIDES = {"label": "labels", "macro": "overviews"}
_PROPERTIES = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "ContainerIdentifier", "StudyInstanceUID",
               "SeriesInstanceUID", "FocusMethod", "ExtendedDepthOfField", "AcquisitionDateTime")  # fmt: skip


class DicomSlide(Slide):
    """A DICOM slide read by wsidicom.

    Parameters
    ----------
    path : Path
        What was opened.
    parts : list of Path
        The files of the slide.

    Raises
    ------
    SlideError
        If wsidicom cannot read it.
    """

    def __init__(self, path: Path, parts: list[Path]) -> None:
        import wsidicom

        logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # remarks on odd values would reach the terminal
        logging.getLogger("wsidicom").setLevel(logging.CRITICAL)
        self._path, self._lock, self._closed = path, threading.Lock(), False
        try:
            self._file = wsidicom.WsiDicom.open(parts)
        except Exception as error:  # damaged files upset the parser in any way
            raise SlideError(
                f"Cannot open {path.name}", f"wsidicom says: {_one_line(error)}", "Copy it again from its source."
            ) from error
        try:
            self.info = self._describe(parts)
        except BaseException:
            self._file.close()
            raise

    def _describe(self, parts: list[Path]) -> SlideInfo:
        base = self._file.levels.base_level
        stated = sorted(base.focal_planes)
        check_limit(self._path.name, "it states {} focal planes", len(stated), MAX_PLANES)
        # A level without all planes is made from the finer ones.
        self._levels = [level for level in self._file.levels if sorted(level.focal_planes) == stated]
        self._z = stated
        announced = max((header.focal_planes for path in parts if (header := read_header(path))), default=1)
        plan = held_planes(stated if len(stated) > 1 else None, [True] * len(stated))
        missing = max(0, announced - len(stated))
        sizes = pixel_sizes(base.mpp.width, base.mpp.height)
        data = _attributes(parts[0])
        path = next(iter(getattr(data, "OpticalPathSequence", None) or []), None)
        icc = getattr(path, "ICCProfile", None)
        power = getattr(path, "ObjectiveLensPower", None)
        found = {f"dicom.{name}": str(getattr(data, name, "") or "") for name in _PROPERTIES}
        return SlideInfo(
            path=self._path,
            format="DICOM",
            vendor="dicom",
            levels=tuple(
                Level(
                    level.size.width,
                    level.size.height,
                    (base.size.width / level.size.width + base.size.height / level.size.height) / 2,
                )
                for level in self._levels
            ),
            stated_mpp=sizes.stated,
            mpp=sizes.usable,
            stated_mpp_xy=sizes.sides,
            objective_power=float(power) if power else None,
            planes_um=plan.positions,
            z_step_known=plan.known,
            missing_planes=missing,
            remarks=(missing_remark(announced, len(stated), "the file announces them and does not hold them"),)
            if missing
            else (),
            properties={name: text for name, text in found.items() if text},
            associated=tuple(name for name, images in _SIDES.items() if len(getattr(self._file, images) or ())),
            icc_profile=icc if isinstance(icc, bytes) else None,
            fingerprint=fingerprint(by_uid(parts)),
        )

    def read_region(self, region: Region) -> RGB:
        """See :meth:`Slide.read_region`; corners of coarse levels are rounded to whole pixels."""
        level, z = self.levels[region.level], self._z[region.plane]
        x, y = (int(np.floor(v / level.downsample + 0.5)) for v in (region.x, region.y))
        out = white(region.height, region.width)
        x0, x1 = max(x, 0), min(x + region.width, level.width)
        y0, y1 = max(y, 0), min(y + region.height, level.height)
        rows = max(1, _MAX_READ_PX // max(x1 - x0, 1))  # bounds the memory of one read
        for top in range(y0, y1 if x1 > x0 else y0, rows):
            bottom = min(top + rows, y1)
            out[top - y : bottom - y, x0 - x : x1 - x] = self._read(
                self._levels[region.level].level, (x0, top), (x1 - x0, bottom - top), z
            )
        return out

    def _read(self, level: int, location: tuple[int, int], size: tuple[int, int], z: float) -> RGB:
        self._check_open()
        try:
            return _rgb(self._file.read_region(location, level, size, z=z, as_array=True))
        except SlideError:
            raise
        except Exception as error:  # codecs raise many kinds
            self._check_open()
            raise SlideError(
                f"Cannot read part of {self.name}",
                f"wsidicom says: {_one_line(error)}",
                "The file is probably damaged there; other parts stay usable.",
            ) from error

    def _check_open(self) -> None:
        if self._closed:
            raise SlideError(f"Cannot read {self.name}", "the slide has been closed")

    def read_associated(self, name: str) -> RGB:
        """See :meth:`Slide.read_associated`."""
        self._check_open()
        if name not in self.info.associated:
            raise KeyError(name)
        try:
            read = self._file.read_label if name == "label" else self._file.read_overview
            return _rgb(read(as_array=True))
        except Exception as error:
            raise SlideError(f"Cannot read the {name} image of {self.name}", _one_line(error)) from error

    def close(self) -> None:
        """Release the files."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._file.close()


def _attributes(path: Path) -> Any:
    """What a file says of slide and scanner, as a ``pydicom.Dataset``."""
    import pydicom

    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_PROPERTIES, "OpticalPathSequence"])


def _rgb(pixels: Any) -> RGB:
    array = np.asarray(pixels)
    if array.dtype != np.uint8:
        raise SlideError("Cannot read these pixels", f"their samples have {8 * array.itemsize} bits; 8 are read")
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def open_dicom_stack(path: Path) -> Slide:
    """Open a DICOM slide that has several focal planes.

    Raises
    ------
    UnsureError
        For slides of one plane, which OpenSlide reads faster.
    SlideError
        If it is no slide, or the library for focal planes is not installed.
    """
    refuse_others(path)
    parts = parts_of(path)
    if not has_several_planes(parts):
        raise UnsureError("one focal plane")
    slide = _opened(path, parts)
    if slide is None:
        raise no_extra(path)
    if len(slide.planes_um) == 1 and not slide.info.missing_planes:
        slide.close()
        raise UnsureError("one focal plane")
    return slide


def open_dicom(path: Path) -> Slide:
    """Open a DICOM slide that OpenSlide has refused.

    Raises
    ------
    UnsureError
        If the library for it is not installed.
    SlideError
        If wsidicom cannot read it either.
    """
    slide = _opened(path, parts_of(path))
    if slide is None:
        raise UnsureError("wsidicom is not installed")
    return slide


def _opened(path: Path, parts: list[Path]) -> DicomSlide | None:
    try:
        import wsidicom  # noqa: F401
    except ImportError:
        return None
    slide = DicomSlide(path, parts)
    try:
        slide.read_region(Region(len(slide.levels) - 1, 0, 0, 8, 8))  # kinds of pixels that are not read are told now
    except BaseException:
        slide.close()
        raise
    return slide
