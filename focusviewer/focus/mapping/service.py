"""The focus map of a slide in one call: scored, in microns where a calibration holds, from the cache if it is there.

The command line, batches, the window and Python users all come through here. What the map says in numbers is in
:mod:`focusviewer.focus.mapping.summary`, its files are written by :mod:`focusviewer.focus.mapping.outputs`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from focusviewer.core.geometry import Box
from focusviewer.focus.base import FocusMap, FocusModel
from focusviewer.focus.calibration.curve import Calibration, apply_calibration
from focusviewer.focus.calibration.store import find_calibration
from focusviewer.focus.mapping.engine import OnProgress, map_slide
from focusviewer.focus.mapping.store import MapCache
from focusviewer.focus.registry import DEFAULT_MODEL, get_model
from focusviewer.focus.tissue.mask import tissue_mask
from focusviewer.slides import Slide


def map_focus(
    slide: Slide,
    model: FocusModel | str = DEFAULT_MODEL,
    *,
    region: Box | None = None,
    plane: int | Literal["sharpest"] = 0,
    calibrations: Sequence[Calibration] | None = None,
    cache: MapCache | None = None,
    threads: int = 2,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> FocusMap:
    """Focus map of a slide, in levels of 0.25 um where a calibration holds for it.

    Parameters
    ----------
    slide : Slide
        An open one; it stays open.
    model : FocusModel or str
        A model, or its name in the registry.
    region : (x, y, width, height), optional
        In level-0 pixels; the whole slide when missing.
    plane : int or "sharpest"
        Focal plane to score. "sharpest" scores all planes and takes the least blur, window by window; tissue is looked
        for in the middle plane.
    calibrations : sequence of Calibration, optional
        Those that scores may be read by, the first that holds counts; the user's own and the shipped ones when
        missing. An empty sequence leaves the scores as the model gives them.
    cache : MapCache, optional
        Where to look for a map of one plane of the whole slide, and to keep it; scores are kept there as the model
        gives them, since calibrations come and go.
    threads : int
        Worker threads. How a map is cut into blocks depends on their number.
    on_progress : callable, optional
        Called with the fraction done and the calibrated map so far, as by :func:`map_slide`.
    cancel : threading.Event, optional
        Set it to stop.

    Raises
    ------
    UserError
        If there is no such model, or the user's calibrations cannot be read.
    ScaleUnknownError
        If the model needs microns and the slide has none.
    CancelledError
        If ``cancel`` was set.
    SlideError
        If no part of the region could be read.
    """
    focus_model = get_model(model) if isinstance(model, str) else model
    check_scale(slide, focus_model)
    known = find_calibration(focus_model, slide, known=calibrations)

    def tell(fraction: float, partial: FocusMap) -> None:
        assert on_progress is not None
        on_progress(fraction, apply_calibration(partial, known))

    heard = None if on_progress is None else tell
    if plane == "sharpest":
        return apply_calibration(_sharpest(slide, focus_model, region, threads, heard, cancel), known)
    kept = cache if region is None else None
    found = kept.get(slide, focus_model, plane) if kept is not None else None
    if found is None:
        found = map_slide(
            slide, focus_model, region=region, plane=plane, on_progress=heard, cancel=cancel, threads=threads
        )
        if kept is not None:
            kept.put(slide, focus_model, found)
    return apply_calibration(found, known)


def check_scale(slide: Slide, model: FocusModel) -> None:
    """Refuse a slide of unknown pixel size for a model that needs to know it, before any work is done.

    Raises
    ------
    ScaleUnknownError
    """
    if model.mpps and slide.mpp is None:
        raise slide.scale_error()


def _sharpest(
    slide: Slide,
    model: FocusModel,
    region: Box | None,
    threads: int,
    on_progress: OnProgress | None,
    cancel: threading.Event | None,
) -> FocusMap:
    """The map of the middle plane with the least blur of all planes in every window."""
    count = len(slide.planes_um)
    middle = count // 2
    tissue = tissue_mask(slide, plane=middle)
    found: FocusMap | None = None
    for done, plane in enumerate([middle, *(other for other in range(count) if other != middle)]):

        def tell(fraction: float, partial: FocusMap, done: int = done) -> None:
            assert on_progress is not None
            on_progress((done + fraction) / count, partial)

        made = map_slide(
            slide,
            model,
            region=region,
            plane=plane,
            on_progress=None if on_progress is None else tell,
            cancel=cancel,
            threads=threads,
            tissue=tissue,
        )
        if found is None:
            found = made
            continue
        found = replace(
            found,
            blur=np.fmin(found.blur, made.blur),
            seconds=found.seconds + made.seconds,
            decode_seconds=found.decode_seconds + made.decode_seconds,
        )
    assert found is not None
    return found
