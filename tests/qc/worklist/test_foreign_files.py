"""Worklists that come from elsewhere: damaged, hostile, or where one may only read."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist import connections
from focusviewer.qc.worklist.listing import entries
from focusviewer.qc.worklist.schema import MIGRATIONS, VERSION
from focusviewer.qc.worklist.store import Worklist
from tests.qc.worklists import fill, open_worklist


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A worklist of three slides with verdicts and a failure, closed."""
    with open_worklist(tmp_path) as worklist:
        results = fill(worklist, [Path(f"/slides/{name}.svs") for name in "abc"], Rules(), files=0)
        worklist.give_verdict(results[0].facts.fingerprint, Verdict.PASS, "Ann", "fine")
        worklist.undo("Ann")
        worklist.give_verdict(results[1].facts.fingerprint, Verdict.RESCAN, "Ben")
        worklist.record_failure(Path("/slides/broken.svs"), "it is truncated")
    return worklist.path


def alter(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.executescript(statement)
    db.commit()
    db.close()


def read_all(path: Path, *, make: bool = True) -> None:
    """Everything that windows and reports read."""
    with Worklist(path, make=make) as worklist:
        entries(worklist)
        worklist.readers(), worklist.standing(), worklist.files(), worklist.revision(), worklist.changes_since(0)
        for row in worklist.slides():
            worklist.history(row.facts.fingerprint)
            worklist.slide(row.facts.fingerprint)


UNCHECKED = "PRAGMA ignore_check_constraints = ON;"
DEEP = "[" * 100_000
BAD_ROWS = [
    f"{UNCHECKED} UPDATE results SET verdict = 'FINE'",
    f"{UNCHECKED} UPDATE verdicts SET verdict = 'FINE'",
    "UPDATE slides SET path = x'00ff'",
    "UPDATE slides SET path = ''",
    "UPDATE slides SET name = x'41'",
    "UPDATE slides SET name = CAST(x'ff41' AS TEXT)",
    "UPDATE verdicts SET who = x'ff'",
    "UPDATE files SET path = x'ff' WHERE rowid = 1",
    "UPDATE files SET size = 'large'",
    "UPDATE failures SET path = x'ff'",
    "UPDATE failures SET attempt = 'often'",
    "UPDATE regions SET x = 'left'",
    "UPDATE regions SET mean_um = 9e999",
    "UPDATE results SET score = 'bad'",
    "UPDATE results SET score = 9e999",
    "UPDATE results SET reasons = '{'",
    "UPDATE results SET reasons = '[1, 2]'",
    f"UPDATE results SET reasons = '{DEEP}'",
    "UPDATE results SET features = '[]'",
    "UPDATE results SET features = '{}'",
    'UPDATE results SET features = replace(features, \'"tissue_found": true\', \'"tissue_found": "yes"\')',
    'UPDATE results SET features = replace(features, \'"absolute": true\', \'"absolute": true, "mpp": 1e999\')',
    "UPDATE results SET folder = '../elsewhere'",
    "UPDATE results SET folder = '/etc'",
    "UPDATE results SET folder = 'C:\\Users'",
    "UPDATE results SET folder = '\\\\server\\share'",
    "UPDATE results SET folder = 'slides\\..\\..\\elsewhere'",
]


@pytest.mark.parametrize("statement", BAD_ROWS, ids=lambda text: text[:70])
def test_rows_with_nonsense_are_one_error_that_names_the_file(listed: Path, statement: str) -> None:
    alter(listed, statement)
    with pytest.raises(UserError, match=r"Cannot read the worklist .*worklist.sqlite"):
        read_all(listed)


FOREIGN = [
    "CREATE TRIGGER t AFTER INSERT ON verdicts BEGIN DELETE FROM results; END;",
    "CREATE TRIGGER sqlite_auto AFTER INSERT ON verdicts BEGIN DELETE FROM results; END;",
    "CREATE VIEW v AS SELECT * FROM slides;",
    "ALTER TABLE slides RENAME TO real; CREATE VIEW slides AS SELECT * FROM real;",
    "CREATE TABLE extra (a);",
    "CREATE INDEX extra ON slides(lower(name));",
    "DROP TABLE regions; CREATE TABLE regions (result_id, number, x, y, width, height, mean_um, area_mm2, cause);",
    "ALTER TABLE slides ADD COLUMN more AS (hex(name));",
    "DROP TABLE failures;",
    "PRAGMA user_version = -1;",
    "PRAGMA user_version = -2147483648;",
    "PRAGMA user_version = 0;",
    "PRAGMA user_version = 1;",
]


@pytest.mark.parametrize("statement", FOREIGN, ids=lambda text: text[:50])
def test_what_is_not_our_own_layout_is_refused_and_left_alone(listed: Path, statement: str) -> None:
    try:
        alter(listed, statement)
    except sqlite3.OperationalError:  # a name that SQLite keeps for itself can only be forged
        kind, name, sql = "trigger", "sqlite_auto", statement.rstrip(";")
        db = sqlite3.connect(listed)
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, 'verdicts', 0, ?)", (kind, name, sql))
        db.commit()
        db.close()
    before = listed.read_bytes()
    with pytest.raises(UserError, match="worklist"):
        read_all(listed)
    assert listed.read_bytes() == before


def test_a_file_of_another_layout_says_what_is_foreign_in_it(listed: Path) -> None:
    alter(listed, "CREATE VIEW peep AS SELECT * FROM slides;")
    with pytest.raises(UserError, match="is no worklist: its view 'peep' is none of FocusViewer's"):
        Worklist(listed)


def test_what_sqlite_itself_adds_is_not_foreign(listed: Path) -> None:
    alter(listed, "ANALYZE;", "VACUUM;")
    read_all(listed)


def test_mutated_files_give_their_content_or_one_error(listed: Path, tmp_path: Path) -> None:
    alter(listed, "PRAGMA journal_mode = DELETE")
    whole = listed.read_bytes()
    rng = np.random.default_rng(7)
    mutant = tmp_path / "mutant.sqlite"
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 40))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        mutant.write_bytes(data[: int(rng.integers(100, len(data)))] if rng.random() < 0.2 else data)
        try:
            read_all(mutant, make=False)
        except UserError:
            refused += 1
        for name in ("-wal", "-shm", "-journal"):
            mutant.with_name(mutant.name + name).unlink(missing_ok=True)
    assert 20 < refused < 150


@pytest.fixture(params=["stands still", "ordinary"])
def locked(request: pytest.FixtureRequest, listed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worklist that the system does not let us write to."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    connect = sqlite3.connect

    def read_only(address: str, **options: object) -> sqlite3.Connection:
        assert str(address) == ":memory:" or "mode=ro" in str(address)
        if request.param == "stands still" and "mode=ro" in str(address) and "immutable" not in str(address):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(address, **options)

    monkeypatch.setattr(connections.sqlite3, "connect", read_only)
    return listed


def test_a_worklist_that_may_only_be_read_is_listed_and_refuses_changes(locked: Path) -> None:
    before = locked.read_bytes()
    with Worklist(locked) as worklist:
        assert worklist.read_only
        assert len(worklist.slides()) == 3 and len(entries(worklist)) == 4
        fingerprint = worklist.slides()[0].facts.fingerprint
        for change in (
            lambda: worklist.give_verdict(fingerprint, Verdict.PASS, "Eve"),
            lambda: worklist.undo("Ben"),
            lambda: worklist.record_failure(Path("x"), "y"),
        ):
            with pytest.raises(UserError, match="you may only read it there"):
                change()
    assert locked.read_bytes() == before


def test_what_others_write_is_seen_where_one_may_only_read(locked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Worklist(locked) as worklist:
        revision = worklist.revision()
        db = sqlite3.Connection(str(locked))
        db.execute("INSERT INTO changes (fingerprint) VALUES ('x')")
        db.commit()
        db.close()
        assert worklist.revision() == revision + 1


def test_an_older_worklist_that_may_only_be_read_says_what_to_do(locked: Path) -> None:
    locked.unlink()
    db = sqlite3.Connection(str(locked))
    for step in MIGRATIONS[: VERSION - 1]:
        db.executescript(step)
    db.execute(f"PRAGMA user_version = {VERSION - 1}")
    db.commit()
    db.close()
    with pytest.raises(UserError, match=r"older version .* Copy its folder"):
        Worklist(locked)


def test_a_missing_or_empty_file_is_not_made_into_a_worklist_when_one_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "worklist.sqlite"
    with pytest.raises(UserError, match="there is no such file"):
        Worklist(path, make=False)
    assert not path.exists()
    path.touch()
    with pytest.raises(UserError, match="is no worklist"):
        Worklist(path, make=False)
    assert path.stat().st_size == 0


@pytest.mark.skipif(sys.platform == "win32", reason="rights are kept in another way there")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="the system lets this user write anywhere")
def test_a_folder_without_the_right_to_write(listed: Path, tmp_path: Path) -> None:
    listed.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        read_all(listed)
    finally:
        tmp_path.chmod(0o755)
