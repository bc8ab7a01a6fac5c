"""The worklist's state and that of the tried thresholds, without a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from focusviewer.app.worklist.lines import Choice, Column, Filter, Line, lines_of
from focusviewer.app.worklist.lines import Reader as SeenBy
from focusviewer.app.worklist.snapshot import OpenWorklist, Snapshot
from focusviewer.app.worklist.state import NOTHING_OPEN, NOTHING_SELECTED, WorklistState
from focusviewer.app.worklist.thresholds.roc import roc_curve
from focusviewer.app.worklist.thresholds.state import ThresholdPreviewState
from focusviewer.app.worklist.thresholds.trial import ThresholdEffect
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.store import Worklist

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))

Read = Callable[[], Snapshot]


@pytest.fixture
def read(listed: Path) -> Read:
    """Reads the worklist as it is now."""

    def read_() -> Snapshot:
        file = OpenWorklist(listed)
        snapshot = file.refresh()
        file.worklist.close()
        assert snapshot is not None
        return snapshot

    return read_


@pytest.fixture
def state(read: Read) -> WorklistState:
    """An open worklist that Anna reads."""
    made = WorklistState(reader="Anna")
    made.open(read())
    made.list_slides({})
    return made


def names(state: WorklistState) -> list[str]:
    return [line.name for line in state.listing.listed]


def test_nothing_is_selected_while_nothing_is_open_and_the_reader_can_be_told_why(read: Read) -> None:
    state = WorklistState(reader="Anna")
    state.select(FAKE)
    assert (state.line, state.selected, state.why_no_line) == (None, "", NOTHING_OPEN)
    state.open(read())
    state.list_slides({})
    assert state.why_no_line == NOTHING_SELECTED
    state.select("a slide of another list")
    assert state.selected == ""
    state.select(FAKE)
    assert state.line is not None and state.line.name == "fake.svs"


def test_another_slide_begins_with_its_worst_region(state: WorklistState) -> None:
    state.select(FAKE)
    state.region = 1
    state.select(FAKE)
    assert state.region == 1
    state.select(OTHER)
    assert state.region == -1


def test_a_choice_filters_and_orders_and_keeps_what_is_known_of_the_slides(state: WorklistState) -> None:
    lines = state.listing.lines
    state.choice = Choice(text="TIF")
    state.choose_listed()
    assert names(state) == ["stack.tif"]
    state.choice = Choice(filter=Filter.RESCAN)
    state.choose_listed()
    assert names(state) == ["fake.svs"]
    state.choice = Choice(column=Column.SLIDE, descending=True)
    state.choose_listed()
    assert names(state) == ["stack.tif", "other.svs", "fake.svs"]
    assert state.listing.lines is lines


def test_a_blinded_reader_sees_what_they_have_judged_or_seen_before(state: WorklistState) -> None:
    state.toggle_blinded()
    state.list_slides({})
    assert all(line.hidden for line in state.listing.lines.values())
    assert names(state) == ["fake.svs", "other.svs", "stack.tif"]
    state.reveal(FAKE)
    state.list_slides({})
    assert [line.fingerprint for line in state.listing.lines.values() if not line.hidden] == [FAKE]
    state.change_reader("Anna")  # nothing is known of what a reader has seen before
    state.list_slides({})
    assert all(line.hidden for line in state.listing.lines.values())


def test_the_figures_count_slides_once_and_the_readers_own(state: WorklistState, listed: Path, read: Read) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.PASS, "Anna")
        worklist.give_verdict(FAKE, Verdict.RESCAN, "Ben")
        worklist.give_verdict(OTHER, Verdict.PASS, "Ben")
    state.snapshot = read()
    state.list_slides({STACK: Verdict.RESCAN})
    state.compare_readers()
    assert (len(state.listing.lines), state.listing.judged, state.listing.mine) == (3, 2, 1)
    assert state.listing.lines[STACK].would_be is Verdict.RESCAN
    pairs = {(one, other): found.slides for one, other, found in state.agreement}
    assert pairs == {("Anna", "Ben"): 1, ("Anna", "the program"): 1, ("Ben", "the program"): 2}
    state.blinded = True
    state.compare_readers()
    assert [pair[:2] for pair in state.agreement] == [("Anna", "Ben")]  # the program is not told
    state.close()
    state.list_slides({})
    state.compare_readers()
    assert (state.listing.lines, state.agreement, state.selected) == ({}, (), "")


def test_a_note_is_a_draft_until_it_is_kept(state: WorklistState, listed: Path, read: Read) -> None:
    with Worklist(listed) as worklist:
        worklist.give_verdict(FAKE, Verdict.PASS, "Anna", "mine")
        worklist.give_verdict(OTHER, Verdict.PASS, "Ben", "not mine")
    state.snapshot = read()
    state.list_slides({})
    for fingerprint, note in ((FAKE, "mine"), (OTHER, ""), (STACK, "")):
        state.select(fingerprint)
        state.load_note()
        assert (state.note, state.note_has_changed) == (note, False)
    state.drafts = {STACK: " later ", FAKE: "x"}
    state.load_note()
    assert (state.note, state.note_has_changed) == (" later ", True)
    assert state.keep_note() == "later"
    assert (state.drafts, state.note_has_changed) == ({FAKE: "x"}, False)


def test_a_change_of_state_is_told_once_and_only_if_it_is_one(state: WorklistState) -> None:
    told: list[str] = []
    state.events.connect(lambda info: told.append(info.signal.name))
    state.select(FAKE)
    state.select(FAKE)
    state.choice = Choice()
    state.change_reader("Anna")
    assert told == ["selected"]


# --- thresholds that are tried -----------------------------------------------------------------------------


@pytest.fixture
def tried() -> ThresholdPreviewState:
    """Thresholds with the shipped rules read."""
    made = ThresholdPreviewState()
    made.take_shipped(Rules())
    return made


def test_a_threshold_counts_as_moved_while_it_is_other_than_in_the_rules(tried: ThresholdPreviewState) -> None:
    ruled = tried.value
    tried.move(0.5)
    assert (tried.value, tried.changes, tried.tries_something) == (0.5, {"blurred_um": 0.5}, True)
    tried.threshold = "review_worst_decile_um"
    tried.move(3.0)
    tried.threshold = "blurred_um"
    assert tried.value == 0.5
    tried.move(ruled)
    assert tried.changes == {"review_worst_decile_um": 3.0}
    tried.reset()
    assert (tried.changes, tried.tries_something, tried.value) == ({}, False, ruled)


def test_nothing_can_be_moved_before_there_are_rules() -> None:
    state = ThresholdPreviewState()
    state.move(2.0)
    assert (state.changes, state.value) == ({}, 0.0)


def test_rules_of_a_file_are_tried_even_if_they_are_the_shipped_ones(tried: ThresholdPreviewState) -> None:
    seen: list[bool] = []
    for event in (tried.events.loaded, tried.events.rules, tried.events.changes):
        event.connect(lambda: seen.append(tried.tries_something))
    tried.move(0.5)
    tried.load(Rules())
    assert tried.tries_something and tried.changes == {}
    assert all(seen)  # at no time in between is nothing tried
    tried.load(replace(Rules(), name="strict"))
    tried.reset()
    assert tried.rules == tried.shipped == Rules() and not tried.tries_something


def test_verdicts_that_would_change_come_from_the_effect(tried: ThresholdPreviewState) -> None:
    assert tried.would_be == {}
    tried.effect = ThresholdEffect(1, 0, {FAKE: Verdict.PASS})
    assert tried.would_be == {FAKE: Verdict.PASS}


# --- scores against persons' verdicts ----------------------------------------------------------------------


def lines_with(read: Read, listed: Path, verdicts: dict[str, Verdict], reader: SeenBy) -> list[Line]:
    with Worklist(listed) as worklist:
        for fingerprint, verdict in verdicts.items():
            worklist.give_verdict(fingerprint, verdict, "Ben")
    return lines_of(read(), reader)


def test_a_curve_needs_slides_to_rescan_and_others(read: Read, listed: Path) -> None:
    assert roc_curve(lines_with(read, listed, {}, SeenBy("Anna"))) is None
    assert roc_curve(lines_with(read, listed, {FAKE: Verdict.RESCAN}, SeenBy("Anna"))) is None
    lines = lines_with(read, listed, {OTHER: Verdict.REVIEW}, SeenBy("Anna"))
    curve = roc_curve(lines)
    assert curve is not None and (curve.slides, curve.rescans) == (2, 1)
    assert (curve.false_rate, curve.recall, curve.auc) == ((0.0, 0.0, 1.0), (0.0, 1.0, 1.0), 1.0)
    assert curve.rules == (0.0, 1.0)  # the program sends fake.svs back, and only that


def test_a_curve_of_wrong_scores_lies_below_chance(read: Read, listed: Path) -> None:
    # scores: fake.svs above stack.tif above other.svs; the program says RESCAN of fake.svs alone
    verdicts = {FAKE: Verdict.PASS, STACK: Verdict.RESCAN, OTHER: Verdict.PASS}
    curve = roc_curve(lines_with(read, listed, verdicts, SeenBy("Anna")))
    assert curve is not None
    assert (curve.false_rate, curve.recall) == ((0.0, 0.5, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0))
    assert (curve.auc, curve.rules) == (0.5, (0.5, 0.0))


def test_a_blinded_reader_is_shown_no_curve_of_what_they_have_not_judged(read: Read, listed: Path) -> None:
    verdicts = {FAKE: Verdict.RESCAN, OTHER: Verdict.PASS}
    assert roc_curve(lines_with(read, listed, verdicts, SeenBy("Anna", blinded=True))) is None
    assert roc_curve(lines_with(read, listed, {}, SeenBy("Ben", blinded=True))) is not None
