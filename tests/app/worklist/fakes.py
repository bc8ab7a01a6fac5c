"""A small worklist beside the made-up slides, with the folders that a batch writes, and helpers to work with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt

from focusviewer.app.window import MainWindow
from focusviewer.focus.base import FocusMap
from focusviewer.qc.batch.slide_task import folder_name, write_folder
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import judgement_of
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import Result, SlideFacts
from focusviewer.qc.worklist.regions import blurred_regions
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from tests.app.fakes import FakeSlide, fake_map

RULES = Rules()


def map_of(slide: FakeSlide, blurred_levels: float, cols: slice) -> FocusMap:
    """Sharp, but for some columns in the lower rows, and a smaller and lesser region above."""
    made = fake_map(slide)
    blur = np.where(np.isfinite(made.blur), 1.0, np.nan).astype(np.float32)
    blur[6:, cols] = blurred_levels
    if blurred_levels > 1.0:
        blur[2:4, :2] = blurred_levels / 1.25
    return replace(made, blur=blur)


def enter(worklist: Worklist, slide: FakeSlide, blurred_levels: float, cols: slice = slice(10, 16)) -> Result:
    """Judge a made-up slide by the default rules and write its folder."""
    focus_map = map_of(slide, blurred_levels, cols)
    facts = SlideFacts(slide.fingerprint, slide.path, slide.name, f"S-{slide.path.stem}", "scanner", "H&E")
    limits = RULES.for_slide()
    features = slide_features(focus_map, limits.blurred_um)
    regions = blurred_regions(focus_map, limits.blurred_um)
    folder = f"slides/{folder_name(facts)}"
    result = Result(
        facts, features, judgement_of(features, RULES), regions, focus_map.model, focus_map.model_version, folder
    )
    width, height = slide.dimensions
    thumbnail = np.full((round(256 * height / width), 256, 3), 220, np.uint8)
    write_folder(worklist.folder / folder, focus_map, thumbnail, result, limits.blurred_um)
    worklist.record(result)
    return result


def make_worklist(folder: Path, slides: dict[str, FakeSlide]) -> Path:
    """Three slides: one to rescan, one without fault, one on the border; and a file that is broken."""
    path = folder / FILE_NAME
    with Worklist(path) as worklist:
        enter(worklist, slides["fake.svs"], 16.0, slice(8, 18))
        enter(worklist, slides["other.svs"], 1.0)
        enter(worklist, slides["stack.tif"], 6.4, slice(5, 6))
        worklist.record_failure(Path("/slides/broken.svs"), "it is truncated")
    return path


def quiet(qtbot, *windows: MainWindow) -> None:
    """Wait until nothing is at work."""
    qtbot.waitUntil(lambda: not any(window.jobs.running() for window in windows), timeout=8000)
    qtbot.wait(5)
    qtbot.waitUntil(lambda: not any(window.jobs.running() for window in windows), timeout=8000)


def listed_names(window: MainWindow) -> list[str]:
    """Slides as the table lists them."""
    return [line.name for line in window.worklist.panel.table.lines.lines]


def press(qtbot, window: MainWindow, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key in the table, and wait for what comes of it."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=3000)
    qtbot.keyClick(window.worklist.panel.table, key, modifier)
    quiet(qtbot, window)


def verdicts_in(path: Path, fingerprint: str) -> list[tuple[str, str, bool, bool]]:
    """Verdicts on a slide in the file: who, what, blinded, undone."""
    with Worklist(path) as worklist:
        return [(v.who, v.verdict.value, v.blinded, bool(v.undone_at)) for v in worklist.history(fingerprint)]
