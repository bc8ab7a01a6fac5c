"""What is known of refocusing, without a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from focusviewer.app.painting.state import PaintingState
from focusviewer.app.refocus.area import snapped_um
from focusviewer.app.refocus.state import RefocusState
from focusviewer.core.registry import ModelEntry
from focusviewer.refocus.base import MAX_PLANES

PLANES_UM = (-1.333, 0.0, 1.333)


@pytest.fixture
def state() -> RefocusState:
    made = RefocusState(is_on=True, obstacle="")
    made.show_slide(PLANES_UM, 0.0)
    return made


def turns(state: RefocusState) -> list[float]:
    """Where the knob stands whenever the user has turned it."""
    told: list[float] = []
    state.turned.connect(lambda: told.append(state.target_um))
    return told


@pytest.mark.parametrize(
    ("z_um", "stands"),
    [(0.3, 0.3), (0.31, 0.3), (0.33, 0.35), (1.35, 1.333), (1.31, 1.3), (-1.36, -1.333), (99.0, 4.0), (-99.0, -4.0)],
)
def test_the_knob_stands_on_its_grid_or_at_an_acquired_plane(z_um: float, stands: float) -> None:
    assert snapped_um(z_um, PLANES_UM) == stands


def test_only_the_users_hand_is_told_as_a_turn(state: RefocusState) -> None:
    told = turns(state)
    state.move(2.0)
    state.show_plane(1.333)
    assert told == []
    state.turn(0.52)
    state.turn(0.5)  # where it is already: the picture is asked for again
    assert told == [0.5, 0.5]
    state.show_scan()
    assert told[-1] == 1.333


def test_the_knob_goes_no_farther_than_its_end(state: RefocusState) -> None:
    told = turns(state)
    state.turn(3.95)
    state.turn_by(0.1)
    state.turn_by(0.1)
    assert told == [3.95, 4.0]


@pytest.mark.parametrize(
    ("mode", "then"),
    [("deblur", "refocus"), ("all-in-focus", "refocus"), ("defocus", "defocus"), ("paint", "paint")],
)
def test_turning_the_knob_ends_a_sweep_and_a_mode_that_finds_the_focus_itself(
    state: RefocusState, mode: str, then: str
) -> None:
    state.mode, state.playing = mode, True
    state.turn(1.0)
    assert (state.mode, state.playing, state.target_um) == (then, False, 1.0)
    assert state.knob_um == (None if mode == "paint" else 1.0)


@pytest.mark.parametrize("mode", ["deblur", "all-in-focus"])
def test_of_one_plane_the_knob_says_how_far_out_the_tissue_is(mode: str) -> None:
    state = RefocusState(is_on=True, obstacle="")
    state.show_slide((0.0,), 0.0)
    assert state.mode == "assume"
    state.mode = mode
    state.turn(1.0)
    assert (state.mode, state.knob_um) == ("assume", 1.0)
    state.mode = "refocus"  # by the user
    state.turn(2.0)
    assert state.mode == "refocus"


def test_there_is_no_scan_to_go_back_to_while_nothing_can_be_refocused(state: RefocusState) -> None:
    state.turn(1.0)
    state.obstacle = "Zoom in."
    state.show_scan()
    assert (state.can_refocus, state.target_um) == (False, 1.0)


def test_another_slide_begins_anew(state: RefocusState) -> None:
    state.manual_sources = True
    state.check(1, False)
    assert state.sources == (0, 2)
    state.show_slide((0.0, 10.0), 10.0)
    assert (state.sources, state.checked, state.plane_um, state.target_um) == ((), (0, 1), 10.0, 10.0)
    assert state.range_um == (-1.0, 11.0)
    assert (state.sweep_low_um, state.sweep_high_um) == (8.0, 11.0)


def test_no_more_planes_are_used_than_engines_take(state: RefocusState) -> None:
    state.show_slide(tuple(map(float, range(20))), 0.0)
    state.manual_sources = True
    assert state.checked == tuple(range(MAX_PLANES))
    state.check(18, True)
    assert state.checked[-1] == 18
    assert state.sources == tuple(range(MAX_PLANES))


@pytest.mark.parametrize(
    ("wanted", "default", "chosen"),
    [("b", "a", "b"), ("without", "b", "b"), ("", "b", "b"), ("gone", "gone too", "without")],
)
def test_an_engine_is_chosen_that_can_be_had(wanted: str, default: str, chosen: str) -> None:
    state = RefocusState()
    assert state.engine == ""
    entries = [
        ModelEntry(name, "refocus", lambda: None, "", Path("/nowhere/weights"), trained)
        for name, trained in (("without", True), ("a", False), ("b", False))
    ]
    state.offer_engines(entries, wanted, default)
    assert state.engine == chosen
    assert [entry.name for entry in state.engines] == ["without", "a", "b"]


def test_the_brush_has_a_smallest_and_a_largest_size() -> None:
    state = PaintingState()
    told: list[float] = []
    state.events.radius_um.connect(told.append)
    state.resize(1.25)
    state.resize(0.01)
    state.resize(1e6)
    assert told == [25.0, 1.0, 500.0]
