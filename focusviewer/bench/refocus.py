"""Refocusing a 1024 x 768 view: encoding it once, and one step of the slider; the two engines side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focusviewer.bench.table import Benchmark, Result, median_ms
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides import Region, open_slide

if TYPE_CHECKING:
    from focusviewer.core.arrays import RGB

VIEW = (1024, 768)
STEP_BUDGET_MS = 150.0
PATCH_PX = 512
PUBLISHED_PATCH_PX = 240
PUBLISHED_SIZE = "seed"
"""Key of the sizes of the radiance network: the published one. It takes minutes for a view, so a small patch is
timed."""

PUBLISHED_SPEEDUP = 50
"""Times that fast shall be faster than the network of that size, for each pixel."""


def measure_refocus(path: Path) -> Iterable[Result]:
    """Milliseconds of ``encode``, of ``render`` for one target and for a target map, single plane."""
    from focusviewer.refocus import DEFAULT_ENGINE, get_engine

    engine = get_engine(DEFAULT_ENGINE)
    with open_slide(path) as slide:
        width, height = slide.dimensions
        view = Region(0, max(0, (width - VIEW[0]) // 2), max(0, (height - VIEW[1]) // 2), *VIEW)
        pixels, mpp = slide.read_region(view), slide.mpp or 0.25
    encode_ms = median_ms(lambda: engine.encode([pixels], mpp), 3)
    encoded = engine.encode([pixels], mpp)
    # A new target every time, so that nothing an engine may remember of a target helps it.
    targets = iter(0.3 + 0.01 * step for step in range(100))
    step_ms = median_ms(lambda: engine.render(encoded, next(targets)), 7)
    follow_ms = median_ms(lambda: engine.render(encoded, engine.all_in_focus_target(encoded)), 3)
    return [
        Result("refocus-encode", encode_ms, "ms"),
        Result("refocus-step", step_ms, "ms", STEP_BUDGET_MS, "budget"),
        Result("refocus-all-in-focus", follow_ms, "ms"),
    ]


def measure_radiance(path: Path) -> Iterable[Result]:
    """Milliseconds per megapixel of radiance against fast, on the same pixels in the same run, single plane.

    Radiance comes in two sizes: the slim one that is shipped, and the published one with random weights, on which its
    time does not depend. Wang 2024 gives 0.52 s for 512 x 512 on an RTX 3090, 1984 ms per megapixel, for encoding and
    rendering together.

    Raises
    ------
    UserError
        If the weights of radiance are missing.
    """
    from focusviewer.refocus import get_engine

    slim, fast = get_engine("radiance"), get_engine("fast")
    pixels, mpp = _middle(path, PATCH_PX)
    reference = _per_megapixel(fast, pixels, mpp, 3)
    yield from _against_fast("radiance", _per_megapixel(slim, pixels, mpp, 3), reference, "fast")
    with tempfile.TemporaryDirectory() as folder:
        seed = _untrained(Path(folder) / "seed.safetensors")
        small = np.ascontiguousarray(pixels[:PUBLISHED_PATCH_PX, :PUBLISHED_PATCH_PX])
        times = _per_megapixel(seed, small, mpp, 1)
    note = f"fast (full size, untrained, timing only; target {PUBLISHED_SPEEDUP} or more)"
    yield from _against_fast("radiance-full", times, reference, note)


def _middle(path: Path, side_px: int) -> tuple[RGB, float]:
    """The middle of a slide, and its pixel size in um."""
    with open_slide(path) as slide:
        width, height = slide.dimensions
        side = min(side_px, width, height)
        patch = Region(0, (width - side) // 2, (height - side) // 2, side, side)
        return slide.read_region(patch), slide.mpp or 0.25


def _untrained(weights: Path) -> Refocuser:
    """The radiance engine in the published size; it is untrained, so its pictures mean nothing."""
    from focusviewer.refocus.radiance.engine import RadianceRefocuser
    from focusviewer.refocus.radiance.network import SIZES, RadianceNet, save_radiance

    save_radiance(RadianceNet(SIZES[PUBLISHED_SIZE]), weights)
    engine = RadianceRefocuser(weights)
    engine.parameters()  # loads the weights
    return engine


def _per_megapixel(engine: Refocuser, pixels: RGB, mpp: float, repeats: int) -> tuple[float, float]:
    """Milliseconds per megapixel to encode pixels, and to render one target."""
    # The depth of the tissue is given, so that radiance does not ask the fast engine for it.
    depth = [np.full(pixels.shape[:2], 1.5, np.float32)]
    megapixels = depth[0].size / 1e6
    encoded = engine.encode([pixels], mpp, focus_maps=depth)
    targets = iter(0.8 + 0.01 * step for step in range(100))
    encode_ms = median_ms(partial(engine.encode, [pixels], mpp, focus_maps=depth), repeats, warm_up=False)
    step_ms = median_ms(partial(_step, engine, encoded, targets), repeats)
    return encode_ms / megapixels, step_ms / megapixels


def _against_fast(name: str, times: tuple[float, float], reference: tuple[float, float], note: str) -> Iterator[Result]:
    (encode, step), (fast_encode, fast_step) = times, reference
    yield Result(f"{name}-encode", encode, "ms/Mpx", fast_encode, note)
    yield Result(f"{name}-step", step, "ms/Mpx", fast_step, note)
    yield Result(f"{name}-picture", encode + step, "ms/Mpx", fast_encode + fast_step, note)


def _step(engine: Refocuser, encoded: Encoded, targets: Iterator[float]) -> None:
    engine.render(encoded, next(targets))


BENCHMARKS = (
    Benchmark("refocus", "encode and slider step on a 1024 x 768 view", measure_refocus),
    Benchmark(
        "radiance",
        "the radiance engine, as shipped and in full size, against the fast one, per megapixel",
        measure_radiance,
    ),
)
