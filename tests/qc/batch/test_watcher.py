"""A scanner's folder: slides are judged once they are complete, and once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from focusviewer.qc.batch.runner import Batch
from focusviewer.qc.batch.watcher import Watcher
from focusviewer.qc.worklist.summary import QcSummary
from tests.qc.tasks import InlinePool


def test_a_file_is_complete_when_it_stands_still_and_opens(slide_file: Callable[..., Path], tmp_path: Path) -> None:
    whole = slide_file("whole.tif").read_bytes()
    folder = tmp_path / "scans"
    folder.mkdir()
    path = folder / "a.tif"
    watcher = Watcher([folder], [], settle_s=10.0)
    assert watcher.complete(0.0) == []
    path.write_bytes(whole[:9000])
    assert watcher.complete(5.0) == [] and watcher.complete(14.0) == []
    assert watcher.complete(16.0) == []  # stands still, but cannot be opened yet
    path.write_bytes(whole)
    assert watcher.complete(20.0) == [] and watcher.complete(29.0) == []
    assert watcher.complete(31.0) == [path]
    assert watcher.complete(60.0) == []  # once


def test_a_file_that_never_opens_is_given_up_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_text("no slide")
    watcher = Watcher([tmp_path], [], settle_s=1.0)
    assert [watcher.complete(float(now)) for now in range(6)] == [[]] * 6
    assert watcher.complete(6.5) == [tmp_path / "a.svs"]


def test_a_slide_of_several_files_waits_for_all_of_them(slide_file: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(slide_file("a.tif"), folder / "a.mrxs")
    parts = folder / "a"
    parts.mkdir()
    (parts / "Slidedat.ini").touch()
    watcher = Watcher([folder], [], settle_s=10.0)
    assert watcher.complete(0.0) == []
    (parts / "Data0001.dat").write_bytes(b"more")
    assert watcher.complete(11.0) == [] and watcher.complete(22.0) == [folder / "a.mrxs"]


def test_watching_judges_what_arrives_until_it_is_ended(
    slide_file: Callable[..., Path], batch: Callable[..., Batch], tmp_path: Path
) -> None:
    slide_file("first.tif", 1)
    cancel, pool, seen = threading.Event(), InlinePool(), []

    def on_summary(summary: QcSummary) -> None:
        seen.append(summary.slides)
        if len(seen) == 1:
            slide_file("second.tif", 2)
        else:
            cancel.set()

    watcher = Watcher([tmp_path / "in"], [], settle_s=0.05)
    summary = watcher.run(batch(pool, cancel=cancel), 0.02, cancel, on_summary)
    assert seen == [1, 2] and summary.slides == 2 and summary.judged == 2
    assert len(pool.done) == 4  # each opened once and judged once
