"""Made-up slides, maps and engines, and helpers to look at the window."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.app.services.pixels import from_qimage
from focusviewer.app.window import MainWindow
from focusviewer.core.arrays import RGB
from focusviewer.core.errors import SlideError
from focusviewer.focus.base import FocusMap
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides import Level, Region, Slide, SlideInfo


class FakeSlide(Slide):
    """A slide in memory: smooth colours that tell where one is, brighter from plane to plane."""

    def __init__(
        self,
        name: str = "fake.svs",
        size: tuple[int, int] = (3000, 2000),
        *,
        mpp: float | None = 0.25,
        planes_um: tuple[float, ...] = (0.0,),
        delay: float = 0.0,
        stated_mpp: float | None = None,
    ) -> None:
        width, height = size
        levels = tuple(Level(width // d, height // d, float(d)) for d in (1, 4, 16) if min(size) // d > 20)
        self.info = SlideInfo(
            path=Path("/slides") / name,
            format="fake",
            vendor=None,
            levels=levels,
            stated_mpp=stated_mpp if stated_mpp is not None else mpp,
            mpp=mpp,
            planes_um=planes_um,
            properties={"fake.property": "yes"},
            associated=("label",),
            fingerprint=f"fingerprint of {name}",
        )
        self.delay, self.closed, self.reads = delay, False, 0
        self.bad: Callable[[Region], bool] = lambda region: False

    def read_region(self, region: Region) -> RGB:
        if self.closed:
            raise SlideError(f"{self.name} is closed")
        self.reads += 1
        if self.delay:
            time.sleep(self.delay)
        if self.bad(region):
            raise SlideError("Cannot decode a part", "it is damaged", "Scan it again.")
        return self.pixels(region)

    def pixels(self, region: Region) -> RGB:
        """The truth about a region."""
        level = self.levels[region.level]
        x = region.x + np.arange(region.width) * level.downsample
        y = region.y + np.arange(region.height) * level.downsample
        width, height = self.dimensions
        out = np.empty((region.height, region.width, 3), np.uint8)
        out[..., 0] = np.clip(40 + 160 * x / width, 0, 255)[None]
        out[..., 1] = np.clip(40 + 160 * y / height, 0, 255)[:, None]
        out[..., 2] = (60 + 20 * region.plane) % 256
        return out

    def read_associated(self, name: str) -> RGB:
        return np.full((30, 60, 3), 128, np.uint8)

    def close(self) -> None:
        self.closed = True


class FakeEngine(Refocuser):
    """Brightens by the distance from the plane, so that a test sees what was rendered."""

    name = "fake"

    def __init__(self) -> None:
        self.encodes, self.renders = 0, 0

    def _encode(self, images, mpp, planes_um, focus_maps) -> Encoded:
        self.encodes += 1
        shape = images[0].shape[:2]
        return Encoded(shape, mpp, tuple(planes_um), np.full(shape, 1.5, np.float32), list(images))

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        return replace(encoded, blur_um=np.full(encoded.shape, distance_um, np.float32))

    def _render(self, encoded: Encoded, target_um) -> RGB:
        self.renders += 1
        image = encoded.state[0].astype(np.float32)
        return np.clip(image + 10 * np.mean(target_um), 0, 255).astype(np.uint8)


def fake_map(slide: Slide, *, stride: float = 130.0, window: float = 235.0, plane: int = 0) -> FocusMap:
    """Sharp on the left half, 8 levels off on the right; the top row holds no tissue."""
    width, height = slide.dimensions
    x = np.arange(window / 2, width - window / 2, stride, dtype=np.float32)
    y = np.arange(window / 2, height - window / 2, stride, dtype=np.float32)
    blur = np.where(x[None] < width / 2, 1.0, 8.0) + np.zeros((y.size, 1))
    blur[0] = np.nan
    return FocusMap(blur.astype(np.float32), x, y, "fake", "1", True, window, stride, slide.mpp, plane, 1.0, 0.5)


def picture(window: MainWindow) -> npt.NDArray[np.uint8]:
    """What the viewport shows, without its read-outs."""
    port = window.viewport
    port.minimap.visible = port.scale_bar.visible = False
    return from_qimage(port.grab().toImage())


def run_heatmap(window: MainWindow, qtbot: Any) -> None:
    """Map the slide of a window and wait until the map is shown."""
    window.mapping.run()
    qtbot.waitUntil(lambda: window.heatmap.shown is not None and not window.jobs.running(), timeout=5000)
