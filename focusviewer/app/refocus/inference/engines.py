"""What engines do for the window; every method here runs in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QImage

from focusviewer.app.refocus.area import RefocusArea, RefocusRequest
from focusviewer.app.services.jobs import Job
from focusviewer.app.services.pixels import read_rect, to_qimage
from focusviewer.app.services.torch_import import import_torch
from focusviewer.app.viewer.document import Document
from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus import ENGINES, modes
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides import TileKey

if TYPE_CHECKING:
    from focusviewer.refocus.evidence.unevenness import LeftOut

EngineMaker = Callable[[str], Refocuser]
Cached = Callable[[TileKey], RGB | None]

TARGETS = {"all-in-focus": "all in focus", "deblur": "best focus"}
"""What files say of a target that the mode has found from the pixels."""


@lru_cache
def is_slow(name: str) -> bool:
    """Whether an engine takes seconds for a view.

    Such an engine works piece by piece, and is stopped when something else is wanted.
    """
    return ENGINES.is_slow(name)


def make_engine(name: str) -> Refocuser:
    """Build an engine (in a worker: it may import torch)."""
    from focusviewer.refocus import get_engine

    import_torch()
    return get_engine(name)


@dataclass(frozen=True)
class Study:
    """A view as an engine has encoded it, with the scanned pixels it was made from."""

    area: RefocusArea
    encoded: Encoded
    images: tuple[RGB, ...]
    milliseconds: float


@dataclass(frozen=True)
class Rendered:
    """A synthesised picture and what it is.

    Attributes
    ----------
    mode : str
        Name of the mode that asked for it.
    z_um : float or None
        Its focus; None when it differs from place to place.
    target_um : float or float32 (H, W)
        What the engine was asked for.
    encoded : Encoded
        What it was rendered from: the study, or what the mode ``assume`` made of it.
    """

    area: RefocusArea
    mode: str
    z_um: float | None
    target_um: float | FloatMap
    encoded: Encoded
    pixels: RGB
    image: QImage
    engine_version: str
    milliseconds: float


class EngineHost:
    """Keeps the engines that were built.

    A slow engine is used by one thread at a time, as it reports to one job only.
    """

    def __init__(self, maker: EngineMaker = make_engine) -> None:
        self.maker = maker
        self._engines: dict[str, Refocuser] = {}
        self._building = Lock()

    def engine(self, name: str) -> Refocuser:
        """The engine of a name, built at its first use.

        Raises
        ------
        UserError
            If it cannot be built.
        """
        with self._building:
            if name not in self._engines:
                made = self.maker(name)
                if is_slow(name):
                    from focusviewer.refocus.piecewise import PiecewiseEngine

                    made = PiecewiseEngine(made)
                self._engines[name] = made
            return self._engines[name]

    @contextmanager
    def working(self, name: str, job: Job, *, report: bool = True) -> Iterator[Refocuser]:
        """Use an engine for a job; a slow one can be stopped by the job and reports its progress."""
        engine = self.engine(name)
        if is_slow(name):
            with engine.watched(job.cancel, job.report if report else _ignore_progress):  # type: ignore[attr-defined]
                yield engine
        else:
            yield engine

    def study(self, document: Document, area: RefocusArea, cached: Cached | None, job: Job) -> Study:
        """Read the planes of an area and let its engine study them.

        Raises
        ------
        SlideError
            If a part cannot be decoded.
        CancelledError
            If the job was stopped.
        """
        images = tuple(
            read_rect(document.pyramid, area.zoom, area.rect, plane, cached, job.cancel) for plane in area.planes
        )
        from focusviewer.focus.calibration.profiles import find_profile

        with self.working(area.engine, job) as engine:
            started = perf_counter()
            profile = find_profile(document.slide) if engine.uses_profile else None
            encoded = engine.encode(images, area.mpp, area.planes_um, profile=profile)
            return Study(area, encoded, images, 1000 * (perf_counter() - started))

    def render(self, study: Study, request: RefocusRequest, job: Job) -> Rendered:
        """Render a view in the focus that is asked for.

        Raises
        ------
        UserError
            If the mode does not apply to this view, or the focus is out of range.
        """
        area = study.area
        with self.working(area.engine, job) as engine:
            started = perf_counter()
            wanted = request.for_region(area.box, study.encoded.shape)
            encoded = modes.encoded_for(engine, study.encoded, wanted)
            target = modes.target_of(engine, encoded, wanted)
            pixels = engine.render(encoded, target)
            spent = 1000 * (perf_counter() - started)
            image = to_qimage(pixels)
            return Rendered(area, request.mode, request.z_um, target, encoded, pixels, image, engine.version, spent)

    def best_z(self, study: Study, low_um: float, high_um: float, job: Job) -> float:
        """Sharpest focus of a view, judged by its blur score."""
        from focusviewer.refocus.auto import best_z

        with self.working(study.area.engine, job) as engine:
            return best_z(engine, study.encoded, low_um, high_um, job.cancel)

    def left_out(self, study: Study, z_um: float) -> LeftOut | None:
        """The tissue of a view that a focus leaves out, where that is much."""
        from focusviewer.refocus.evidence.unevenness import left_out

        return left_out([study.encoded], z_um)

    def provenance(self, document: Document, picture: Rendered) -> dict[str, Any]:
        """The provenance of a synthesised picture, for its file."""
        target = picture.z_um if picture.z_um is not None else TARGETS.get(picture.mode, picture.target_um)
        said = self.area_provenance(document, picture.area, target, picture.encoded.profile)
        facts = {**said, "mode": picture.mode}
        if picture.mode == "assume":
            facts["target"] = modes.TARGETS["assume"]
        return facts | modes.assumption(picture.mode, picture.area.planes_um, picture.z_um)

    def area_provenance(
        self,
        document: Document,
        area: RefocusArea,
        target: float | FloatMap | str,
        profile: OpticsProfile | None = None,
    ) -> dict[str, Any]:
        """The provenance of a picture of an area at a target, made with measured optics where there are any."""
        from focusviewer.refocus.provenance import provenance

        engine = self.engine(area.engine)
        info = document.slide.info
        return provenance(engine, info, area.planes, area.planes_um, target, area.mpp, area.box, profile)


def _ignore_progress(fraction: float) -> None:
    """Report nothing."""


def is_fluorescence(document: Document) -> bool:
    """Whether a slide is fluorescence; what cannot be read is not."""
    from focusviewer.core.errors import SlideError
    from focusviewer.refocus import support

    try:
        return support.is_fluorescence(document.slide)
    except SlideError:
        return False
