"""The worklist file: old versions, several writers at once, writers that are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import FileRow, SlideFacts
from focusviewer.qc.worklist.schema import MIGRATIONS, VERSION
from focusviewer.qc.worklist.store import Worklist
from tests.qc.worklists import result_of

FACTS = SlideFacts("f" * 32, Path("/slides/a.svs"), "a.svs")


def old_worklist(path: Path, version: int) -> None:
    """A file as a program of that version wrote it, with a slide and a verdict."""
    db = sqlite3.connect(path)
    for step in MIGRATIONS[:version]:
        db.executescript(step)
    db.execute(f"PRAGMA user_version = {version}")
    db.execute("INSERT INTO slides VALUES ('abc', '/old/a.svs', 'a.svs', 'S1', 'scanner', 'he', '2020-01-01')")
    db.execute(
        "INSERT INTO verdicts (fingerprint, verdict, who, note, given_at) VALUES ('abc', 'RESCAN', 'Eve', 'n', '2020')"
    )
    db.commit()
    db.close()


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_worklist_of_every_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "worklist.sqlite"
    old_worklist(path, version)
    with Worklist(path) as worklist:
        (verdict,) = worklist.history("abc")
        assert (verdict.verdict, verdict.who, verdict.blinded) == (Verdict.RESCAN, "Eve", False)
        worklist.give_verdict("abc", Verdict.PASS, "Ann", blinded=True)
        worklist.note_file(FileRow(Path("/old/a.svs"), "abc", 1, 2))
        row = worklist.slide("abc")
        assert row is not None and row.person is not None and row.person.who == "Ann" and row.person.blinded
        assert worklist.check() == "ok"
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_worklist_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(UserError, match="newer"):
        Worklist(path)


def test_a_file_that_is_no_worklist_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="Cannot open the worklist"):
        Worklist(path)


def test_the_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE notes (text TEXT); PRAGMA user_version = 2;")
    db.close()
    before = path.read_bytes()
    with pytest.raises(UserError, match="is no worklist"):
        Worklist(path)
    assert path.read_bytes() == before


def test_a_person_never_overwrites_the_program_nor_another_person(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        result = result_of(Path("/slides/a.svs"), 1, 3.0, 0.5, Rules())
        worklist.record(result)
        of = result.facts.fingerprint
        worklist.give_verdict(of, Verdict.PASS, "Ann", "fine")
        worklist.give_verdict(of, Verdict.REVIEW, "Bob")
        row = worklist.slide(of)
        assert row is not None and row.result is not None and row.person is not None
        assert row.result.judgement == result.judgement and row.result.regions == result.regions
        assert row.person.verdict == Verdict.REVIEW and row.verdict == Verdict.REVIEW
        undone = worklist.undo("Bob")
        assert undone is not None and undone.verdict == Verdict.REVIEW
        assert [(v.who, bool(v.undone_at)) for v in worklist.history(of)] == [("Ann", False), ("Bob", True)]
        assert worklist.readers() == {"Ann": {of: Verdict.PASS}}
        assert worklist.undo("Bob") is None


def test_a_moved_file_keeps_its_history(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        worklist.add_slide(FACTS)
        worklist.give_verdict(FACTS.fingerprint, Verdict.RESCAN, "Ann")
        worklist.add_slide(SlideFacts(FACTS.fingerprint, Path("/archive/b.svs"), "b.svs"))
        (row,) = worklist.slides()
        assert row.facts.path == Path("/archive/b.svs") and row.person is not None


def test_copies_are_told_but_parts_of_one_series_are_not(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        worklist.add_slide(FACTS)
        worklist.add_slide(SlideFacts("d" * 32, Path("/dicom/1.dcm"), "1.dcm"))
        for path, of in (
            ("/slides/a.svs", "f"),
            ("/slides/copy.svs", "f"),
            ("/dicom/1.dcm", "d"),
            ("/dicom/2.dcm", "d"),
        ):
            worklist.note_file(FileRow(Path(path), of * 32, 1, 1))
        assert worklist.duplicates() == {Path("/slides/copy.svs"): Path("/slides/a.svs")}


WRITER = """
import sys, time
from dataclasses import replace
from pathlib import Path
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import SlideFacts
from focusviewer.qc.worklist.store import Worklist
path, who, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Worklist(path) as worklist:
    worklist.add_slide(SlideFacts("f" * 32, Path("/slides/a.svs"), "a.svs"))
    for number in range(count):
        worklist.give_verdict("f" * 32, Verdict.PASS, who, str(number))
        print(number, flush=True)
"""


def writer(path: Path, who: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), who, str(count)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("network", ["0", "1"])
def test_two_programs_that_write_at_once_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    monkeypatch.setenv("FOCUSVIEWER_NETWORK_SHARE", network)
    path = tmp_path / "worklist.sqlite"
    programs = [writer(path, who, 25) for who in ("Ann", "Bob")]
    assert [program.wait() for program in programs] == [0, 0]
    for program in programs:
        assert program.stdout is not None
        program.stdout.close()
    with Worklist(path) as worklist:
        notes = [(v.who, v.note) for v in worklist.history("f" * 32)]
        assert sorted(notes) == sorted((who, str(n)) for who in ("Ann", "Bob") for n in range(25))
        assert worklist.revision() == 2 + 50
        assert worklist.check() == "ok"
    mode = sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone()[0]
    assert mode == ("delete" if network == "1" else "wal")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX systems")
def test_a_writer_that_is_killed_leaves_a_whole_file_with_all_it_finished(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    program = writer(path, "Ann", 100_000)
    assert program.stdout is not None
    for _ in range(20):
        last = int(program.stdout.readline())
    os.kill(program.pid, signal.SIGKILL)
    last = max([last, *(int(line) for line in program.stdout.read().split("\n")[:-1] if line)])
    program.wait()
    program.stdout.close()
    with Worklist(path) as worklist:
        assert worklist.check() == "ok"
        notes = [int(v.note) for v in worklist.history("f" * 32)]
        assert notes == list(range(len(notes))) and len(notes) > last


def test_changes_can_be_followed(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as one, Worklist(tmp_path / "worklist.sqlite") as other:
        one.add_slide(FACTS)
        seen = other.revision()
        one.give_verdict(FACTS.fingerprint, Verdict.PASS, "Ann")
        assert other.changes_since(seen) == {FACTS.fingerprint}
        assert other.changes_since(other.revision()) == set()


def test_the_latest_result_counts(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        for blur_um in (4.0, 0.2):
            worklist.record(result_of(Path("/slides/a.svs"), 1, blur_um, 0.5, Rules()))
        (row,) = worklist.slides()
        assert row.result is not None and row.result.judgement.verdict == Verdict.PASS and row.result.regions == ()


def test_slides_come_by_verdict_and_then_by_score(tmp_path: Path) -> None:
    rules = Rules()
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        results = [result_of(Path(f"/in/{n}.svs"), n, 1.0, 0.3, rules) for n in range(1, 6)]
        judged = (
            (Verdict.PASS, 90),
            (Verdict.RESCAN, 10),
            (Verdict.REVIEW, 80),
            (Verdict.RESCAN, 20),
            (Verdict.PASS, 5),
        )
        for result, (verdict, score) in zip(results, judged, strict=True):
            worklist.record(replace(result, judgement=replace(result.judgement, verdict=verdict, score=score)))
        worklist.add_slide(FACTS)
        assert [row.facts.path.stem for row in worklist.slides()] == ["4", "2", "3", "1", "5", "a"]
        worklist.give_verdict(results[4].facts.fingerprint, Verdict.RESCAN, "Eve")  # a person's counts
        assert [row.facts.path.stem for row in worklist.slides()] == ["4", "2", "5", "3", "1", "a"]


def test_a_certain_verdict_can_be_taken_back_once_and_only_by_who_gave_it(tmp_path: Path) -> None:
    with Worklist(tmp_path / "worklist.sqlite") as worklist:
        worklist.add_slide(FACTS)
        first = worklist.give_verdict(FACTS.fingerprint, Verdict.PASS, "Ann")
        second = worklist.give_verdict(FACTS.fingerprint, Verdict.RESCAN, "Ann")
        other = worklist.give_verdict(FACTS.fingerprint, Verdict.REVIEW, "Ben")
        slide = FACTS.fingerprint
        assert worklist.standing() == {("Ann", slide): (first, second), ("Ben", slide): (other,)}
        assert worklist.undo("Ben", first) is None
        taken = worklist.undo("Ann", first)
        assert taken is not None and taken.number == first
        assert worklist.undo("Ann", first) is None
        assert worklist.standing() == {("Ann", slide): (second,), ("Ben", slide): (other,)}
