"""Pictures of an engine's results, pixel for pixel: invented specks or rings show in pictures, not in figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.files import output_folder
from focusviewer.evaluation.suites.refocus.real_planes import plane_distance_um
from focusviewer.evaluation.suites.refocus.real_tissue import best_textbook, compared
from focusviewer.evaluation.suites.refocus.traverse import NEIGHBOURS, ONE, STEP, TWO, Sweep
from focusviewer.evaluation.suites.refocus.uneven import Uneven
from focusviewer.evaluation.test_sets.ground_truth_stacks import LEVELS, GroundTruthStack
from focusviewer.evaluation.test_sets.real_stacks import ASSUMED_MPP, RealStack
from focusviewer.evaluation.test_sets.real_tissue import RealPair
from focusviewer.metrics import psnr
from focusviewer.refocus.base import Refocuser
from focusviewer.slides.marks import STATEMENT
from focusviewer.slides.marks.picture_file import write_picture

if TYPE_CHECKING:
    from focusviewer.evaluation.suites.bench import Bench

Tell = Callable[[str], None]

REAL_PX = 256
STRIP_PX = 160
TISSUE_ROWS = 4
OFFSETS = (-8, -4, -2, 2, 4, 8)
"""Planes of real stacks that are shown, counted from the best one."""

GAP_PX = 4
CAPTION_PX = 16


def write_pictures(engine: Refocuser, bench: Bench, folder: Path, tell: Tell = lambda text: None) -> list[Path]:
    """Show an engine on real stacks, turning its focus, on an uneven section, and what its network attends to.

    Returns
    -------
    The files, PNG: ``real-<stack>``, ``between-<stack>``, ``tissue-<set>``, ``traverse``, ``levels``, ``uneven``, and
    ``attention`` and ``first-layer`` of an engine with a depth representation.
    """
    from focusviewer.evaluation.suites.refocus.bench import RefocusBench

    work = RefocusBench(bench.fields, bench.stacks, bench.data, bench.quick)
    output_folder(folder)
    made: list[Path] = []
    for stack in bench.stacks:
        tell(f"{engine.name}: {stack.name}")
        made += _attempted(folder / f"real-{stack.name}.png", partial(real_sheet, engine, stack))
        if stack.best is not None:
            made += _attempted(folder / f"between-{stack.name}.png", partial(between_sheet, engine, stack))
    for tissue in dict.fromkeys(pair.tissue for pair in work.pairs):
        tell(f"{engine.name}: {tissue}")
        pairs = [pair for pair in work.pairs if pair.tissue == tissue][:TISSUE_ROWS]
        made += _attempted(folder / f"tissue-{tissue}.png", partial(tissue_sheet, engine, pairs))
    tell(f"{engine.name}: turning focus")
    true = work.ground_truth_stacks[-1]
    made += _attempted(folder / "traverse.png", lambda: traverse_sheet(engine, true))
    made += _attempted(folder / "levels.png", lambda: levels_sheet(engine, true))
    made += _attempted(folder / "uneven.png", lambda: uneven_sheet(engine, work.sections[:2]))
    made += _insights(engine, true, folder)
    return made


def _attempted(path: Path, draw: Callable[[], RGB]) -> list[Path]:
    """Write a picture; an engine that cannot do what it shows (too many planes, say) has none."""
    from focusviewer.core.errors import UserError

    try:
        pixels = draw()
    except UserError:
        return []
    _save(path, pixels)
    return [path]


def _save(path: Path, pixels: RGB) -> None:
    write_picture(path, pixels, "an engine on known planes", {"statement": STATEMENT, "synthesised": True}, None)


def real_sheet(engine: Refocuser, stack: RealStack) -> RGB:
    """Rows of a plane, the same refocused blind and by its distance, and the truth.

    The truth is the best plane, or the picture sharp everywhere, for which there is no distance.
    """
    y, x = _corner(stack.planes.shape[1:3])
    crop = slice(y, y + REAL_PX), slice(x, x + REAL_PX)
    best = sum(stack.best) // 2 if stack.best is not None else len(stack.planes) // 2
    truth = stack.all_in_focus if stack.all_in_focus is not None else stack.planes[best]
    shown = truth[crop]
    step = (
        plane_distance_um([np.ascontiguousarray(plane[crop]) for plane in stack.planes], best) if stack.best else None
    )
    rows = []
    for plane in _shown_planes(len(stack.planes), best):
        scan = np.ascontiguousarray(stack.planes[plane])
        near = _with_context(scan, y, x, engine.halo_px)
        encoded = engine.encode([near[0]], ASSUMED_MPP)
        images = {f"plane {plane}": scan[crop]}
        images["blind"] = engine.render(encoded, engine.all_in_focus_target(encoded))[near[1]]
        if step is not None:
            target = min(abs(plane - best) * step, engine.max_z_um)
            images[f"at {target:.1f} um"] = engine.render(encoded, target)[near[1]]
        captions = [f"{name}: {psnr(image, shown):.2f} dB" for name, image in images.items()]
        rows.append(_row([*images.values(), shown], [*captions, "truth"]))
    return _column(rows)


def tissue_sheet(engine: Refocuser, pairs: Sequence[RealPair]) -> RGB:
    """Rows of a scan that is out of focus, the same refocused blind, the best textbook filter, and the sharp plane."""
    rows = []
    for pair in pairs:
        encoded = engine.encode([pair.blurred], ASSUMED_MPP)
        images = {
            pair.case: pair.blurred,
            engine.name: engine.render(encoded, engine.all_in_focus_target(encoded)),
            "best filter": best_textbook(pair),
        }
        y, x = _corner(pair.sharp.shape[:2])
        crop = slice(y, y + REAL_PX), slice(x, x + REAL_PX)
        figures = {name: compared(image, pair.sharp) for name, image in images.items()}
        captions = [f"{name}: {found['psnr']:.2f} dB, {found['ssim']:.3f}" for name, found in figures.items()]
        rows.append(_row([*(image[crop] for image in images.values()), pair.sharp[crop]], [*captions, "sharp plane"]))
    return _column(rows)


def between_sheet(engine: Refocuser, stack: RealStack) -> RGB:
    """The plane between its neighbours one and two away: the two, their middle by the engine, the truth."""
    assert stack.best is not None
    best = sum(stack.best) // 2
    y, x = _corner(stack.planes.shape[1:3])
    crops = [np.ascontiguousarray(plane[y : y + REAL_PX, x : x + REAL_PX]) for plane in stack.planes]
    step, rows = plane_distance_um(crops, best), []
    for gap in (1, 2):
        pair = [crops[best - gap], crops[best + gap]]
        made = engine.render(engine.encode(pair, ASSUMED_MPP, (0.0, 2 * gap * step)), gap * step)
        captions = [f"plane {best - gap}", f"{engine.name}: {psnr(made, crops[best]):.2f} dB", f"plane {best}: truth"]
        rows.append(_row([pair[0], made, crops[best], pair[1]], [*captions, f"plane {best + gap}"]))
    return _column(rows)


def _corner(size: Sequence[int]) -> tuple[int, int]:
    height, width = size
    return max(0, (height - REAL_PX) // 2), max(0, (width - REAL_PX) // 2)


def _with_context(image: RGB, y: int, x: int, halo: int) -> tuple[RGB, tuple[slice, slice]]:
    """A crop with context around it, and where the crop lies in it."""
    top, left = max(0, y - halo), max(0, x - halo)
    near = np.ascontiguousarray(image[top : y + REAL_PX + halo, left : x + REAL_PX + halo])
    return near, (slice(y - top, y - top + REAL_PX), slice(x - left, x - left + REAL_PX))


def _shown_planes(count: int, best: int) -> list[int]:
    return [best + offset for offset in OFFSETS if 0 <= best + offset < count]


def traverse_sheet(engine: Refocuser, stack: GroundTruthStack) -> RGB:
    """All levels, two rows for each: the engine's, and the truth (figures 5.6 and 5.7)."""
    levels = [float(level) for level in range(1, LEVELS + 1)]
    rows = []
    for sweep in (TWO, ONE):
        made = _swept(engine, stack, sweep, levels)
        words = "from " + " and ".join(str(level) for level in sweep.inputs)
        rows.append(_row([_middle(image) for image in made], [f"{level:g} {words}" for level in levels]))
        truths = [_middle(stack.truth(level)) for level in levels]
        rows.append(_row(truths, [f"{level:g} truth" for level in levels]))
    return _column(rows)


def levels_sheet(engine: Refocuser, stack: GroundTruthStack) -> RGB:
    """Levels 9 to 10 by fifths: the engine's and the truth."""
    levels = [float(NEIGHBOURS.inputs[0]), *NEIGHBOURS.levels(STEP), float(NEIGHBOURS.inputs[1])]
    made, truths = _swept(engine, stack, NEIGHBOURS, levels), [stack.truth(level) for level in levels]
    captions = [
        f"{level:g}: {psnr(image, truth):.2f} dB" for level, image, truth in zip(levels, made, truths, strict=True)
    ]
    return _column([_row(made, captions), _row(truths, [f"{level:g} truth" for level in levels])])


def _swept(engine: Refocuser, stack: GroundTruthStack, sweep: Sweep, levels: Sequence[float]) -> list[RGB]:
    mirrored = len(sweep.inputs) == 1 and sweep.inputs[0] > stack.best
    planes = sorted(sweep.inputs, key=lambda level: stack.z_um(level, mirrored))
    images = [stack.recorded(level) for level in planes]
    encoded = engine.encode(images, stack.mpp, [stack.z_um(level, mirrored) for level in planes])
    return [engine.render(encoded, stack.z_um(level, mirrored)) for level in levels]


def _middle(image: RGB) -> RGB:
    y, x = (max(0, (side - STRIP_PX) // 2) for side in image.shape[:2])
    return image[y : y + STRIP_PX, x : x + STRIP_PX]


def uneven_sheet(engine: Refocuser, sections: Sequence[Uneven]) -> RGB:
    """Uneven sections as scanned, made all in focus with the true depth and with the engine's own, and the truth."""
    from focusviewer.optics import Optics

    rows = []
    for section in sections:
        scan = section.scan(0.0, Optics(na=0.7), np.random.default_rng(8))
        encoded = engine.encode([scan], ASSUMED_MPP)
        own = engine.all_in_focus_target(encoded)
        images = [scan, engine.render(encoded, section.depth_um), engine.render(encoded, own), section.truth]
        names = (f"{section.kind}, as scanned", "true depth", "own depth", "truth")
        values = [f"{name}: {psnr(image, section.truth):.2f} dB" for name, image in zip(names, images, strict=True)]
        rows += [_row([image], [caption]) for image, caption in zip(images, values, strict=True)]
        rows.append(_row([_shade(section.depth_um), _shade(own)], ["depth 0 to 4 um", "own"]))
    return _column(rows)


def _shade(depth_um: FloatMap) -> RGB:
    gray = np.clip(depth_um / 4.0 * 255, 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2)


def _insights(engine: Refocuser, stack: GroundTruthStack, folder: Path) -> list[Path]:
    """Where the network looks (figure 5.10), and what its first layer alone holds (figure 5.9)."""
    if engine.name != "radiance":
        return []
    from focusviewer.refocus.radiance import diagnostics

    return draw_insights(engine, diagnostics, stack, folder)


def draw_insights(engine: Any, diagnostics: Any, stack: GroundTruthStack, folder: Path) -> list[Path]:
    """Attention over the layers of the depth representation for two targets, and pictures from the first one alone."""
    inputs = (6, 11)
    encoded = engine.encode(
        [stack.recorded(level) for level in inputs], stack.mpp, [stack.z_um(level) for level in inputs]
    )
    rows = []
    for level in (1.0, 7.0):
        finest = diagnostics.attention_maps(engine, encoded, stack.z_um(level))[0]
        top = max(float(finest.max()), 1e-6)
        tiles = [_enlarged(layer / top, stack.clean.shape[1:3]) for layer in finest]
        rows.append(
            _row([_middle(tile) for tile in tiles], [f"target {level:g}, layer {i}" for i in range(len(tiles))])
        )
    attention = folder / "attention.png"
    _save(attention, _column(rows))
    targets = (1.0, 8.0)
    first = [diagnostics.render_layers(engine, encoded, stack.z_um(level), (0,)) for level in targets]
    every = [engine.render(encoded, stack.z_um(level)) for level in targets]
    captions = [f"{level:g}, first layer" for level in targets] + [f"{level:g}, all layers" for level in targets]
    layers = folder / "first-layer.png"
    _save(layers, _row([*first, *every], captions))
    return [attention, layers]


def _enlarged(values: FloatMap, size: Sequence[int]) -> RGB:
    from PIL import Image

    gray = Image.fromarray(np.clip(values * 255, 0, 255).astype(np.uint8))
    return np.asarray(gray.resize((size[1], size[0]), Image.Resampling.BILINEAR).convert("RGB"))


def _row(images: Sequence[RGB], captions: Sequence[str]) -> RGB:
    """Pictures side by side, a caption above each."""
    from PIL import Image, ImageDraw

    height = max(image.shape[0] for image in images) + CAPTION_PX
    width = sum(image.shape[1] + GAP_PX for image in images)
    sheet = Image.new("RGB", (width, height), "white")
    draw, left = ImageDraw.Draw(sheet), 0
    for image, caption in zip(images, captions, strict=True):
        draw.text((left + 1, 2), caption, fill="black")
        sheet.paste(Image.fromarray(np.ascontiguousarray(image)), (left, CAPTION_PX))
        left += image.shape[1] + GAP_PX
    return np.asarray(sheet)


def _column(rows: Sequence[RGB]) -> RGB:
    width = max(row.shape[1] for row in rows)
    sheet = np.full((sum(row.shape[0] + GAP_PX for row in rows), width, 3), 255, np.uint8)
    top = 0
    for row in rows:
        sheet[top : top + row.shape[0], : row.shape[1]] = row
        top += row.shape[0] + GAP_PX
    return sheet
