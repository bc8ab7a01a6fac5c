from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from PySide6.QtGui import QFontMetrics

from focusviewer.app.worklist.lines import Choice, Column, Filter, Line, Reader, choose, lines_of
from focusviewer.app.worklist.snapshot import OpenWorklist, Snapshot
from focusviewer.app.worklist.table.cells import two_lines
from focusviewer.app.worklist.table.model import tip_of
from focusviewer.app.worklist.texts import area, breakable, percent, plain
from focusviewer.app.worklist.thresholds.trial import ThresholdTrial, as_toml
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import rules_from
from focusviewer.qc.worklist.records import SlideFacts, SlideRow
from focusviewer.qc.worklist.store import Worklist
from tests.app.fakes import FakeSlide
from tests.app.worklist.fakes import RULES, enter, make_worklist

FAKE, OTHER, STACK = (f"fingerprint of {name}" for name in ("fake.svs", "other.svs", "stack.tif"))


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    slides = {
        "fake.svs": FakeSlide(),
        "other.svs": FakeSlide("other.svs", (1500, 1700)),
        "stack.tif": FakeSlide("stack.tif", (1200, 900)),
    }
    return make_worklist(tmp_path, slides)


def test_a_session_reads_only_what_has_changed(listed: Path) -> None:
    session = OpenWorklist(listed)
    first = session.refresh()
    assert first is not None
    assert set(first.rows) == {FAKE, OTHER, STACK}
    assert session.refresh() is None
    with Worklist(listed) as other:
        other.give_verdict(FAKE, Verdict.PASS, "Ben")
    second = session.refresh()
    assert second is not None
    assert second.rows[FAKE].person is not None
    assert second.rows[OTHER] is first.rows[OTHER]
    assert second.readers == {"Ben": {FAKE: Verdict.PASS}}
    session.worklist.close()


def test_a_missing_or_foreign_file_is_no_worklist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        OpenWorklist(tmp_path / "worklist.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database" * 100, encoding="utf-8")
    with pytest.raises(UserError, match="not a database"):
        OpenWorklist(tmp_path / "text.sqlite")


def row(name: str, fingerprint: str = "f") -> SlideRow:
    return SlideRow(SlideFacts(fingerprint, Path("/slides") / name, name), "", None, None)


def test_slides_that_wait_come_last_whatever_the_order(listed: Path) -> None:
    session = OpenWorklist(listed)
    snapshot = session.refresh()
    session.worklist.close()
    assert snapshot is not None
    rows = {**snapshot.rows, "waiting": row("a waiting.svs", "waiting")}
    lines = lines_of(Snapshot(listed, 1, rows), Reader("Anna"))
    for descending in (True, False):
        shown = choose(lines, Choice(column=Column.SCORE, descending=descending))
        assert shown[-1].fingerprint == "waiting"
        scores = [line.result.judgement.score for line in shown[:-1]]
        assert scores == sorted(scores, reverse=descending)
    assert [line.fingerprint for line in choose(lines, Choice(filter=Filter.TO_DO))] == [
        line.fingerprint for line in choose(lines, Choice())
    ]


def test_hostile_names_stay_plain_text() -> None:
    line = Line(row("<script>alert(1)</script>\n\u202egpj.svs"))
    assert line.name == "<script>alert(1)</script>  gpj.svs"
    assert "<script>" not in tip_of(line, Column.SLIDE)
    assert max(map(len, breakable("n" * 200).split("\u200b"))) <= 24
    assert plain("Präparat 切片") == "Präparat 切片"


@pytest.mark.parametrize(("part", "text"), [(0.0, "0 %"), (0.0004, "< 0.1 %"), (0.034, "3.4 %"), (0.999, "99.9 %")])
def test_parts_are_never_rounded_to_none_or_all(part: float, text: str) -> None:
    assert percent(part).replace("0.0 %", "0 %") == text


@pytest.mark.parametrize(
    ("mm2", "text"),
    [(0.0, "0 mm²"), (0.0002, "< 0.001 mm²"), (0.0345, "0.035 mm²"), (0.345, "0.34 mm²"), (12.3, "12 mm²")],
)
def test_areas_keep_two_figures_and_are_never_rounded_to_none(mm2: float, text: str) -> None:
    assert area(mm2) == text


def test_a_long_name_goes_on_in_a_second_line_and_loses_nothing(qapp) -> None:
    metrics = QFontMetrics(qapp.font())
    name = "slide-021-whole.ome.tif"
    width = metrics.horizontalAdvance("slide-021-whole.o")
    assert two_lines(name, metrics, width) == ["slide-021-whole.", "ome.tif"]
    assert two_lines(name, metrics, 10 * width) == [name]
    assert "".join(two_lines("n" * 200, metrics, width)) == "n" * 200


def test_a_preview_with_the_same_thresholds_changes_nothing_and_gives_the_stored_verdicts(listed: Path) -> None:
    with Worklist(listed) as worklist:
        rows = worklist.slides()
    found = ThresholdTrial().run(rows, listed.parent, RULES, {"blurred_um": 1.5})
    assert (found.judged, found.missing, found.moved) == (3, 0, {})


def test_a_preview_counts_again_from_the_maps_and_tells_what_it_cannot_read(listed: Path) -> None:
    with Worklist(listed) as worklist:
        rows = {line.facts.fingerprint: line for line in worklist.slides()}
    found = ThresholdTrial().run(rows.values(), listed.parent, RULES, {"blurred_um": 0.1})
    assert found.moved[OTHER] is Verdict.RESCAN  # all of it lies 0.25 um from focus
    assert found.steps[Verdict.PASS, Verdict.RESCAN] == 1
    (listed.parent / rows[OTHER].result.folder / "map.npz").unlink()
    found = ThresholdTrial().run(rows.values(), listed.parent, RULES, {"blurred_um": 0.1})
    assert (found.judged, found.missing) == (2, 1)
    # thresholds that only weigh the features need no map
    found = ThresholdTrial().run(rows.values(), listed.parent, RULES, {"review_worst_decile_um": 0.2})
    assert found.moved == {OTHER: Verdict.REVIEW}
    cancelled = Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        ThresholdTrial().run(rows.values(), listed.parent, RULES, {"blurred_um": 0.1}, cancelled)


def test_moved_thresholds_can_be_pasted_into_a_rules_file() -> None:
    import tomllib

    rules = rules_from(tomllib.loads(as_toml({"blurred_um": 2.25, "rescan_worst_decile_um": 3.0})))
    assert (rules.thresholds.blurred_um, rules.thresholds.rescan_worst_decile_um) == (2.25, 3.0)


def test_a_rescanned_slide_keeps_its_person_and_gets_a_new_result(listed: Path) -> None:
    session = OpenWorklist(listed)
    session.refresh()
    with Worklist(listed) as other:
        other.give_verdict(FAKE, Verdict.RESCAN, "Ben")
        enter(other, FakeSlide(), 1.0)
    line = lines_of(session.refresh(), Reader("Anna"))[0]
    session.worklist.close()
    assert (line.program, line.person.verdict, line.verdict) == (Verdict.PASS, Verdict.RESCAN, Verdict.RESCAN)
    assert line.differs
