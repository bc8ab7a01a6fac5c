"""Closing the window never waits for a file, disk or network that does not answer."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from focusviewer.app.services.jobs import Jobs, Lane
from tests.app.fakes import FakeSlide

HANG = """
import time
from pathlib import Path
from PySide6.QtCore import QTimer
from focusviewer.app.program import leave, make_application, make_window
app = make_application(offscreen=True)
window = make_window(app, remember=False)
window.slides.opener = lambda path: time.sleep(1000)
window.show()
window.open_paths([Path("/slides/a.svs"), Path("/slides/b.svs")])
QTimer.singleShot(300, window.close)
code = leave(app.exec(), window)
print("not hung")
"""


def test_the_process_ends_although_a_reader_never_does() -> None:
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "not hung" not in done.stdout
    assert time.monotonic() - started < 60


def test_a_window_closes_although_tiles_and_pictures_never_come(window, open_in, slides, qtbot, monkeypatch) -> None:
    held = threading.Event()
    slide = FakeSlide("held.svs")
    slide.read_associated = lambda name: held.wait(30)
    slide.bad = lambda region: held.wait(30) and False
    slide.close = lambda: held.wait(30)
    slides["held.svs"] = slide
    window.slides.opener = lambda path: slides[path.name]
    window.open_paths([slide.path])
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    qtbot.wait(100)
    started = time.monotonic()
    try:
        window.close()
        assert time.monotonic() - started < 15
        assert window.jobs.is_hung or window.tiles.loader.is_hung
    finally:
        held.set()


def test_what_is_essential_is_waited_for_and_what_is_cancelled_only_briefly(qtbot) -> None:
    jobs, held, kept = Jobs(), threading.Event(), []
    jobs.start("hung", lambda job: held.wait(30), lane=Lane.FILES)
    jobs.start("kept", lambda job: (time.sleep(0.5), kept.append(1)), lane=Lane.WORKLIST, essential=True)
    started = time.monotonic()
    try:
        jobs.close(patience_s=0.1)
        assert kept == [1] and jobs.is_hung
        assert time.monotonic() - started < 8
    finally:
        held.set()


def test_jobs_that_end_leave_nothing_hanging(qtbot) -> None:
    jobs = Jobs()
    jobs.start("quick", lambda job: job.cancel.wait(30), lane=Lane.ANALYSIS)
    jobs.close()
    assert not jobs.is_hung
