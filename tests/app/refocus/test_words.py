"""What the panel says of scanned and computed pixels: a knob that blurs must be no surprise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focusviewer.app.refocus.area import RefocusArea
from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.refocus.status import scan_text, status_text, synthesised_text
from focusviewer.refocus.base import Encoded
from tests.app.fakes import FakeEngine


def known(blur_um: float, planes_um: tuple[float, ...] = (0.0,), notes: tuple[str, ...] = ()) -> Encoded:
    return Encoded((4, 4), 0.25, planes_um, np.full((4, 4), blur_um, np.float32), None, notes)


def area(planes_um: tuple[float, ...] = (0.0,)) -> RefocusArea:
    return RefocusArea("f", 0, (0, 0, 4, 4), 0.25, tuple(range(3, 3 + len(planes_um))), planes_um, "fast")


@pytest.mark.parametrize(
    ("encoded", "auto_um", "said"),
    [
        (known(0.1), None, "already in focus here: turning the knob blurs"),
        (known(0.1), 0.0, "Auto: already in focus"),
        (known(0.9), 0.0, "nothing computed is clearly sharper"),
        (known(0.9), None, "Turn the knob towards + to refocus"),
        (known(0.0, notes=("It refracts.",)), None, "Turn the knob to refocus"),
        (known(0.0, notes=("It refracts.",)), 0.0, "Auto: these are scanned pixels; nothing computed"),
        (known(0.1, (0.0, 1.0)), None, "Turn the knob to refocus"),
        (known(0.1, (0.0, 1.0)), 1.0, "Auto: plane 5 is the sharpest"),
        (known(0.1, (0.0, 1.0), ("It refracts.",)), 1.0, "Auto: plane 5 is the sharpest"),
    ],
)
def test_scanned_pixels_say_what_the_knob_will_do(encoded: Encoded, auto_um: float | None, said: str) -> None:
    assert said in scan_text(area(encoded.planes_um), encoded, auto_um)


def test_a_picture_computed_away_from_focus_says_that_it_is_blurred_for_that() -> None:
    assert "turning away from it blurs" in synthesised_text(area(), known(0.1), "refocus")
    for encoded, mode in ((known(2.0), "refocus"), (known(0.1), "defocus"), (None, "refocus")):
        assert synthesised_text(area(), encoded, mode) == "Computed by fast, not scanned."


def test_a_picture_of_one_plane_tells_the_best_guess_of_its_distance_and_the_range() -> None:
    unsure = replace(known(1.4, (0.5,)), likely_um=(1.25, 3.0))
    said = synthesised_text(area((0.5,)), unsure, "assume")
    assert said.endswith("Best guess of the distance: 1.4 µm (0.8 to 2.5).")
    assert "Best guess of the distance: 2.0 µm (0.8 to 2.5)." in synthesised_text(area((0.5,)), unsure, "deblur", 2.5)
    assert scan_text(area((0.5,)), unsure, None).endswith("Best guess of the distance: 1.4 µm (0.8 to 2.5).")
    assert synthesised_text(area(), known(1.4), "assume").endswith("distance: 1.4 µm.")  # no range is known
    assert "blurs or overdoes it" in synthesised_text(area(), known(0.1), "assume")
    refracting = known(1.4, notes=("It refracts.",))
    for encoded, mode in ((known(1.4, (0.0, 1.0)), "deblur"), (refracting, "assume"), (known(1.4), "refocus")):
        assert "guess" not in synthesised_text(area(encoded.planes_um), encoded, mode)


def test_a_picture_at_an_assumed_distance_has_notes_of_its_own() -> None:
    study, said = known(1.4, notes=("Left as scanned.",)), known(2.0, notes=("May not hold.",))
    state = RefocusState(is_on=True, obstacle="")
    facts = {"work": "", "limit": "", "shown": area(), "known": (area(), study), "auto_um": None}
    assert status_text(state, **facts, assumed=said).endswith("not scanned. May not hold.")
    assert status_text(state, **facts).endswith("not scanned. Left as scanned.")


@pytest.mark.parametrize(("auto_um", "at_limit"), [(4.0, True), (-3.95, True), (3.5, False), (None, False)])
def test_auto_says_when_it_was_stopped_by_the_limit(auto_um: float | None, at_limit: bool) -> None:
    assert ("the best focus may lie beyond" in synthesised_text(area(), known(2.0), "deblur", auto_um)) is at_limit


def test_the_panel_says_that_auto_found_the_scan_in_focus(window, open_in, qtbot, monkeypatch) -> None:
    class Sharp(FakeEngine):
        def _encode(self, images, mpp, planes_um, focus_maps) -> Encoded:
            shape = images[0].shape[:2]
            return Encoded(shape, mpp, tuple(planes_um), np.zeros(shape, np.float32), list(images))

    window.refocus.engine_maker = lambda name: Sharp()
    monkeypatch.setattr("focusviewer.refocus.auto.best_z", lambda *given: 0.0)
    open_in(window, "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    state = window.refocusing.panel.status
    assert state.parent().layout().indexOf(state) < state.parent().layout().indexOf(window.refocusing.panel.sweep)
    window.refocusing.auto_focus()
    qtbot.waitUntil(lambda: state.text().startswith("Auto: already in focus."), timeout=5000)
    assert window.refocus.shown is None
    window.refocusing.panel.spin.setValue(1.0)
    qtbot.waitUntil(lambda: "turning away from it blurs" in state.text(), timeout=5000)
    window.refocusing.show_scan()
    qtbot.waitUntil(lambda: "already in focus here: turning the knob blurs" in state.text(), timeout=5000)
