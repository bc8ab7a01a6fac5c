"""The classical detector: windows of 64 px are sharp, blurred or background; and its map as a focus model.

After Nazarenko and Krylov, *Neural network method for detecting blur in histological images*, Programmirovanie 2024,
no. 3, where it labels the windows that a network learns from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.core.json_text import from_json_text
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.focus.knowledge import hifst
from focusviewer.focus.knowledge.edge_sharpness import box_sums, sharpness
from focusviewer.focus.measures.base import Gray, to_gray

WINDOW, STRIDE = 64, 32

BACKGROUND, SHARP, BLURRED = 0, 1, 2
"""Labels of windows."""

MAX_V = 80.0
"""Mean of the blur map from which a window is sharp whatever its edges are."""

BACKGROUND_LEVEL = 170.0
"""Mean of the normalised gray from which a window is background."""

COLOURED = 12
"""Difference of the largest and smallest channel from which a pixel is not glass."""

GROUP = 10.0
"""Width of the groups of V that have a threshold of their own."""

_MEAN, _SPREAD = 138.0, 40.0  # of the brightness of tissue; glass then begins at BACKGROUND_LEVEL (its darkest tenth)
_LEAST_COLOURED = 0.02

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DetectorCurve:
    """What the detector has learned.

    Attributes
    ----------
    thresholds : float (8,)
        SI below which a window is blurred, for V in 0..10, 10..20, up to 80.
    layers : LayerRange
        Usual extremes of the layers, for scores that can be compared between images.
    version : str
        Changes with the numbers.
    """

    thresholds: npt.NDArray[np.float64]
    layers: hifst.LayerRange
    version: str = "0"

    def below(self, v: FloatMap, si: FloatMap) -> npt.NDArray[np.bool_]:
        """Whether windows lie under the curve."""
        group = np.clip((v / GROUP).astype(int), 0, len(self.thresholds) - 1)
        return np.asarray((v <= MAX_V) & (si < self.thresholds[group]))

    def to_json(self) -> dict[str, Any]:
        """Plain lists, for the file."""
        return {
            "si_thresholds": [round(float(value), 4) for value in self.thresholds],
            "layer_low": [round(float(value), 7) for value in self.layers.low],
            "layer_high": [round(float(value), 7) for value in self.layers.high],
        }


def load_curve(path: Path | None = None) -> DetectorCurve:
    """The shipped curve, or the one in a file.

    Raises
    ------
    UserError
        If it is missing or unreadable.
    """
    try:
        path = path or resource_path("weights", "hifst.json")
        data = path.read_bytes()
        read = from_json_text(data)
        layers = hifst.LayerRange(np.array(read["layer_low"], np.float32), np.array(read["layer_high"], np.float32))
        thresholds = np.array(read["si_thresholds"], np.float64)
        if thresholds.shape != (round(MAX_V / GROUP),) or {layers.low.size, layers.high.size} != {hifst.LAYERS}:
            raise ValueError("it has the wrong number of values")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("Cannot load the curve of the classical detector", str(error), "Reinstall FocusViewer.") from (
            error
        )
    return DetectorCurve(thresholds, layers, f"1-{hashlib.sha256(data).hexdigest()[:8]}")


@dataclass(frozen=True)
class Evidence:
    """What the detector sees of each window: float32 (rows, cols) each.

    Attributes
    ----------
    v : mean of the blur map over tissue, 0..255, dark where blurred; the source takes the whole window, but glass is as
        dark as blur, and next to it sharp tissue would read as blurred
    si : sharpness of edges, 0..2
    brightness : mean of the normalised gray, 0..255
    """

    v: FloatMap
    si: FloatMap
    brightness: FloatMap


def normalised_gray(image: RGB) -> Gray:
    """Gray of the image after its HSV value has been brought to a fixed mean and spread: float32 (H, W) in [0, 1].

    Mean and spread are taken of the coloured pixels, so that it does not matter how much empty glass there is; of all
    pixels in images without colour.
    """
    value = image.max(axis=2).astype(np.float32)
    coloured = value - image.min(axis=2) >= COLOURED
    pixels = value[coloured] if coloured.mean() >= _LEAST_COLOURED else value.ravel()
    wanted = _MEAN + (value - pixels.mean()) * (_SPREAD / max(float(pixels.std()), 1.0))
    factor = np.clip(wanted, 0, 255) / np.maximum(value, 1)
    return np.asarray(np.clip(to_gray(image) * factor, 0, 1), np.float32)


def evidence(image: RGB) -> Evidence:
    """Blur map, edges and brightness of every full window.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        At least one window large. The blur map is relative to the image: give fields, not single windows.
    """
    height, width = (side // STRIDE * STRIDE for side in image.shape[:2])
    if min(height, width) < WINDOW:
        raise ValueError(f"image {image.shape[:2]} is smaller than a window of {WINDOW} px")
    gray = normalised_gray(image)[:height, :width]
    return Evidence(
        _mean_over_tissue(hifst.blur_map(gray), gray),
        sharpness(gray, WINDOW, STRIDE),
        (box_sums(gray, WINDOW, STRIDE) * (255 / WINDOW**2)).astype(np.float32),
    )


def _mean_over_tissue(dark: FloatMap, gray: Gray) -> FloatMap:
    """Mean of the blur map over the part of each window that is not background, or over all when nothing is."""
    tissue = box_sums(gray * 255 <= BACKGROUND_LEVEL, hifst.STEP, hifst.STEP) + 1e-3
    size, step = WINDOW // hifst.STEP, STRIDE // hifst.STEP
    return np.asarray(box_sums(dark * tissue, size, step) / box_sums(tissue, size, step), np.float32)


def classify(seen: Evidence, curve: DetectorCurve) -> Labels:
    """Label windows: blurred when V and SI lie under the curve and they are not background."""
    labels = np.where(curve.below(seen.v, seen.si), BLURRED, SHARP)
    return np.where(seen.brightness > BACKGROUND_LEVEL, BACKGROUND, labels).astype(np.uint8)


def detect(image: RGB, curve: DetectorCurve | None = None) -> Labels:
    """Find blurred windows in a field of a slide that is sharp elsewhere.

    An image that is blurred everywhere is not seen: its blur map is stretched to its own extremes.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        A field, 500 px and more a side.
    curve : DetectorCurve, optional
        The shipped one when missing.

    Returns
    -------
    uint8 (rows, cols)
        BACKGROUND, SHARP or BLURRED for windows of 64 px, 32 apart.
    """
    return classify(evidence(image), curve or load_curve())


def label_windows(image: RGB, curve: DetectorCurve | None = None) -> tuple[Labels, npt.NDArray[np.intp]]:
    """The labels as a list, with the windows' places: training data for networks that see one window.

    Returns
    -------
    labels : uint8 (n,)
    boxes : intp (n, 4)
        x, y, width, height in pixels of the image.
    """
    labels = detect(image, curve)
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] * STRIDE
    side = np.full(labels.size, WINDOW)
    return labels.ravel(), np.stack([x.ravel(), y.ravel(), side, side], axis=1).astype(np.intp)


_MARGIN = 3 * hifst.STEP  # of the local entropy
_HALO = hifst.REACH + _MARGIN - hifst.STEP // 2 + 1  # positions lie half a pixel before the middle of their cell


class HiFST(FocusModel):
    """The blur map as a score: minus the logarithm of its mean over a window.

    So that pieces of a slide score as the whole, and blurred images lower than sharp ones, the layers are measured
    against the extremes that are usual (of training images) instead of the image's own, brightness is left as it is,
    and the edge-aware smoothing, whose reach has no end, is left out; the window's mean smooths enough.
    """

    name = "hifst"
    window_px, stride_px, halo_px = WINDOW, STRIDE, _HALO

    def __init__(self, curve: DetectorCurve | None = None) -> None:
        self.curve = curve or load_curve()
        self.version = self.curve.version

    def parameters(self) -> int:
        """Thresholds and layer extremes."""
        return int(self.curve.thresholds.size + self.curve.layers.low.size + self.curve.layers.high.size)

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        return self.score_with_halo(np.pad(image, ((_HALO, _HALO), (_HALO, _HALO), (0, 0)), mode="symmetric"))

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image with ``halo_px`` more pixels on every side."""
        rows, cols = ((side - 2 * _HALO - WINDOW) // STRIDE + 1 for side in image.shape[:2])
        if rows < 1 or cols < 1:
            raise ValueError(f"image {image.shape[:2]} is smaller than a window of {WINDOW} px")
        cells = [(STRIDE * (count - 1) + WINDOW) // hifst.STEP + 6 for count in (rows, cols)]
        total = hifst.summed(hifst.sorted_layers(to_gray(image[1:, 1:]), cells[0], cells[1]), self.curve.layers)
        values = total[3:-3, 3:-3] * hifst.local_entropy(total)
        mean = box_sums(values, WINDOW // hifst.STEP, STRIDE // hifst.STEP) / (WINDOW // hifst.STEP) ** 2
        return ScoreGrid((-np.log(mean + 1e-4)).astype(np.float32), WINDOW, STRIDE)
