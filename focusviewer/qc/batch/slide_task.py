"""One slide from file to verdict: what every worker does."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.base import LEVEL_UM, FocusMap, FocusModel
from focusviewer.focus.calibration.curve import Calibration
from focusviewer.focus.mapping.regions import summary, to_geojson
from focusviewer.qc.batch.tasks import output_error
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import judge
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import Result, SlideFacts
from focusviewer.qc.worklist.regions import blurred_regions
from focusviewer.slides import Slide, open_slide
from focusviewer.slides.identity import Identity, NamePattern, identify

SLIDES_FOLDER = "slides"
RELATIVE_MODEL = "tenengrad"
"""Maps slides whose pixel size nobody knows: nothing in um, but where they are sharper and where less."""

THUMBNAIL_PX = 512
PICTURE_PX = 800
_NAME_CHARS = 60


@dataclass(frozen=True)
class IdentifyTask:
    """Open a file and say which slide it is; ``pattern`` finds in its name what it does not state."""

    path: Path
    pattern: NamePattern | None = None

    def prepare(self) -> None:
        """Nothing: opening a file needs little."""

    def run(self) -> SlideFacts:
        """See the class.

        Raises
        ------
        UserError
            If it cannot be opened.
        """
        with open_slide(self.path) as slide:
            return facts_of(slide, identify(slide, self.pattern))


@dataclass(frozen=True)
class JudgeTask:
    """Map a slide, judge it, and write its folder.

    Parameters
    ----------
    path : Path
        The slide.
    out : Path
        The batch's folder; the slide gets a folder of its own in ``slides`` below it.
    rules : Rules
    model : str
        Focus model by registry name.
    calibrations : tuple of Calibration, optional
        Those that scores may be read by, so that every machine reads them alike; this one's own when missing.
    """

    path: Path
    out: Path
    rules: Rules
    model: str
    calibrations: tuple[Calibration, ...] | None = None

    def prepare(self) -> None:
        """Load the model, and torch with it."""
        _model(self.model)

    def run(self) -> Result:
        """See the class. The same slide, rules and model give the same files, byte for byte, wherever it runs.

        Raises
        ------
        UserError
            If the slide cannot be judged.
        OutputError
            If the results cannot be written.
        """
        with open_slide(self.path) as slide:
            identity = identify(slide, self.rules.file_name)
            facts = facts_of(slide, identity)
            model = _model(self.model)
            if model.mpps and slide.mpp is None:
                model = _model(RELATIVE_MODEL)
            known = calibrations_of(self.model) if self.calibrations is None else self.calibrations
            with one_thread():
                focus_map = map_of(slide, model, known)
            limits = self.rules.for_slide(facts.scanner, facts.stain)
            features = slide_features(focus_map, limits.blurred_um)
            result = Result(
                facts,
                features,
                judge(features, self.rules, scanner=facts.scanner, stain=facts.stain),
                blurred_regions(focus_map, limits.blurred_um),
                model.name,
                focus_map.model_version,
                f"{SLIDES_FOLDER}/{folder_name(facts)}",
            )
            thumbnail = _thumbnail(slide)
        write_folder(self.out / result.folder, focus_map, thumbnail, result, limits.blurred_um, identity.records)
        return result


def facts_of(slide: Slide, identity: Identity) -> SlideFacts:
    """Who a slide is, for the worklist."""
    known = identity.slide_id, identity.scanner, identity.stain
    return SlideFacts(slide.fingerprint, slide.path, slide.name, *known)


def folder_name(facts: SlideFacts) -> str:
    """Folder of a slide: its name in letters that every file system takes, and the start of its fingerprint."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", facts.path.stem).strip("._")[:_NAME_CHARS]
    return f"{stem or 'slide'}-{facts.fingerprint[:8]}"


def calibrations_of(model: str) -> tuple[Calibration, ...]:
    """The calibrations that slides judged by a model may be read with."""
    from focusviewer.focus.calibration.store import known_calibrations

    return known_calibrations({model, RELATIVE_MODEL})


def full_version(model: FocusModel, calibrations: Sequence[Calibration]) -> str:
    """Version of a model with a digest of what its scores are read by: other calibrations, other results."""
    from focusviewer.focus.calibration.store import calibrations_digest

    digest = calibrations_digest([item for item in calibrations if item.model == model.name])
    return f"{model.version}+{digest}" if digest else model.version


def map_of(slide: Slide, model: FocusModel, calibrations: Sequence[Calibration]) -> FocusMap:
    """Focus map of a slide without the times it took, in microns where a calibration holds for it.

    Of a focal stack the sharpest plane counts, window by window.
    """
    from focusviewer.focus.calibration.store import calibrated
    from focusviewer.focus.mapping.engine import map_slide
    from focusviewer.focus.tissue.mask import tissue_mask

    middle = len(slide.planes_um) // 2
    tissue = tissue_mask(slide, plane=middle)
    # One thread: how a map is cut into blocks depends on their number.
    found = map_slide(slide, model, plane=middle, threads=1, tissue=tissue)
    for plane in range(len(slide.planes_um)):
        if plane != middle:
            other = map_slide(slide, model, plane=plane, threads=1, tissue=tissue)
            found = replace(found, blur=np.fmin(found.blur, other.blur))
    found = calibrated(replace(found, seconds=0.0, decode_seconds=0.0), slide, model, calibrations)
    return replace(found, model_version=full_version(model, calibrations))


@functools.lru_cache(maxsize=2)
def _model(name: str) -> FocusModel:
    from focusviewer.focus.registry import get_model

    return get_model(name)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch, where it is in use, to one thread: sums come out the same everywhere, and workers share fairly."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _thumbnail(slide: Slide) -> RGB:
    from focusviewer.focus.resample import read_scaled

    scale = max(1.0, max(slide.dimensions) / THUMBNAIL_PX)
    width, height = (max(1, round(side / scale)) for side in slide.dimensions)
    return read_scaled(slide, len(slide.planes_um) // 2, scale, (0, 0, width, height))


def write_folder(
    folder: Path,
    focus_map: FocusMap,
    thumbnail: RGB,
    result: Result,
    blurred_um: float,
    records: Mapping[str, Any] | None = None,
) -> None:
    """Write ``map.npz``, ``map.png``, ``thumbnail.png``, ``map.geojson`` and ``summary.json``: all of them, or nothing.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    from focusviewer.focus.mapping.store import save_map

    half = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.tmp")
    try:
        half.mkdir(parents=True)
        save_map(focus_map, half / "map.npz")
        _save_picture(thumbnail, half / "thumbnail.png")
        _save_picture(_coloured(focus_map), half / "map.png")
        threshold = blurred_um / LEVEL_UM
        regions = to_geojson(focus_map, threshold) if focus_map.absolute else to_geojson(focus_map, np.inf)
        _save_json(regions, half / "map.geojson")
        described = {**_document(focus_map, result, threshold), "focus_records": dict(records or {})}
        _save_json(described, half / "summary.json")
        _replace(half, folder)
    except (OSError, UserError) as error:
        raise output_error(folder.parent, error) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _replace(half: Path, folder: Path) -> None:
    """Give the finished folder its name; one of a run that was stopped makes room."""
    try:
        half.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        old = half.with_suffix(".old")
        folder.rename(old)
        half.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def sweep(out: Path) -> None:
    """Remove what workers that were killed have left half written."""
    for path in (out / SLIDES_FOLDER).glob(".*"):
        if path.suffix in (".tmp", ".old"):
            shutil.rmtree(path, ignore_errors=True)


def _document(focus_map: FocusMap, result: Result, threshold: float) -> dict[str, Any]:
    described = summary(focus_map, threshold if focus_map.absolute else None)
    for name in ("seconds", "decode_seconds"):  # tell how busy the machine was, not what the slide is like
        del described[name]
    facts, judgement = result.facts, result.judgement
    return {
        **described,
        "path": str(facts.path),
        "fingerprint": facts.fingerprint,
        "slide_id": facts.slide_id,
        "scanner": facts.scanner,
        "stain": facts.stain,
        "model_version": result.model_version,
        "verdict": judgement.verdict.value,
        "score": judgement.score,
        "reasons": list(judgement.reasons),
        "rules": judgement.rules,
        "features": asdict(result.features),
        "regions": [asdict(region) for region in result.regions],
    }


def _coloured(focus_map: FocusMap) -> RGB:
    from focusviewer.focus.mapping.colour import colorize

    colours = colorize(focus_map, "absolute" if focus_map.absolute else "normalised")
    zoom = max(1, PICTURE_PX // max(colours.shape[:2]))
    return np.kron(colours, np.ones((zoom, zoom, 1), np.uint8))


def _save_picture(pixels: RGB, path: Path) -> None:
    from PIL import Image

    with path.open("wb") as file:
        Image.fromarray(pixels).save(file, format="PNG")
        file.flush()
        os.fsync(file.fileno())


def _save_json(document: dict[str, Any], path: Path) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, sort_keys=False)
    path.write_text(text + "\n", encoding="utf-8")
