"""Real planes made from real planes: one to three steps nearer to focus, between two others, sharp everywhere.

The stacks do not state the distance of their planes, but engines want microns. It is measured once for each stack, from
its planes alone: the blur by known optics that takes the best plane nearest to its neighbours. That is the scale of the
microscope's knob, the same for every engine. Defocus moves light but takes none away, so planes that differ in mean
brightness were lit differently: they are made equally bright, so that the lamp does not decide what is better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import reason
from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.evaluation.suites.refocus.competitors import Competitors
from focusviewer.evaluation.test_sets.real_stacks import ASSUMED_MPP, RealStack
from focusviewer.metrics import psnr, ssim
from focusviewer.refocus.base import Refocuser
from focusviewer.refocus.fast.operators import SCANNER

STEPS = (1, 2, 3)
PAIRS_A_SIDE = 2
SMALLEST_STEP_UM, LARGEST_STEP_UM = 0.1, 2.5
WORST_LOSS_DB = 0.2
"""Largest loss of a stack against doing nothing that counts as none."""


@dataclass(frozen=True)
class RealCase:
    """One picture to be made of others, and the plane that shows how it looks.

    Attributes
    ----------
    task : str
    images, planes_um : sequences
        What the engine gets.
    target_um : float or None
        What it is asked for; None leaves it to find focus itself.
    """

    task: str
    stack: str
    images: tuple[RGB, ...]
    planes_um: tuple[float, ...]
    target_um: float | None
    truth: RGB

    def untouched(self) -> RGB:
        """The picture of doing nothing: the input, or the better one of two that are equally near."""
        return max(self.images, key=lambda image: psnr(image, self.truth))


def evaluate_real_planes(
    engine: Refocuser, stacks: Sequence[RealStack], competitors: Competitors, crop_px: int = 384
) -> list[dict[str, Any]]:
    """Make planes of real stacks of others.

    Returns
    -------
    One row a picture: task, stack, PSNR and SSIM of doing nothing (``_before``), of the engine (``_after``) and of the
    blind Wiener filter (``_blind``), and of mixing both planes (``_blend``) where there are two; ``why`` instead where
    the engine refuses.
    """
    rows = []
    for stack in stacks:
        for case in real_cases(stack, crop_px):
            row = {"task": case.task, "stack": case.stack}
            try:
                rows.append({**row, **_figures(engine, case, competitors)})
            except UserError as error:
                rows.append({**row, "why": reason(error)})
    return rows


def real_cases(stack: RealStack, crop_px: int) -> Iterator[RealCase]:
    """All pictures that are made of one stack, as central crops."""
    height, width = stack.planes.shape[1:3]
    y, x = max(0, (height - crop_px) // 2), max(0, (width - crop_px) // 2)
    cut = slice(y, y + crop_px), slice(x, x + crop_px)
    planes = [np.ascontiguousarray(plane[cut]) for plane in stack.planes]
    if stack.all_in_focus is not None:
        truth = np.ascontiguousarray(stack.all_in_focus[cut])
        planes = equally_bright(planes, truth)
        yield from (RealCase("all in focus", stack.name, (plane,), (0.0,), None, truth) for plane in planes)
    if stack.best is not None:
        best = sum(stack.best) // 2
        planes = equally_bright(planes, planes[best])
        step = plane_distance_um(planes, best)
        yield from _nearer(stack.name, planes, best, step)
        yield from _between(stack.name, planes, best, step)


def equally_bright(planes: Sequence[RGB], reference: RGB) -> list[RGB]:
    """Planes scaled to the mean of a reference, colour by colour; one that differs by less than a gray level stays."""
    wanted = reference.mean(axis=(0, 1))
    scaled = []
    for plane in planes:
        mean = plane.mean(axis=(0, 1))
        if np.abs(mean - wanted).max() < 1:
            scaled.append(plane)
            continue
        light = plane * (wanted / np.maximum(mean, 1)).astype(np.float32)
        scaled.append(np.asarray(np.clip(light + 0.5, 0, 255), dtype=np.uint8))
    return scaled


def _nearer(name: str, planes: Sequence[RGB], best: int, step_um: float) -> Iterator[RealCase]:
    """From a plane to one a few steps nearer to focus, on the same side of it."""
    for side in (-1, 1):
        reach = best if side < 0 else len(planes) - 1 - best
        for steps in STEPS:
            ends = range(reach - steps + 1)  # how far the target is from focus
            some = [ends[i] for i in np.unique(np.linspace(0, len(ends) - 1, PAIRS_A_SIDE).astype(int))] if ends else []
            for end in some:
                plane, target = best + side * (end + steps), best + side * end
                task = f"{steps} step{'s' if steps > 1 else ''} nearer"
                yield RealCase(task, name, (planes[plane],), (0.0,), steps * step_um, planes[target])


def _between(name: str, planes: Sequence[RGB], best: int, step_um: float) -> Iterator[RealCase]:
    """The plane in the middle of two others."""
    for gap in (1, 2):
        middles = [plane for plane in range(best - 3, best + 4) if gap <= plane < len(planes) - gap]
        for middle in middles[:: max(1, len(middles) // 4)]:
            pair = (planes[middle - gap], planes[middle + gap])
            zs = (0.0, 2 * gap * step_um)
            yield RealCase(f"between planes {2 * gap} apart", name, pair, zs, gap * step_um, planes[middle])


def plane_distance_um(planes: Sequence[RGB], best: int, mpp: float = ASSUMED_MPP) -> float:
    """Distance of neighbouring planes by the blur between them, um, within the limits that make sense.

    The best plane is blurred by the standard scanner's optics until it is most like a plane one to three steps away;
    the distance is the slope of those blurs over the steps, through zero.
    """
    from focusviewer.optics import defocus_image

    sharp = planes[best].astype(np.float32) / np.float32(255)
    defocus_um = np.arange(0.0, 3 * LARGEST_STEP_UM + 0.1, 0.5)
    blurred = [defocus_image(sharp, float(z), mpp, SCANNER) if z else sharp for z in defocus_um]
    steps, found = [], []
    for offset in (-3, -2, -1, 1, 2, 3):
        if 0 <= best + offset < len(planes):
            plane = planes[best + offset].astype(np.float32) / np.float32(255)
            errors = [_error(picture, plane) for picture in blurred]
            steps.append(abs(offset))
            found.append(_lowest(defocus_um, np.asarray(errors)))
    slope = float(np.dot(steps, found) / max(np.dot(steps, steps), 1))
    return float(np.clip(slope, SMALLEST_STEP_UM, LARGEST_STEP_UM))


def _error(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """Mean squared difference of detail: lamps that flicker from plane to plane do not count."""
    difference = first - second
    return float(np.square(difference - difference.mean(axis=(0, 1))).mean())


def _lowest(places: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Where a curve on an even grid is lowest, by a parabola through the three points around its minimum."""
    index = int(np.argmin(values))
    if index in (0, len(values) - 1):
        return float(places[index])
    left, middle, right = values[index - 1 : index + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 0 else 0.0
    return float(places[index] + shift * (places[1] - places[0]))


def _figures(engine: Refocuser, case: RealCase, competitors: Competitors) -> dict[str, float]:
    encoded = engine.encode(list(case.images), ASSUMED_MPP, case.planes_um)
    target = engine.all_in_focus_target(encoded) if case.target_um is None else case.target_um
    made, before = engine.render(encoded, target), case.untouched()
    row = {}
    for name, figure in (("psnr", psnr), ("ssim", ssim)):
        row[f"{name}_before"], row[f"{name}_after"] = figure(before, case.truth), figure(made, case.truth)
    if len(case.images) > 1:
        mean = np.mean(np.stack(case.images), axis=0, dtype=np.float32)
        blend = np.asarray(mean + 0.5, dtype=np.uint8)
        row |= {"psnr_blend": psnr(blend, case.truth), "ssim_blend": ssim(blend, case.truth)}
    elif case.target_um is None:
        row |= competitors.blind(before, case.truth, ASSUMED_MPP)
    else:
        row |= competitors.single(before, case.truth, ASSUMED_MPP, case.target_um)
    return row


def summary(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Summary of the rows of single planes, a row for each model and task.

    Parameters
    ----------
    rows : iterable of dict
        With ``model``, ``task``, ``stack`` and figures ``_before``, ``_after``, ``_blind``, ``_blend``.

    Returns
    -------
    Mean gain in PSNR and SSIM over doing nothing, over the blind Wiener filter and over mixing, with intervals drawn by
    stack; the stack that gains least (mean of its pictures), the worst picture; how many stacks lose more than
    :data:`WORST_LOSS_DB`. ``why`` instead of all these where the engine refused a picture.
    """
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    refused: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (str(row.get("model", "")), str(row["task"]))
        if row.get("why"):
            refused.setdefault(key, str(row["why"]))
        if row.get("psnr_before") is not None or row.get("why"):
            grouped.setdefault(key, []).append(row)
    return [
        {"model": key[0], "task": key[1], **({"why": refused[key]} if key in refused else _summed(part))}
        for key, part in grouped.items()
    ]


def _summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    stacks = [str(row["stack"]) for row in rows]
    row: dict[str, Any] = {"pictures": len(rows), "stacks": len(set(stacks))}
    for figure, after in (("psnr", "gain"), ("ssim", "ssim_gain")):
        for competitor, title in (
            ("before", after),
            ("blind", f"{after}_over_blind"),
            ("blend", f"{after}_over_blend"),
        ):
            if all(f"{figure}_{competitor}" in item for item in rows):
                gains = np.array([item[f"{figure}_after"] - item[f"{figure}_{competitor}"] for item in rows])
                row |= intervals({title: mean}, stacks, (gains,))
    gains = np.array([item["psnr_after"] - item["psnr_before"] for item in rows])
    means = {name: float(gains[[stack == name for stack in stacks]].mean()) for name in dict.fromkeys(stacks)}
    worst = min(means, key=lambda name: means[name])
    row |= {"worst_stack": worst, "worst_stack_gain": means[worst], "worst_gain": float(gains.min())}
    row["lost"] = sum(gain < -WORST_LOSS_DB for gain in means.values())
    return row
