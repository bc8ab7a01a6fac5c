"""A batch of simulated slides: sharp ones, blurred ones, empty glass and broken files, with the truth about each.

Tissue is drawn for a few sections only, at a series of distances from focus; slides are put together from its planes
by their own focus error, turned over, and photographed with noise and staining of their own. That takes under a
second a slide where drawing each from nothing takes many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.core.json_text import from_json_text
from focusviewer.simulation.phantom.layout import Frame
from focusviewer.simulation.phantom.tissue import Bubble, TissuePhantom, bubble_density
from focusviewer.simulation.sections.blur_pattern import BlurPattern, Strip
from focusviewer.simulation.sections.slab_imager import SlabImager
from focusviewer.simulation.slides import GLASS, SCANNER
from focusviewer.slides.writer import write_pyramid

TRUTH_NAME = "truth.json"
VISIBLE_UM = 1.0
"""Tissue this far from focus is blurred in truth. No slide is as a whole out of focus by a distance between SLIGHT_UM
and this, where both verdicts would be right."""

SLIGHT_UM = 0.5
BLURRED_SHARE = 0.02
"""Part of the tissue that must be blurred for the slide to be one to scan again."""

SIZE = (2048, 1536)
MPP = 0.25
KINDS = ("sharp", "slight", "strip", "bubble", "whole", "empty", "broken")
SHARES = (0.30, 0.13, 0.20, 0.14, 0.12, 0.075)
"""Parts of a batch that the kinds make up; BROKEN are broken, the rest is sharp."""

BROKEN = 10
SLIDES_PER_SECTION = 25
_STEP_UM, _LADDER = 0.5, 10
_TRUTH_PX = 64


@dataclass(frozen=True)
class TrialSlide:
    """One file and the truth about it.

    Attributes
    ----------
    name : str
        Its file name.
    kind : str
        One of KINDS.
    z_um : float
        Largest distance from focus that was put in.
    blurred : float
        Part of the tissue at least VISIBLE_UM from focus.
    rescan : bool
        Whether it must be scanned again.
    """

    name: str
    kind: str
    z_um: float = 0.0
    blurred: float = 0.0

    @property
    def rescan(self) -> bool:
        """Whether so much of it is blurred that it must be scanned again."""
        return self.blurred >= BLURRED_SHARE


def make_trial_slides(
    folder: Path,
    *,
    slides: int = 300,
    seed: int = 1,
    size: tuple[int, int] = SIZE,
    on_progress: Callable[[float, str], None] | None = None,
) -> list[TrialSlide]:
    """Fill a folder with slides and ``truth.json``; one that was filled before with the same numbers is used again.

    Parameters
    ----------
    slides : int
        Files, BROKEN of them broken (a thirtieth of small batches).
    seed : int
        Everything follows from it.
    size : (width, height)
        Of each slide, px.

    Raises
    ------
    UserError
        If there are too few slides for one of each kind, or the folder cannot be written.
    """
    if slides < 10:
        raise UserError(f"Cannot make up {slides} slides", "one of each kind takes 10")
    recipe = {"slides": slides, "seed": seed, "size": list(size), "version": 1}
    truth = output_folder(folder) / TRUTH_NAME
    if truth.exists():
        document = from_json_text(truth.read_text(encoding="utf-8"))
        if document["recipe"] == recipe:
            return [TrialSlide(**trial) for trial in document["trials"]]
        raise UserError(f"{folder} holds other slides", "they were made with other numbers", "Choose another folder.")
    trials = []
    for done, trial in enumerate(_draw_all(folder, slides, seed, size), 1):
        trials.append(trial)
        if on_progress is not None:
            on_progress(done / slides, f"making {done} of {slides} slides")
    with atomic_write(truth) as temporary:
        document = {"recipe": recipe, "trials": [asdict(trial) for trial in trials]}
        temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return trials


def _draw_all(folder: Path, slides: int, seed: int, size: tuple[int, int]) -> Iterator[TrialSlide]:
    rng = np.random.default_rng((seed, 77))
    broken = min(BROKEN, max(1, slides // 30))
    kinds = [kind for kind, share in zip(KINDS, SHARES, strict=False) for _ in range(max(1, round(share * slides)))]
    kinds = (kinds + ["sharp"] * slides)[: slides - broken]
    rng.shuffle(kinds)
    section: _SectionPlanes | None = None
    for index, kind in enumerate(kinds):
        if index % SLIDES_PER_SECTION == 0:
            section = _SectionPlanes(seed * 1000 + index // SLIDES_PER_SECTION, size)
        assert section is not None
        yield _draw(folder / f"slide-{index:03d}-{kind}.ome.tif", kind, section, np.random.default_rng((seed, index)))
    whole = folder / f"slide-000-{kinds[0]}.ome.tif"
    for index in range(broken):
        yield TrialSlide(_break(folder, index, whole.read_bytes()), "broken")


class _SectionPlanes:
    """A section at a series of distances from focus; each plane is drawn when it is first needed."""

    def __init__(self, seed: int, size: tuple[int, int]) -> None:
        width, height = size
        self.size = size
        self.phantom = TissuePhantom(seed, width, height, mpp=MPP, thickness_um=2.25, slabs=3, kind="slide")
        self._imager = SlabImager(self.phantom.density(0, 0, width, height), self.phantom.z_um, MPP, SCANNER)
        self._middle = float(np.mean(self.phantom.z_um))
        self._side = 1 if seed % 2 else -1  # above or below the section: they do not look the same
        self._planes: dict[int, npt.NDArray[np.float16]] = {}

    def plane(self, index: int) -> npt.NDArray[np.float16]:
        """Light, float16 (H, W, 3)."""
        if index not in self._planes:
            light = self._imager.image(self._middle + self._side * index * _STEP_UM)
            self._planes[index] = np.moveaxis(light, 0, -1).astype(np.float16)
        return self._planes[index]

    def light(self, z_um: FloatArray) -> FloatArray:
        """The section with a distance from focus for each pixel: float32 (H, W, 3)."""
        place = np.clip(z_um / _STEP_UM, 0, _LADDER - 1.001)
        low = place.astype(np.int64)
        part = (place - low).astype(np.float32)[..., None]
        result = np.zeros((*z_um.shape, 3), np.float32)
        for index in np.unique(np.concatenate([np.unique(low), np.unique(low) + 1])):
            weight = np.where(low[..., None] == index, 1 - part, 0) + np.where(low[..., None] == index - 1, part, 0)
            if weight.any():
                result += weight * self.plane(int(index))
        return result


def _draw(path: Path, kind: str, section: _SectionPlanes, rng: np.random.Generator) -> TrialSlide:
    width, height = section.size
    if kind == "empty":
        light, pattern = np.ones((height, width, 3), np.float32), BlurPattern()
    else:
        pattern = _pattern(kind, rng, width, height)
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        light = section.light(np.abs(pattern.z_um(x[None, :], y[:, None])))
        for bubble in pattern.bubbles:
            light *= 10 ** -bubble_density(bubble, Frame(0, 0, width, height, MPP))[..., None]
    stain = rng.uniform(0.85, 1.2, 3).astype(np.float32)  # more or less of every colour's density
    light = np.clip(light, 1e-3, 1) ** stain * GLASS
    pixels = np.clip((light + rng.normal(0, 0.005, light.shape)) * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.integers(2):
        pixels = pixels[::-1]
    if rng.integers(2):
        pixels = pixels[:, ::-1]
    with atomic_write(path) as temporary:
        write_pyramid(temporary, width, height, MPP, lambda x0, y0, w, h: pixels[y0 : y0 + h, x0 : x0 + w], threads=1)
    return _truth(path.name, kind, pattern, section)


def _pattern(kind: str, rng: np.random.Generator, width: int, height: int) -> BlurPattern:
    """A focus error of a kind; errors are as large against the windows of a map as on slides of common size."""
    if kind == "strip":
        stripe = rng.uniform(0.14, 0.22) * width
        left = rng.uniform(0.2, 0.5) * width
        return BlurPattern(strips=(Strip(left, left + stripe, float(rng.uniform(1.4, 3.2))),))
    if kind == "bubble":
        x, y = rng.uniform(0.35, 0.65, 2) * (width, height)
        bubble = Bubble(float(x), float(y), float(rng.uniform(0.17, 0.25)) * min(width, height))
        return BlurPattern(bubbles=(bubble,), bubble_um=float(rng.uniform(2.5, 4.0)))
    if kind == "whole":
        return BlurPattern(offset_um=float(rng.uniform(VISIBLE_UM, 3.5)))
    return BlurPattern(offset_um=float(rng.uniform(0.0, SLIGHT_UM)) if kind == "slight" else 0.0)


def _truth(name: str, kind: str, pattern: BlurPattern, section: _SectionPlanes) -> TrialSlide:
    if kind == "empty":
        return TrialSlide(name, kind)
    tissue = section.phantom.tissue_depth_um(_TRUTH_PX) > 0
    rows, cols = tissue.shape
    x, y = (np.arange(cols) + 0.5) * _TRUTH_PX, (np.arange(rows) + 0.5) * _TRUTH_PX
    z_um = np.abs(pattern.z_um(x[None, :], y[:, None]))[tissue]
    blurred = float((z_um >= VISIBLE_UM).mean()) if z_um.size else 0.0
    return TrialSlide(name, kind, float(z_um.max(initial=0.0)), blurred)


def _break(folder: Path, index: int, good: bytes) -> str:
    """Write one broken file and give its name."""
    ways: tuple[tuple[str, bytes | None], ...] = (
        ("truncated.ome.tif", good[: len(good) // 2]),
        ("empty.svs", b""),
        ("text.svs", b"this is no slide\n" * 40),
        ("unreadable.ndpi", None),
        ("header-only.tif", good[:16]),
        ("random.mrxs", np.random.default_rng(index).bytes(5000)),
        ("picture.scn", b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("empty.tif", b""),
        ("archive.bif", b"PK\x03\x04" + bytes(1000)),
        ("zeros.tif", bytes(4096)),
    )
    name, content = ways[index % len(ways)]
    path = folder / f"broken-{index:02d}-{name}"
    if content is not None:
        path.write_bytes(content)
    else:  # nobody may read it; for those who may read everything it leads nowhere
        path.unlink(missing_ok=True)
        path.symlink_to(folder / "gone")
    return path.name
