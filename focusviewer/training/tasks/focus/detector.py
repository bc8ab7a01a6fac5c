"""Fits the classical detector's curve SI(V) on fields that are blurred in places, and evaluates it on held-out ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.focus.knowledge import hifst
from focusviewer.focus.knowledge.detector import (
    BACKGROUND_LEVEL,
    BLURRED,
    COLOURED,
    GROUP,
    MAX_V,
    STRIDE,
    WINDOW,
    DetectorCurve,
    Evidence,
    Labels,
    classify,
    detect,
    evidence,
)
from focusviewer.focus.knowledge.edge_sharpness import box_sums
from focusviewer.focus.measures.base import to_gray
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.simulation.demo_slide import SLABS, THICKNESS_UM
from focusviewer.simulation.phantom.tissue import TissuePhantom
from focusviewer.simulation.sections.blur_pattern import make_pattern
from focusviewer.simulation.slides import SlideSimulator
from focusviewer.training.common import data_folder, file_digest, write_card
from focusviewer.training.data.sources import load_sources, sharp_crops

FIELD_PX = 1024
"""Side of a field; the authors' images have about 1500."""

_LEAST_PX = 256
_MPP = 0.25
_BLURRED_UM = (1.5, 5.0)
_SHARE = (0.08, 0.35)  # of a field that is blurred
_BLURRED_FROM_UM = 0.75  # of simulated slides: three focus levels
_TISSUE = 0.3  # coloured share of a window or crop
_MAX_SI = 2.0
_LEAST_WINDOWS = 60  # in a group of V, for a threshold of its own


@dataclass(frozen=True)
class Field:
    """A field of view with known blur.

    Attributes
    ----------
    image : uint8 (H, W, 3)
    blurred : bool (H, W)
        Where it is out of focus.
    """

    image: RGB
    blurred: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Figures:
    """How well tissue windows are told: blurred is the positive class; called background counts as not blurred."""

    precision: float
    recall: float
    accuracy: float
    f1: float

    def row(self, name: str) -> str:
        """A line of a table."""
        return f"| {name} | {self.precision:.3f} | {self.recall:.3f} | {self.accuracy:.3f} | {self.f1:.3f} |"


def fields(data: Path, split: str, count: int, seed: int, *, everywhere: bool = False) -> Iterator[Field]:
    """Fields with parts out of focus: simulated slides and, in turn, real sharp crops continued by their mirror image.

    Parameters
    ----------
    split : "train" or "validation"
        Side of the split by image.
        Phantoms differ by ``seed``.
    everywhere : bool
        Blur whole fields, half of them, instead of parts of each.
    """
    crops = sharp_crops(load_sources(data, split), _LEAST_PX)
    crops = np.stack([crop for crop in crops if _coloured(crop).mean() > _TISSUE])
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        blur_all = index % 4 > 1 if everywhere else None
        yield _real_field(crops, rng, blur_all) if index % 2 else _phantom_field(rng, blur_all)


def _phantom_field(rng: np.random.Generator, blur_all: bool | None) -> Field:
    """The middle of a simulated slide, with a stripe or a disk out of focus unless ``blur_all`` says all or nothing."""
    side, corner = FIELD_PX + 512, 256
    kind = str(rng.choice(("strip", "bubble"))) if blur_all is None else "whole" if blur_all else "none"
    pattern, stain = make_pattern(kind, rng, side, side), str(rng.choice(("he", "ihc")))
    phantom = TissuePhantom(
        int(rng.integers(1, 2**31)),
        side,
        side,
        mpp=_MPP,
        stain=stain,
        thickness_um=THICKNESS_UM,
        slabs=SLABS,
        kind="slide",  # without the bubbles' rims: they are no question of focus
    )
    slide = SlideSimulator(phantom, pattern)
    image = slide.draw(corner, corner, FIELD_PX, FIELD_PX)
    return Field(image, np.abs(slide.z_um(corner, corner, FIELD_PX, FIELD_PX)) >= _BLURRED_FROM_UM)


def _real_field(crops: RGB, rng: np.random.Generator, blur_all: bool | None) -> Field:
    sharp = _mosaic(crops, rng)
    mask = _blobs(rng, sharp.shape[:2]) if blur_all is None else np.full(sharp.shape[:2], blur_all)
    return Field(_defocus(sharp, mask, rng), mask)


def _coloured(image: RGB) -> npt.NDArray[np.bool_]:
    """Pixels that are not glass, told by colour, which blur leaves."""
    return np.asarray(image.max(axis=2).astype(int) - image.min(axis=2) >= COLOURED)


def _mosaic(crops: RGB, rng: np.random.Generator) -> RGB:
    """One crop of a source and its mirror images, continued without seams."""
    crop = crops[rng.integers(len(crops))]
    double = np.concatenate([crop, crop[::-1]])
    double = np.concatenate([double, double[:, ::-1]], axis=1)
    repeats = -(-FIELD_PX // len(double))
    return np.asarray(np.tile(double, (repeats, repeats, 1))[:FIELD_PX, :FIELD_PX])


def _blobs(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A stripe or a few ellipses that cover some of the field."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    wanted = rng.uniform(*_SHARE)
    mask = np.zeros(shape, bool)
    if rng.random() < 0.3:
        turned = x * np.cos(angle := rng.uniform(0, np.pi)) + y * np.sin(angle)
        middle, half = rng.uniform(turned.min() * 0.7, turned.max() * 0.7), wanted * shape[0] / 2
        mask = np.abs(turned - middle) < half
    while mask.mean() < wanted:
        centre_y, centre_x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius_y, radius_x = rng.uniform(80, 260, 2)
        mask |= ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2 < 1
    return mask


def _defocus(sharp: RGB, mask: npt.NDArray[np.bool_], rng: np.random.Generator) -> RGB:
    from scipy.ndimage import gaussian_filter

    light = np.asarray(sharp / np.float32(255), np.float32)
    optics = Optics(na=float(rng.uniform(0.6, 0.8)))
    z_um = float(rng.uniform(*_BLURRED_UM) * rng.choice((-1, 1)))
    soft = defocus_image(light, z_um, _MPP, optics)
    weight = gaussian_filter(mask.astype(np.float32), 4)[..., None]
    return Camera(noise=float(rng.uniform(0, 0.006))).capture(soft * weight + light * (1 - weight), rng)


@dataclass(frozen=True)
class Truth:
    """What is known of a field's windows: bool (rows, cols) each.

    Attributes
    ----------
    blurred : more than half of it is out of focus
    tissue : enough of it is no glass for the question to make sense
    """

    blurred: npt.NDArray[np.bool_]
    tissue: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, field: Field) -> Truth:
        """Read off the pixels."""
        blurred, coloured = (
            box_sums(part, WINDOW, STRIDE) / WINDOW**2 for part in (field.blurred, _coloured(field.image))
        )
        return cls(np.asarray(blurred > 0.5), np.asarray(coloured > _TISSUE))


def detection_figures(labels: list[Labels], truth: list[Truth]) -> Figures:
    """Precision, recall, accuracy and F1 over the tissue windows of several fields."""
    tissue = np.concatenate([part.tissue.ravel() for part in truth])
    true = np.concatenate([part.blurred.ravel() for part in truth])[tissue]
    said = np.concatenate([part.ravel() for part in labels])[tissue] == BLURRED
    both = float((said & true).sum())
    precision, recall = both / max(said.sum(), 1), both / max(true.sum(), 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Figures(precision, recall, float((said == true).mean()), f1)


def fit_thresholds(seen: list[Evidence], truth: list[Truth]) -> npt.NDArray[np.float64]:
    """For every group of V the SI that gives the highest F1; float64 (8,).

    Groups with hardly any windows take the threshold of the nearest group that has one.
    """
    tissue = np.concatenate([part.brightness.ravel() for part in seen]) <= BACKGROUND_LEVEL
    tissue &= np.concatenate([part.tissue.ravel() for part in truth])
    v = np.concatenate([part.v.ravel() for part in seen])[tissue]
    si = np.concatenate([part.si.ravel() for part in seen])[tissue]
    true = np.concatenate([part.blurred.ravel() for part in truth])[tissue]
    groups = round(MAX_V / GROUP)
    found: dict[int, float] = {}
    for group in range(groups):
        inside = (v >= group * GROUP) & (v < (group + 1) * GROUP)
        if inside.sum() >= _LEAST_WINDOWS:
            found[group] = _best_threshold(si[inside], true[inside])
    if not found:
        raise UserError("The detector cannot be fitted", "there are too few windows", "Use more fields.")
    return np.array([found[min(found, key=lambda known: abs(known - group))] for group in range(groups)])


def _best_threshold(si: npt.NDArray[np.floating], true: npt.NDArray[np.bool_]) -> float:
    if not true.any():
        return 0.0
    order = np.argsort(si)
    hits = np.cumsum(true[order])
    f1 = 2 * hits / (np.arange(1, len(si) + 1) + true.sum())
    best = int(np.argmax(f1))
    if best + 1 == len(si):
        return _MAX_SI + 1e-6
    return float(si[order][best : best + 2].mean())


def usual_layers(made: Iterator[Field]) -> hifst.LayerRange:
    """Extremes of the layers over fields, the outermost thousandth left out, brightness as it is."""
    layers = []
    for field in made:
        gray = to_gray(field.image[:512, :512])
        cells = (512 - 2 * hifst.REACH) // hifst.STEP
        layers.append(hifst.sorted_layers(gray, cells, cells).reshape(-1, hifst.LAYERS))
    every = np.concatenate(layers)
    low, high = np.quantile(every, (0.001, 0.999), axis=0).astype(np.float32)
    return hifst.LayerRange(low, high)


def train_detector(data: Path | None, out: Path, count: int = 16, seed: int = 20) -> list[Path]:
    """Fit the curve on ``count`` fields and evaluate it on half as many held-out ones of each kind.

    Returns
    -------
    ``hifst.json`` and its card.

    Raises
    ------
    UserError
        If the data or the output folder cannot be used, or there is too little to fit.
    """
    folder = data_folder(data)
    made = list(fields(folder, "train", count, seed))
    seen, truth = [evidence(field.image) for field in made], [Truth.of(field) for field in made]
    curve = DetectorCurve(fit_thresholds(seen, truth), usual_layers(iter(made)))
    path = output_folder(out) / "hifst.json"
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(curve.to_json(), indent=1) + "\n", encoding="utf-8")
    rows = [detection_figures([classify(part, curve) for part in seen], truth).row("training fields (fitted)")]
    for name, everywhere in (("blurred in parts", False), ("sharp or blurred everywhere", True)):
        rows += _figures_on(folder, curve, max(count // 2, 4), seed + 1, everywhere, name)
    _write_card(path, curve, rows, count, seed)
    return [path, path.with_suffix(".md")]


def _figures_on(folder: Path, curve: DetectorCurve, count: int, seed: int, everywhere: bool, name: str) -> list[str]:
    """Table rows of held-out fields: all, simulated slides, real crops."""
    made = list(fields(folder, "validation", count, seed, everywhere=everywhere))
    labels, truth = [detect(field.image, curve) for field in made], [Truth.of(field) for field in made]
    kinds = (("", slice(None)), (", simulated slides", slice(0, None, 2)), (", real sections", slice(1, None, 2)))
    return [detection_figures(labels[part], truth[part]).row(f"held out, {name}{kind}") for kind, part in kinds]


def _write_card(path: Path, curve: DetectorCurve, rows: list[str], count: int, seed: int) -> None:
    groups = " ".join(f"{threshold:.2f}" for threshold in curve.thresholds)
    facts = {
        "Model": "classical blur detector: HiFST blur map V, edge sharpness SI, one threshold of SI for each group of "
        f"V (0-10, 10-20 .. 70-80): {groups}",
        "Output": f"sharp, blurred or background for windows of {WINDOW} px, {STRIDE} apart; a score for the registry",
        "Data": f"{count} fields of {FIELD_PX} px: half simulated slides with a stripe or disk out of focus, half "
        "sharp crops of real sections (CC0, Apache-2.0, BSD-3, free use), continued by mirroring, parts of them out of "
        f"focus by {_BLURRED_UM[0]:g}-{_BLURRED_UM[1]:g} um (scalar diffraction), camera noise",
        "Split": "by image and by phantom",
        "Command": f"focusviewer train detector --seed {seed}",
        "Parameters": f"SHA-256 begins {file_digest(path)}",
    }
    head = "Tissue windows, blurred being the positive class (a window is blurred when more than half of it is):\n\n"
    head += "| fields | precision | recall | accuracy | F1 |\n|---|---|---|---|---|\n"
    limits = (
        "It compares parts of one image: a field that is blurred everywhere looks to it like one that is sharp. Needs "
        "fields of 500 px and more, as bright-field tissue has. Research use only."
    )
    write_card(path.with_suffix(".md"), path.stem, facts, head + "\n".join(rows), limits)
