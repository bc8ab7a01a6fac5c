"""Pictures of a judged slide for reports: its thumbnail, plain and under its focus map, small enough for hundreds."""

from __future__ import annotations

import io
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.colour import colorize
from focusviewer.focus.mapping.store import load_map

SIDE_PX, LEAST_SIDE_PX = 360, 96
ICON_PX = 72
OVERLAY = 0.55
"""How much of the map covers the thumbnail."""


@dataclass(frozen=True)
class SlidePicture:
    """JPEG pictures: two of ``width`` x ``height`` px, and the covered one as a small icon.

    ``slide_px`` is the slide's size in level-0 pixels.
    """

    plain: bytes
    overlay: bytes
    icon: bytes
    width: int
    height: int
    slide_px: tuple[float, float]

    @property
    def nbytes(self) -> int:
        """Of all of them."""
        return len(self.plain) + len(self.overlay) + len(self.icon)


def data_uri(jpeg: bytes) -> str:
    """A JPEG picture as text that a page can hold."""
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def slide_size(folder: Path) -> tuple[float, float] | None:
    """Width and height of a judged slide in level-0 pixels, from the map in its folder; None without one."""
    try:
        return size_of(load_map(folder / "map.npz"))
    except UserError:
        return None


def size_of(focus_map: FocusMap) -> tuple[float, float]:
    """Size of the slide under a whole-slide map: its windows overhang both sides equally."""
    return float(focus_map.x[0] + focus_map.x[-1]), float(focus_map.y[0] + focus_map.y[-1])


def slide_picture(folder: Path, most_bytes: int) -> SlidePicture | None:
    """Pictures from a slide's folder, as large as ``most_bytes`` in all allow; None when it lacks the files."""
    from PIL import Image

    try:
        focus_map = load_map(folder / "map.npz")
        with Image.open(folder / "thumbnail.png") as file:
            thumbnail = file.convert("RGB")
    except (UserError, OSError, ValueError, SyntaxError):  # Pillow's ways to say that a file is damaged
        return None
    side = SIDE_PX
    while True:
        thumbnail.thumbnail((side, side), Image.Resampling.BILINEAR)
        covered = Image.fromarray(overlay(np.asarray(thumbnail), focus_map))
        plain, over = _jpeg(thumbnail), _jpeg(covered)
        covered.thumbnail((ICON_PX, ICON_PX))
        picture = SlidePicture(plain, over, _jpeg(covered), *thumbnail.size, size_of(focus_map))
        if picture.nbytes <= most_bytes or side <= LEAST_SIDE_PX:
            return picture
        # Bytes grow about with the area.
        side = max(LEAST_SIDE_PX, int(side * min(0.9, 0.95 * (most_bytes / picture.nbytes) ** 0.5)))


def overlay(thumbnail: RGB, focus_map: FocusMap) -> RGB:
    """A thumbnail of the whole slide under the colours of its map."""
    from PIL import Image

    height, width = thumbnail.shape[:2]
    slide_width, slide_height = size_of(focus_map)
    colours = colorize(focus_map, "absolute" if focus_map.absolute else "normalised")
    half = focus_map.stride_px / 2
    # From thumbnail pixels to cells of the map: Pillow wants the way back.
    to_slide = slide_width / width, slide_height / height
    left, top = float(focus_map.x[0]) - half, float(focus_map.y[0]) - half
    back: Any = (
        to_slide[0] / focus_map.stride_px, 0.0, -left / focus_map.stride_px,
        0.0, to_slide[1] / focus_map.stride_px, -top / focus_map.stride_px,
    )  # fmt: skip
    layer = np.asarray(Image.fromarray(colours).transform((width, height), Image.Transform.AFFINE, back), np.float32)
    part = layer[..., 3:] / 255 * OVERLAY
    return np.asarray(np.rint(thumbnail * (1 - part) + layer[..., :3] * part), np.uint8)


def _jpeg(image: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=72)
    return stream.getvalue()
