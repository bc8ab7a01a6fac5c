"""The demonstration: the demo slide, its focus map, a blurred part refocused; with pictures and figures."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from focusviewer.app.program import make_application, make_window
from focusviewer.app.services.jobs import Job, Lane
from focusviewer.app.services.pixels import from_qimage
from focusviewer.app.waiting import wait_until
from focusviewer.app.window import MainWindow
from focusviewer.core.arrays import FloatMap
from focusviewer.core.cancel import stop_if
from focusviewer.core.display import SNAPSHOT_FOLDER, has_display
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.core.files import atomic_write, output_folder
from focusviewer.focus.base import FocusMap
from focusviewer.slides.marks import STATEMENT
from focusviewer.slides.marks.picture_file import write_picture

log = logging.getLogger(__name__)

WINDOW_SIZE = (1600, 1000)
WANTED_Z_UM = 2.0  # clearly blurred, but within the range that can be refocused
STEPS_UM = (0.5, 1.0, 1.5, 2.0, 2.5)
MAKE_S, WORK_S = 600.0, 300.0


class Demo:
    """Runs the demonstration in a window and notes how long its steps take."""

    def __init__(self, window: MainWindow, folder: Path | None) -> None:
        self.window, self.folder = window, folder
        self.facts: dict[str, Any] = {}
        self.truth: dict[str, FloatMap] = {}
        self._closed = False
        window.closed.connect(self._note_closed)

    def run(self) -> None:
        """All steps, in order."""
        self._open()
        self._map()
        self._refocus()
        if self.folder is not None:
            self._write_facts(self.folder)

    def _note_closed(self) -> None:
        self._closed = True

    def _until(self, reached: Callable[[], bool], what: str, seconds: float = WORK_S) -> None:
        """Wait for a state; an error message in the window, or closing it, ends the demonstration."""
        window = self.window

        def settled() -> bool:
            return self._closed or bool(self._errors()) or reached()

        wait_until(settled, what, seconds)
        if self._closed:
            raise CancelledError
        if errors := self._errors():
            raise UserError(f"The demonstration stopped at {what}", errors[0], "")
        window.update()

    def _errors(self) -> list[str]:
        return [message.text for message in self.window.messages.messages() if message.kind == "error"]

    def _open(self) -> None:
        from focusviewer.simulation.demo_slide import DemoSlide, ensure_demo_slide

        window = self.window
        found: list[DemoSlide] = []

        def work(job: Job) -> DemoSlide:
            def progress(fraction: float, text: str) -> None:
                stop_if(job.cancel)
                job.report(fraction)

            demo = ensure_demo_slide(on_progress=progress)
            with np.load(demo.truth) as stored:
                self.truth = {name: np.asarray(stored[name]) for name in stored.files}
            return demo

        title = "Making the demo slide (once)"
        window.jobs.progressed.connect(_tell_terminal)
        window.jobs.start("demo", work, lane=Lane.ANALYSIS, title=title, done=found.append, failed=window.show_error)
        self._until(lambda: bool(found), "the demo slide", MAKE_S)
        window.jobs.progressed.disconnect(_tell_terminal)
        window.load_registries()
        self._until(lambda: bool(window.mapping.state.model), "the list of models")
        self._until(lambda: bool(window.refocusing.state.engine), "the list of engines")
        started = perf_counter()
        window.open_paths([found[0].slide])
        self._until(lambda: window.document is not None and window.viewport.is_complete, "the picture")
        self.facts["open_ms"] = round(window.slides.open_ms, 1)
        self.facts["first_paint_ms"] = round(1000 * (perf_counter() - started), 1)
        self._rest()
        self._picture("overview.png")

    def _map(self) -> None:
        from focusviewer.focus.mapping.truth import correlation_with_truth

        window = self.window
        made: list[FocusMap] = []
        window.heatmap.finished.connect(made.append)
        started = perf_counter()
        window.mapping.run()
        self._until(lambda: bool(made), "the focus map")
        focus_map = made[0]
        self.facts["heatmap_s"] = round(perf_counter() - started, 2)
        self.facts["heatmap_made_s"] = round(focus_map.seconds, 2)  # also when it came from the cache
        self.facts["heatmap_model"] = focus_map.model
        self.facts["heatmap_windows"] = int(focus_map.tissue.sum())
        self.facts["heatmap_srcc"] = round(correlation_with_truth(focus_map, self.truth), 4)
        self._until(lambda: not window.jobs.running("worst"), "the worst regions")
        self._rest(0.4)
        self._picture("heatmap.png")

    def _refocus(self) -> None:
        window = self.window
        x, y = blurred_place(self.truth, WANTED_Z_UM)
        window.mapping.state.visible = False
        window.mapping.section.fold()
        window.viewport.go_to(x, y, 1.0)
        self._until(lambda: window.viewport.is_complete, "the blurred part")
        self._rest()
        self._picture("refocus-before.png")
        window.refocusing.auto_focus()
        self._until(lambda: window.refocus.shown is not None or self._at_plane(), "the refocused picture")
        self.facts["refocus_encode_ms"] = round(window.refocus.encode_ms, 1)
        self.facts["refocus_z_um"] = round(window.refocusing.state.target_um, 2)
        self._rest()
        self._picture("refocus-after.png")
        auto = window.refocusing.state.target_um
        self.facts["refocus_step_ms"] = round(float(np.median([self._step(z) for z in STEPS_UM])), 1)
        window.refocusing.state.turn(auto)
        self.facts["refocus_view_px"] = [window.viewport.width(), window.viewport.height()]

    def _at_plane(self) -> bool:
        # Auto may find that the scan itself is the sharpest there is
        return window_is_idle(self.window) and self.window.refocusing.state.target_um == 0.0

    def _step(self, z_um: float) -> float:
        shown: list[Any] = []
        self.window.refocus.rendered.connect(shown.append)
        self.window.refocusing.state.turn(z_um)
        self._until(lambda: bool(shown) and shown[-1].z_um == self.window.refocusing.state.target_um, "a slider step")
        self.window.refocus.rendered.disconnect(shown.append)
        return float(shown[-1].milliseconds)

    def _rest(self, seconds: float = 0.25) -> None:
        end = perf_counter() + seconds
        self._until(lambda: perf_counter() > end, "the window at rest")

    def _picture(self, name: str) -> None:
        if self.folder is None:
            return
        image, path = self.window.grab().toImage(), self.folder / name
        saved: list[None] = []

        computed = self.window.refocus.shown is not None
        facts = {"statement": STATEMENT if computed else "a window of the program", "synthesised": computed}

        def work(job: Job) -> None:
            write_picture(path, from_qimage(image), "a window of FocusViewer", facts, None)

        self.window.jobs.start(f"save {name}", work, lane=Lane.FILES, done=saved.append, failed=self.window.show_error)
        self._until(lambda: bool(saved), name)

    def _write_facts(self, folder: Path) -> None:
        with atomic_write(folder / "demo.json") as temporary:
            temporary.write_text(json.dumps(self.facts, indent=1), encoding="utf-8")


def window_is_idle(window: MainWindow) -> bool:
    """Whether no job runs."""
    return not window.jobs.running()


def _tell_terminal(job: Job) -> None:
    if job.kind == "demo" and sys.stderr.isatty():
        end = "\n" if job.fraction >= 1 else ""
        print(f"\r{job.title}: {100 * job.fraction:3.0f} %", end=end, file=sys.stderr, flush=True)


def blurred_place(truth: dict[str, FloatMap], z_um: float, reach: int = 8) -> tuple[float, float]:
    """Level-0 centre of the part of the slide's tissue that is most evenly out of focus by about ``z_um``."""
    far = 10.0
    distance = np.where(truth["tissue"], np.abs(np.abs(truth["z_um"]) - z_um), far)
    sums = np.pad(np.pad(distance, reach, constant_values=far).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    size = 2 * reach + 1
    mean = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    row, col = np.unravel_index(int(np.argmin(mean)), mean.shape)
    return float(truth["x"][col]), float(truth["y"][row])


def run_demo(snapshot: Path | None, started: float) -> dict[str, Any]:
    """See :func:`focusviewer.app.run_demo`; ``started`` is when it was called (perf_counter)."""
    offscreen = snapshot is not None or not has_display()
    folder = output_folder(snapshot or SNAPSHOT_FOLDER) if offscreen else None
    app = make_application(offscreen=offscreen)
    window = make_window(app, remember=not offscreen)
    if offscreen:
        window.resize(*WINDOW_SIZE)
    window.show()
    wait_until(lambda: window.isVisible() and window.viewport.painted, "the window", 20)
    demo = Demo(window, folder)
    demo.facts["window_ms"] = round(1000 * (perf_counter() - started), 1)
    try:
        demo.run()
        if not offscreen:
            app.exec()
    except CancelledError:  # the user has closed the window
        log.info("the demonstration was closed")
    finally:
        window.close()
    if folder is not None:
        print(f"The demonstration's pictures and figures are in {folder}", file=sys.stderr)
    return demo.facts
