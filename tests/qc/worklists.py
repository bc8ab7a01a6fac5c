"""Worklists as a batch leaves them, without slides or models."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.qc.batch.slide_task import folder_name, write_folder
from focusviewer.qc.verdicts.features import slide_features
from focusviewer.qc.verdicts.judgement import judgement_of
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import FileRow, Result, SlideFacts
from focusviewer.qc.worklist.regions import blurred_regions
from focusviewer.qc.worklist.store import FILE_NAME, Worklist

HOSTILE = (
    "<script>alert(1)<script>.svs",
    "\"quotes\" and 'more' & &amp; <b>.svs",
    "two\nlines\r\nand=1+1;=2.svs",
    "Präparat 切片 🔬 \u202egpj.svs",
    "n" * 196 + ".svs",
    '=HYPERLINK("x","y").svs',
    "+1+1.svs",
    "-2+3.svs",
    "@SUM(A1).svs",
    "\t=tab.svs",
    "'apostrophe.svs",
    "--><style><!-- <img src=x onerror=alert(1)>.svs",
    "$body ${title} {0} %s.svs",
)
"""Names of files that have broken programs."""

STRIDE = 470.0
MPP = 0.25


def focus_map(blur_um: float, part: float = 0.3, rows: int = 12, cols: int = 16) -> FocusMap:
    """A map of tissue in focus whose left ``part`` lies ``blur_um`` from focus; the last column is empty."""
    blur = np.full((rows, cols), 0.2 / LEVEL_UM, np.float32)
    blur[:, : round(part * cols)] = blur_um / LEVEL_UM
    blur[:, -1] = np.nan
    x, y = (STRIDE * (np.arange(count) + 0.45) for count in (cols, rows))
    return FocusMap(blur, x.astype(np.float32), y.astype(np.float32), "test", "1", True, 2 * STRIDE, STRIDE, MPP)


@functools.cache
def thumbnail() -> np.ndarray:
    """A pale ground with blobs of grain on it, 256 x 192 px."""
    rng = np.random.default_rng(4)
    rows, cols = np.mgrid[:192, :256]
    blobs = np.clip(2 * np.sin(rows / 21) * np.cos(cols / 29), 0, 1)[..., None]
    grain = blobs * np.kron(0.4 + 0.3 * rng.random((48, 64, 1)), np.ones((4, 4, 1)))
    return np.asarray(235 - grain * np.array([90, 170, 60]), np.uint8)


def result_of(
    path: Path, number: int, blur_um: float, part: float, rules: Rules, found: FocusMap | None = None
) -> Result:
    """What the program found on a slide that does not exist."""
    found = found or focus_map(blur_um, part)
    facts = SlideFacts(f"{number:032x}", path, path.name, f"S-{number}", "aperio SS1302", "H&E")
    features = slide_features(found, rules.thresholds.blurred_um)
    regions = blurred_regions(found, rules.thresholds.blurred_um)
    return Result(facts, features, judgement_of(features, rules), regions, "test", "1", f"slides/{folder_name(facts)}")


def fill(
    worklist: Worklist,
    paths: list[Path],
    rules: Rules,
    blurs_um: tuple[float, ...] = (4.0, 0.2, 2.45),
    files: int = 1000,
) -> list[Result]:
    """Enter slides, the blur of each in turn; the first ``files`` get the folders that a batch writes."""
    results = []
    for number, path in enumerate(paths, 1):
        blur_um = blurs_um[number % len(blurs_um)]
        found = focus_map(blur_um, 0.3 if blur_um > 3 else 0.07)
        if blur_um < 3:
            found.blur[10:, 0] = 0.2 / LEVEL_UM  # a little blurred: for REVIEW
        result = result_of(path, number, blur_um, 0.3, rules, found)
        if number <= files:
            write_folder(worklist.folder / result.folder, found, thumbnail(), result, rules.thresholds.blurred_um)
        worklist.record(result)
        worklist.note_file(FileRow(path, result.facts.fingerprint, 1, 1))
        results.append(result)
    return results


def open_worklist(folder: Path) -> Worklist:
    """A new worklist."""
    return Worklist(folder / FILE_NAME)
