"""A window over made-up slides, and the guard against leaked threads and timers."""

from __future__ import annotations

import gc
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QThread, QTimer
from PySide6.QtWidgets import QApplication

from focusviewer.app.program import SWITCH_INTERVAL_S
from focusviewer.app.services.settings import Settings
from focusviewer.app.widgets import theme
from focusviewer.app.window import MainWindow
from focusviewer.core.errors import SlideError
from focusviewer.qc.worklist.store import FILE_NAME
from focusviewer.slides import Slide
from tests.app.fakes import FakeEngine, FakeSlide, fake_map
from tests.app.worklist.fakes import make_worklist, quiet


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread, a running QThread or a ticking timer behind."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 2
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    gc.collect()
    # type(), not isinstance(): some libraries' objects warn when they are looked at
    objects = [o for o in gc.get_objects() if issubclass(type(o), QThread | QTimer) and shiboken6.isValid(o)]
    threads = [o for o in objects if isinstance(o, QThread) and o.isRunning() and o is not QThread.currentThread()]
    timers = [o for o in objects if isinstance(o, QTimer) and o.isActive()]
    assert not left, f"threads left behind: {left}"
    assert not threads, f"QThreads left behind: {threads}"
    assert not timers, f"timers left running: {timers}"


@pytest.fixture
def slides() -> dict[str, FakeSlide]:
    """The slides the fake opener knows, by file name."""
    return {
        "fake.svs": FakeSlide(),
        "other.svs": FakeSlide("other.svs", (1500, 1700)),
        "stack.tif": FakeSlide("stack.tif", (1200, 900), planes_um=(-2.0, -1.0, 0.0, 1.0, 2.0)),
        "unscaled.png": FakeSlide("unscaled.png", mpp=None, stated_mpp=1000.0),
    }


@pytest.fixture
def window(qtbot, qapp: QApplication, slides: dict[str, FakeSlide]) -> Iterator[MainWindow]:
    """A shown window whose files are made up."""

    def opener(path: Path) -> Slide:
        if path.name not in slides:
            raise SlideError(f"Cannot open {path.name}", "it is no slide", "Choose another file.")
        return slides[path.name]

    theme.apply_theme(qapp, "light")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    made = MainWindow(Settings(), remember=False)
    made.slides.opener = opener
    made.refocus.engine_maker = lambda name: FakeEngine()
    made.refocusing.panel.engine.addItem("fake", "fake")
    made.heatmap.maker = lambda document, name, plane, progress, job: fake_map(document.slide, plane=plane)
    made.mapping.panel.model.addItem("fake", "fake")
    made.resize(1300, 850)
    made.show()
    yield made
    made.close()
    made.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()


@pytest.fixture
def open_in(qtbot) -> Callable[..., None]:
    """Open slides in a window and wait for the picture of the last one."""

    def open_(window: MainWindow, *names: str) -> None:
        for name in names:
            path = Path("/slides") / name
            window.open_paths([path])
            qtbot.waitUntil(
                lambda path=path: window.document is not None and window.document.path == path, timeout=5000
            )
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
        qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)

    return open_


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a worklist of three slides, to be copied."""
    slides = [FakeSlide(), FakeSlide("other.svs", (1500, 1700)), FakeSlide("stack.tif", (1200, 900))]
    return make_worklist(tmp_path_factory.mktemp("worklist"), {slide.name: slide for slide in slides}).parent


@pytest.fixture
def listed(tmp_path: Path, template: Path) -> Path:
    """A worklist of a test's own."""
    return Path(shutil.copytree(template, tmp_path / "night")) / FILE_NAME


@pytest.fixture
def open_list(qtbot, listed: Path) -> Callable[..., None]:
    """Open the worklist in a window, as Anna unless told otherwise."""

    def open_(window: MainWindow, reader: str = "Anna", path: Path | None = None) -> None:
        window.worklist.session.timer.setInterval(60_000)  # tests look for themselves
        window.worklist.verdict_controller.set_reader(reader)
        window.open_paths([path or listed])
        qtbot.waitUntil(lambda: window.worklist.state.is_open, timeout=8000)
        quiet(qtbot, window)

    return open_


@pytest.fixture
def second(qtbot, qapp, window: MainWindow) -> Iterator[MainWindow]:
    """Another window that knows the same slides."""
    made = MainWindow(Settings(), remember=False)
    made.slides.opener = window.slides.opener
    made.show()
    yield made
    made.close()
    made.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)
