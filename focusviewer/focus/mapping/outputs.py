"""The files of a focus map: numbers, picture, regions and summary."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.files import atomic_write, output_folder
from focusviewer.core.json_text import write_json
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.colour import colorize
from focusviewer.focus.mapping.geojson import to_geojson
from focusviewer.focus.mapping.store import save_map

PICTURE_PX = 1200
"""Longest side of map.png, about."""


def write_map(folder: Path, focus_map: FocusMap, document: Mapping[str, Any], *, picture_px: int = PICTURE_PX) -> None:
    """Write a map's four files into a folder, which is made; each appears whole or not at all.

    They are ``map.npz`` (numbers), ``map.png`` (picture), ``map.geojson`` (blurred regions) and ``summary.json``.

    Parameters
    ----------
    document : mapping
        For ``summary.json``. Its ``threshold`` is the score from which regions are blurred; where it is None none is.
    picture_px : int
        Longest side of the picture, about.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    output_folder(folder)
    save_map(focus_map, folder / "map.npz")
    write_picture(folder / "map.png", map_picture(focus_map, picture_px))
    threshold = document["threshold"]
    write_json(folder / "map.geojson", to_geojson(focus_map, math.inf if threshold is None else threshold))
    write_json(folder / "summary.json", document)


def map_picture(focus_map: FocusMap, longest_px: int = PICTURE_PX) -> npt.NDArray[np.uint8]:
    """The map in colour, a whole number of pixels a window.

    The colours are those of fixed microns where scores have a scale, of the slide's own range elsewhere.

    Returns
    -------
    uint8 (H, W, 4)
        RGBA, transparent where the map has no value.
    """
    colours = colorize(focus_map, "absolute" if focus_map.absolute else "normalised")
    zoom = max(1, longest_px // max(colours.shape[:2]))
    return np.kron(colours, np.ones((zoom, zoom, 1), np.uint8))


def write_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write an image, uint8 (H, W, 3) or (H, W, 4), as PNG, whole or not at all.

    It is on the disk when this returns: a disk that is full says so now, not when the program has ended.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    from PIL import Image

    with atomic_write(path) as temporary, temporary.open("wb") as file:
        Image.fromarray(pixels).save(file, format="PNG")
        file.flush()
        os.fsync(file.fileno())
