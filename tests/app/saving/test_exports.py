"""Files that take minutes: two at once, slides and windows that are closed meanwhile, files that must not be lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox

from focusviewer.app.services.jobs import Jobs, Lane
from focusviewer.app.widgets.bars import JobList
from focusviewer.core.errors import CancelledError
from focusviewer.slides import Region
from tests.app.fakes import FakeEngine


class Gate:
    """Stands in for the export of a region: reads the slide when the gate opens."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun: list[Path] = []
        self.read: list[Path] = []

    def __call__(self, view, engine, wish, path, on_progress, cancel) -> None:
        self.begun.append(path)
        while not (cancel.is_set() or self.open.wait(0.01)):
            pass
        if cancel.is_set():
            raise CancelledError
        view.slide.read_region(Region(0, 0, 0, 8, 8))
        self.read.append(path)


@pytest.fixture
def gate(window, open_in, monkeypatch, qtbot) -> Iterator[Gate]:
    """A window that refocuses a slide, and whose regions take until the gate is opened."""
    made = Gate()
    monkeypatch.setattr("focusviewer.refocus.regions.export.export_region", made)
    window.refocus.engine_maker = lambda name: FakeEngine()
    window.resize(700, 520)
    open_in(window, "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.toggle()
    yield made
    made.open.set()
    qtbot.waitUntil(lambda: not window.saving.export.running, timeout=5000)


def said(window) -> str:
    return " | ".join(message.text for message in window.messages.messages())


def test_a_sweep_does_not_wait_for_a_region(window, gate, qtbot, tmp_path) -> None:
    export = window.saving.export
    export.region(tmp_path / "a.ome.tif", whole=True)
    qtbot.waitUntil(lambda: len(gate.begun) == 1, timeout=5000)
    with qtbot.waitSignal(export.saved, timeout=20000) as saved:
        export.sweep(tmp_path / "b.webp", 0.0, 0.4)
    assert saved.args == [tmp_path / "b.webp"]
    assert gate.read == []


def test_a_second_region_waits_for_its_turn_and_says_so(window, gate, qtbot, tmp_path) -> None:
    export = window.saving.export
    first, second = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    export.region(first, whole=True)
    export.region(second, whole=False)
    by_name = [(job.title, job.waiting) for job in export.running]
    assert by_name == [("Saving a.ome.tif", False), ("Saving b.ome.tif", True)]
    gate.open.set()
    qtbot.waitUntil(lambda: gate.read == [first, second], timeout=5000)


def test_a_file_that_is_being_saved_is_not_begun_again(window, gate, qtbot, tmp_path) -> None:
    export, path = window.saving.export, tmp_path / "a.ome.tif"
    export.region(path, whole=True)
    export.region(path, whole=False)
    assert "a.ome.tif is being saved already" in said(window)
    (job,) = export.running
    assert not job.cancel.is_set()
    window.jobs.cancel_job(job)
    qtbot.waitUntil(lambda: not export.running, timeout=5000)
    export.region(path, whole=False)  # stopped: now it may
    gate.open.set()
    qtbot.waitUntil(lambda: gate.read == [path], timeout=5000)


def test_a_picture_does_not_take_the_place_of_a_region_that_is_being_saved(window, gate, qtbot, tmp_path) -> None:
    path = tmp_path / "a.tif"
    window.saving.export.region(path, whole=True)
    window.saving.controller.snapshot(path)
    assert "a.tif is being saved already" in said(window)
    gate.open.set()
    qtbot.waitUntil(lambda: gate.read == [path], timeout=5000)
    assert not path.exists()  # the gate writes nothing, and nobody else did


def test_a_slide_that_is_closed_stays_readable_until_it_is_exported(window, gate, slides, qtbot, tmp_path) -> None:
    path = tmp_path / "a.ome.tif"
    window.saving.export.region(path, whole=True)
    window.close_current()
    assert window.document is None
    qtbot.waitUntil(lambda: gate.begun == [path], timeout=5000)
    assert not slides["fake.svs"].closed
    with qtbot.waitSignal(window.saving.export.saved, timeout=5000):
        gate.open.set()
    assert gate.read == [path]
    qtbot.waitUntil(lambda: slides["fake.svs"].closed, timeout=5000)


def answer(window, text: str) -> None:
    dialog = window.findChildren(QMessageBox)[-1]
    assert "a.ome.tif" in dialog.text()
    next(button for button in dialog.buttons() if button.text() == text).click()


def test_a_window_that_still_saves_asks_before_it_closes(window, gate, qtbot, tmp_path) -> None:
    window.saving.export.region(tmp_path / "a.ome.tif", whole=True)
    window.close()
    assert window.isVisible()
    answer(window, "Go on")
    assert window.isVisible()
    window.close()
    answer(window, "Stop and close")
    assert not window.isVisible()
    assert gate.read == []


@pytest.mark.parametrize("what", ["snapshot", "refocused", "region", "sweep"])
def test_an_open_slide_is_never_saved_over(window, gate, qtbot, what: str) -> None:
    path = window.document.path
    if what == "refocused":
        with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
            window.refocusing.panel.spin.setValue(1.0)
    {
        "snapshot": lambda: window.saving.controller.snapshot(path),
        "refocused": lambda: window.saving.controller.save_refocused(path),
        "region": lambda: window.saving.export.region(path, whole=True),
        "sweep": lambda: window.saving.export.sweep(path, 0.0, 0.4),
    }[what]()
    assert "fake.svs is open, and saving would replace it" in said(window)
    assert not [job for job in window.jobs.running() if job.kind.startswith("save")]


def test_many_jobs_do_not_widen_the_window(window, qtbot) -> None:
    gate = threading.Event()
    width = window.width()
    names = [f"a slide with a very long name, as scanners like to give them, {n}.ome.tif" for n in range(6)]
    jobs = [window.jobs.start(n, lambda job: gate.wait(5), lane=Lane.EXPORT, title=f"Saving {n}") for n in names]
    shown = window.status.findChild(JobList)
    qtbot.wait(20)
    assert window.width() == width
    assert [row.isVisible() for row in shown._rows.values()] == [True, True, False, False, False, False]
    assert shown._more.text() == "+ 4 more"
    window.jobs.cancel_job(jobs[0])
    assert [row.isVisible() for row in shown._rows.values()] == [True, True, False, False, False]
    assert names[-1] in shown._more.toolTip()
    gate.set()
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)
    assert not shown._more.isVisible()


def test_a_job_that_ends_while_the_list_is_laid_out_leaves_it(qtbot) -> None:
    jobs = Jobs()
    shown = JobList(jobs)
    gate = threading.Event()
    made = [jobs.start(name, lambda job: gate.wait(5), lane=Lane.EXPORT, title=name) for name in ("a", "b", "c")]
    first = shown._rows[made[0]]
    show, first.setVisible = first.setVisible, lambda on: (jobs.cancel_job(made[1]), show(on))  # as a resize does
    jobs.cancel_job(made[2])
    assert list(shown._rows) == [made[0]]
    assert shown._more.isHidden()
    gate.set()
    jobs.close()


def test_jobs_that_wait_are_listed_as_waiting(qtbot) -> None:
    jobs = Jobs()
    shown = JobList(jobs)
    gate = threading.Event()
    first = jobs.start("a", lambda job: gate.wait(5), lane=Lane.EXPORT, title="first")
    second = jobs.start("b", lambda job: gate.wait(5), lane=Lane.EXPORT, title="second")
    assert [row.title.text() for row in shown._rows.values()] == ["first", "second (waiting)"]
    jobs.cancel_job(first)  # it ends when it looks; until then the second waits
    assert second.waiting
    gate.set()
    qtbot.waitUntil(lambda: not jobs.running(), timeout=5000)
    third = jobs.start("c", lambda job: None, lane=Lane.EXPORT, title="third")
    assert not third.waiting
    jobs.close()
