"""One slide from file to verdict: what every worker does."""

from __future__ import annotations

import functools
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.base import LEVEL_UM, FocusMap, FocusModel
from focusviewer.focus.calibration.curve import Calibration
from focusviewer.focus.mapping.outputs import write_map, write_picture
from focusviewer.focus.mapping.service import map_focus
from focusviewer.focus.mapping.summary import summary
from focusviewer.focus.tissue.fluorescence import FluorescenceError
from focusviewer.qc.batch.tasks import output_error
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import judgement_of
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import Result, SlideFacts
from focusviewer.qc.worklist.regions import blurred_regions
from focusviewer.slides import Slide, open_slide
from focusviewer.slides.identity import NamePattern, identify

SLIDES_FOLDER = "slides"
RELATIVE_MODEL = "tenengrad"
"""Maps slides of unknown pixel size, and fluorescence: not in um, but where they are sharper and where less sharp."""

THUMBNAIL_PX = 512
PICTURE_PX = 800
_NAME_CHARS = 60


@dataclass(frozen=True)
class Identified:
    """The identity of a slide, and what its scanner wrote about its focus."""

    facts: SlideFacts
    records: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, slide: Slide, pattern: NamePattern | None) -> Identified:
        """Identify an open slide; ``pattern`` finds in its name what it does not state."""
        found = identify(slide, pattern)
        known = found.slide_id, found.scanner, found.stain
        return cls(SlideFacts(slide.fingerprint, slide.path, slide.name, *known), found.records)


@dataclass(frozen=True)
class IdentifyTask:
    """Open a file and say which slide it is; ``pattern`` finds in its name what it does not state."""

    path: Path
    pattern: NamePattern | None = None

    def prepare(self) -> None:
        """Nothing has to be loaded to open a file."""

    def run(self) -> Identified:
        """See the class.

        Raises
        ------
        UserError
            If it cannot be opened.
        """
        with open_slide(self.path) as slide:
            return Identified.of(slide, self.pattern)


@dataclass(frozen=True)
class VerdictTask:
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
    identified : Identified, optional
        What an IdentifyTask found of this file, so that it is not looked for twice; a file that has changed since is
        identified anew.
    """

    path: Path
    out: Path
    rules: Rules
    model: str
    calibrations: tuple[Calibration, ...] | None = None
    identified: Identified | None = None

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
            identified = self.identified
            if identified is None or identified.facts.fingerprint != slide.fingerprint:
                identified = Identified.of(slide, self.rules.file_name)
            facts = identified.facts
            model = _model(self.model)
            if model.mpps and slide.mpp is None:
                model = _model(RELATIVE_MODEL)
            known = calibrations_of(self.model) if self.calibrations is None else self.calibrations
            with one_thread():
                try:
                    focus_map = map_of(slide, model, known)
                except FluorescenceError:
                    model = _model(RELATIVE_MODEL)
                    focus_map = map_of(slide, model, known)
            limits = self.rules.for_slide(facts.scanner, facts.stain)
            features = slide_features(focus_map, limits.blurred_um, slide.info.missing_planes)
            result = Result(
                facts,
                features,
                judgement_of(features, self.rules, scanner=facts.scanner, stain=facts.stain),
                blurred_regions(focus_map, limits.blurred_um),
                model.name,
                focus_map.model_version,
                f"{SLIDES_FOLDER}/{folder_name(facts)}",
            )
            thumbnail = _thumbnail(slide)
        write_folder(self.out / result.folder, focus_map, thumbnail, result, limits.blurred_um, identified.records)
        return result


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
    # One thread: how a map is cut into blocks depends on their number.
    found = map_focus(slide, model, plane="sharpest", calibrations=calibrations, threads=1)
    return replace(found, seconds=0.0, decode_seconds=0.0, model_version=full_version(model, calibrations))


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
    half = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.tmp")
    try:
        half.mkdir(parents=True)
        described = {**_document(focus_map, result, blurred_um / LEVEL_UM), "focus_records": dict(records or {})}
        write_map(half, focus_map, described, picture_px=PICTURE_PX)
        write_picture(half / "thumbnail.png", thumbnail)
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
