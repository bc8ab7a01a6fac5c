"""A knob that is turned sharply in a stack of many planes: what is known stays known, and nobody waits for a study."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from focusviewer.app.refocus.area import RefocusArea
from focusviewer.app.refocus.inference import study_cache as shelf
from focusviewer.app.refocus.inference.engines import Study
from focusviewer.app.refocus.inference.study_cache import StudyCache
from focusviewer.refocus.base import Encoded
from tests.app.fakes import FakeEngine, FakeSlide


class GatedEngine(FakeEngine):
    """Remembers what it studied, and waits at a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.studied: list[tuple[float, ...]] = []

    def _encode(self, images, mpp, planes_um, focus_maps) -> Encoded:
        self.studied.append(tuple(planes_um))
        assert self.gate.wait(20)
        return super()._encode(images, mpp, planes_um, focus_maps)


@pytest.fixture
def engine(window, slides, open_in, qtbot):
    """The engine of a window that looks closely at a stack of 21 planes."""
    made = GatedEngine()
    window.refocus.engine_maker = lambda name: made
    slides["many.tif"] = FakeSlide("many.tif", (1200, 900), planes_um=tuple(float(z) for z in range(-10, 11)))
    open_in(window, "many.tif")
    window.viewport.go_to(600, 450, 1.0)
    with qtbot.waitSignal(window.viewport.rested, timeout=5000):  # later it would ask for a study by itself
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.toggle()
    yield made
    made.gate.set()


def turn(window, qtbot, z_um: float) -> None:
    window.refocusing.panel.spin.setValue(z_um)
    refocus = window.refocus
    qtbot.waitUntil(lambda: refocus.shown is not None and refocus.shown.z_um == pytest.approx(z_um), timeout=5000)


def test_turning_back_needs_no_new_study(window, engine, qtbot) -> None:
    first = engine.studied[0]
    turn(window, qtbot, -9.5)
    turn(window, qtbot, -9.3)
    assert len(engine.studied) == 2
    turn(window, qtbot, 1.5)  # between two planes of the first study, though not in its middle
    turn(window, qtbot, 0.2)
    turn(window, qtbot, -8.5)
    assert len(engine.studied) == 2
    turn(window, qtbot, 0.4)
    assert window.refocus.shown.area.planes_um == first


def test_a_known_focus_does_not_wait_for_a_study(window, engine, qtbot) -> None:
    turn(window, qtbot, 0.5)
    engine.gate.clear()
    window.refocusing.panel.spin.setValue(-9.5)
    qtbot.waitUntil(lambda: len(engine.studied) == 2, timeout=5000)
    assert window.refocus.shown.z_um == 0.5  # the picture is the last one
    assert window.viewport.patch.image is not None
    assert window.refocusing.panel.status.text() == "Studying the view…"
    turn(window, qtbot, 0.25)  # the study has not ended
    assert "Studying" not in window.refocusing.panel.status.text()
    engine.gate.set()
    qtbot.waitUntil(lambda: not window.jobs.running("encode"), timeout=5000)
    assert window.refocus.shown.z_um == 0.25
    turn(window, qtbot, -9.5)
    assert len(engine.studied) == 2  # and it was not in vain


def test_of_many_wishes_during_a_study_the_last_is_studied_next(window, engine, qtbot) -> None:
    engine.gate.clear()
    for z_um in (-9.5, 4.5, -5.5, 8.5):
        window.refocusing.panel.spin.setValue(z_um)
        qtbot.waitUntil(lambda: len(engine.studied) == 2, timeout=5000)
    engine.gate.set()
    qtbot.waitUntil(lambda: window.refocus.shown is not None and window.refocus.shown.z_um == 8.5, timeout=5000)
    assert [planes[-1] for planes in engine.studied[1:]] == [-6.0, 10.0]


def test_a_study_that_is_stopped_is_not_followed_by_the_one_that_waits(window, engine, qtbot) -> None:
    engine.gate.clear()
    window.refocusing.panel.spin.setValue(-9.5)
    window.refocusing.panel.spin.setValue(8.5)
    (job,) = window.jobs.running("encode")
    window.jobs.cancel_job(job)
    engine.gate.set()
    qtbot.wait(50)
    assert not window.jobs.running("encode")
    turn(window, qtbot, 8.4)


def test_a_painted_map_is_made_from_the_planes_it_asks_for(window, engine, qtbot) -> None:
    window.viewer.set_plane(13)  # z = 3 um: none of five planes spread evenly
    window.refocusing.enter("paint")
    qtbot.waitUntil(lambda: 3.0 in engine.studied[-1], timeout=5000)  # what is not painted stays as scanned
    window.refocusing.state.move(6.5)
    window.painting.paint_middle()
    qtbot.waitUntil(lambda: {3.0, 4.0, 5.0, 6.0, 7.0} <= set(engine.studied[-1]), timeout=5000)


def study(index: int, planes: int) -> Study:
    encoded = Encoded((10, 100), 0.25, (float(index),), np.zeros((10, 100), np.float32), None)
    area = RefocusArea("f", 0, (0, 0, 100, 10), 0.25, tuple(range(planes)), (float(index),) * planes, "e")
    return Study(area, encoded, (), 1.0)


def test_memory_for_studies_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(shelf, "KEPT_PX", 6500)
    kept = StudyCache()

    def indices() -> list[float]:
        return [area.planes_um[0] for area in kept.areas()]

    for index in range(8):
        kept.use(study(index, 2))  # 2000 pixels each
    assert indices() == [7, 6, 5]
    kept.use(study(5, 2))
    assert indices() == [5, 7, 6]
    kept.use(study(9, 16))  # larger than all that may be spent, but it is being looked at
    assert indices() == [9]
    for index in range(8):
        kept.use(study(index, 1))
    assert indices() == [7, 6, 5, 4]  # small ones: more would not be gone back to
    kept.clear()
    assert kept.areas() == []
