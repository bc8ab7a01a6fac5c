"""Writing a refocused region of any size as a pyramid, finished rows first: nothing as large as the region is kept."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import IO, Any
from uuid import uuid4

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.modes import TARGETS, RefocusRequest, assumption
from focusviewer.refocus.provenance import provenance
from focusviewer.refocus.regions.layout import View
from focusviewer.refocus.regions.planning import make_plan
from focusviewer.refocus.regions.tiffchain import chain_levels
from focusviewer.refocus.regions.tiling import Observer, rendered_rows, stepper
from focusviewer.slides.marks import mark_text

TILE = 512
SMALLEST = 512
"""The last level is the first whose longer side is below this."""

QUALITY = 92


def export_region(
    view: View,
    engine: Refocuser,
    request: RefocusRequest,
    path: Path,
    on_progress: Callable[[float], None] | None,
    cancel: Event | None,
    compression: str = "jpeg",
    observe: Observer | None = None,
) -> dict[str, Any]:
    """Write a refocused region as a pyramidal, tiled OME-TIFF that says how it was made.

    Memory grows with the width of the region, not with its height. The file appears when it is complete.

    Parameters
    ----------
    view : View
    engine : Refocuser
    request : RefocusRequest
    path : Path
        Replaced if it exists: ask before. Its folder is made.
    on_progress : callable or None
        Given the fraction that is done.
    cancel : threading.Event or None
        Looked at before every tile.
    compression : str
        ``jpeg``, or ``deflate``, which keeps every value.
    observe : callable, optional
        As for :func:`~focusviewer.refocus.regions.tiling.refocus_view`.

    Returns
    -------
    dict
        The provenance that is in the file.

    Raises
    ------
    SlideError, UserError
        If the slide cannot be read, the request cannot be fulfilled or the file cannot be written.
    CancelledError
        If ``cancel`` is set; then no file is left behind.
    """
    step = stepper(view, request, on_progress)
    plan = make_plan(view, engine, request, step, cancel)
    z_um = plan.request.z_um
    target: float | FloatMap | str = "all in focus"
    if z_um is not None or plan.request.map_um is not None:
        target = z_um if z_um is not None else plan.request.map_um  # type: ignore[assignment]
    info = view.slide.info
    facts = provenance(engine, info, view.planes, view.planes_um, target, view.mpp, view.box, view.profile)
    if plan.left_out is not None:
        facts["left_out"] = asdict(plan.left_out)
    facts |= {"mode": request.mode, "target": TARGETS.get(request.mode, facts["target"]), "compression": compression}
    facts |= assumption(request.mode, view.planes_um, z_um)
    rows = (pixels for _, pixels in rendered_rows(view, engine, plan, step, cancel, observe))
    output_folder(path.parent)
    with atomic_write(path) as temporary:
        write_pyramid(temporary, rows, view.box[2], view.box[3], view.mpp, facts, compression)
    return facts


def write_pyramid(
    path: Path, rows: Iterator[RGB], width: int, height: int, mpp: float, facts: dict[str, Any], compression: str
) -> None:
    """Write rows of a picture, from the top down, as a pyramidal OME-TIFF.

    Every level is an image of its own for readers of plain TIFF (OpenSlide), and a reduced level of the first for
    readers of OME-TIFF.

    Parameters
    ----------
    rows : iterator of uint8 (h, W, 3)
        Of any heights that add up to ``height``.
    facts : dict
        Goes into the OME-XML, as its description and as map annotation.
    """
    import tifffile

    sizes = level_sizes(width, height)
    options: dict[str, Any] = {"tile": (TILE, TILE), "dtype": np.uint8, "software": str(facts.get("software", ""))}
    if compression == "jpeg":
        options |= {"photometric": "ycbcr", "subsampling": (1, 1), "compression": "jpeg"}
    else:
        options |= {"photometric": "rgb", "compression": "deflate", "predictor": True}
    with ExitStack() as stack:
        levels = [
            _Level(w, h, compression, stack.enter_context(tempfile.TemporaryFile(dir=path.parent))) for w, h in sizes
        ]
        big = width * height * 3 > 2**31
        with tifffile.TiffWriter(path, ome=True, bigtiff=big) as tiff:
            for index, level in enumerate(levels):
                if index == 1:
                    _finish(levels[1:])
                scale = 1e4 / mpp * level.width / width
                tiff.write(
                    _first_level(rows, levels) if index == 0 else level.tiles(),
                    shape=(level.height, level.width, 3),
                    resolution=(scale, scale),
                    resolutionunit="CENTIMETER",
                    **(_described(facts, mpp, len(levels) - 1) if index == 0 else {"subfiletype": 1, "metadata": None}),
                    **options,
                )
    chain_levels(path)


def level_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Sizes of the levels, each half of the one before, until the longer side is below SMALLEST."""
    sizes = [(width, height)]
    while max(sizes[-1]) >= SMALLEST:
        w, h = sizes[-1]
        sizes.append((-(-w // 2), -(-h // 2)))
    return sizes


def _described(facts: dict[str, Any], mpp: float, subifds: int) -> dict[str, Any]:
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    metadata = {
        "axes": "YXS",
        "Name": str(facts.get("source", "")),
        "Description": f"{facts.get('statement', '')}\n{mark_text(facts)}",
        "PhysicalSizeX": mpp,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": mpp,
        "PhysicalSizeYUnit": "µm",
        "MapAnnotation": {"Namespace": "focusviewer.org/provenance", **text},
        "UUID": f"urn:uuid:{uuid4()}",
    }
    return {"metadata": metadata, "subifds": subifds}


def _first_level(rows: Iterator[RGB], levels: list[_Level]) -> Iterator[bytes]:
    """Encoded tiles of the finest level as they are finished; the coarser levels are filled on the way.

    The writer stops asking at the last tile, so everything is done before a tile is given.
    """
    for pixels in rows:
        for band in levels[0].bands(pixels):
            _pass_down(band, levels[1:])
            yield from levels[0].encoded(band)
    rest = levels[0].rest()
    if rest is not None:
        _pass_down(rest, levels[1:])
        yield from levels[0].encoded(rest)


def _finish(levels: list[_Level]) -> None:
    """Put the last rows of every level aside."""
    for index, level in enumerate(levels):
        rest = level.rest()
        if rest is not None:
            level.keep(rest)
            _pass_down(rest, levels[index + 1 :])


def _pass_down(band: RGB, levels: list[_Level]) -> None:
    """Give a band of one level, halved, to the next; and so on."""
    from focusviewer.slides.writer import halve

    if levels:
        for finished in levels[0].bands(halve(band)):
            levels[0].keep(finished)
            _pass_down(finished, levels[1:])


class _Level:
    """One level while it is written: rows that wait for a full row of tiles, and tiles that wait in a file."""

    def __init__(self, width: int, height: int, compression: str, file: IO[bytes]) -> None:
        self.width, self.height = width, height
        self._compression, self._file = compression, file
        self._waiting: list[RGB] = []
        self._lengths: list[int] = []

    def bands(self, pixels: RGB) -> Iterator[RGB]:
        """Take rows; give those that make full rows of tiles."""
        self._waiting.append(pixels)
        if sum(len(part) for part in self._waiting) < TILE:
            return
        rows = np.concatenate(self._waiting)
        full = len(rows) // TILE * TILE
        self._waiting = [rows[full:].copy()]
        for top in range(0, full, TILE):
            yield rows[top : top + TILE]

    def rest(self) -> RGB | None:
        """The last rows, when there are any."""
        rows = np.concatenate(self._waiting) if self._waiting else np.empty((0, self.width, 3), np.uint8)
        self._waiting = []
        return rows if len(rows) else None

    def encoded(self, band: RGB) -> Iterator[bytes]:
        """The tiles of a band."""
        for x in range(0, self.width, TILE):
            yield encode_tile(band[:, x : x + TILE], self._compression)

    def keep(self, band: RGB) -> None:
        """Put the tiles of a band aside."""
        for tile in self.encoded(band):
            self._file.write(tile)
            self._lengths.append(len(tile))

    def tiles(self) -> Iterator[bytes]:
        """The tiles put aside."""
        self._file.seek(0)
        for length in self._lengths:
            yield self._file.read(length)


def encode_tile(pixels: RGB, compression: str) -> bytes:
    """One tile as it stands in the file, uint8 (h, w, 3), filled up to TILE by repeating its border."""
    import imagecodecs

    h, w = pixels.shape[:2]
    if (h, w) != (TILE, TILE):
        pixels = np.pad(pixels, ((0, TILE - h), (0, TILE - w), (0, 0)), mode="edge")
    pixels = np.ascontiguousarray(pixels)
    if compression == "jpeg":
        return bytes(
            imagecodecs.jpeg8_encode(pixels, level=QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="444")
        )
    return bytes(imagecodecs.deflate_encode(imagecodecs.delta_encode(pixels, axis=1).tobytes(), level=6))
