"""The worklist's tables, and the steps from every older version of them to the present one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from focusviewer.core.errors import UserError

FILE_NAME = "worklist.sqlite"

MIGRATIONS: tuple[str, ...] = (
    # 1: slides, what the program found, what failed, what people said
    """
    CREATE TABLE slides (
        fingerprint TEXT PRIMARY KEY,
        path        TEXT NOT NULL,
        name        TEXT NOT NULL,
        slide_id    TEXT NOT NULL DEFAULT '',
        scanner     TEXT NOT NULL DEFAULT '',
        stain       TEXT NOT NULL DEFAULT '',
        added_at    TEXT NOT NULL
    );
    CREATE TABLE results (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL REFERENCES slides(fingerprint) ON DELETE CASCADE,
        model       TEXT NOT NULL,
        model_version TEXT NOT NULL,
        rules       TEXT NOT NULL,
        verdict     TEXT NOT NULL CHECK (verdict IN ('PASS', 'REVIEW', 'RESCAN')),
        score       REAL NOT NULL,
        reasons     TEXT NOT NULL,
        features    TEXT NOT NULL,
        folder      TEXT NOT NULL,
        seconds     REAL NOT NULL,
        created_at  TEXT NOT NULL
    );
    CREATE INDEX results_of_slide ON results(fingerprint, id);
    CREATE TABLE regions (
        result_id   INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE,
        number      INTEGER NOT NULL,
        x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
        mean_um     REAL NOT NULL,
        area_mm2    REAL,
        cause       TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (result_id, number)
    );
    CREATE TABLE failures (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        path        TEXT NOT NULL,
        reason      TEXT NOT NULL,
        attempt     INTEGER NOT NULL,
        created_at  TEXT NOT NULL
    );
    CREATE INDEX failures_of_path ON failures(path, id);
    CREATE TABLE verdicts (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL REFERENCES slides(fingerprint) ON DELETE CASCADE,
        verdict     TEXT NOT NULL CHECK (verdict IN ('PASS', 'REVIEW', 'RESCAN')),
        who         TEXT NOT NULL,
        note        TEXT NOT NULL DEFAULT '',
        given_at    TEXT NOT NULL,
        undone_at   TEXT
    );
    CREATE INDEX verdicts_of_slide ON verdicts(fingerprint, id);
    CREATE TABLE changes (
        revision    INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL
    );
    """,
    # 2: whether a person gave the verdict before seeing the program's
    "ALTER TABLE verdicts ADD COLUMN blinded INTEGER NOT NULL DEFAULT 0;",
    # 3: every file that was met, so that a batch goes on where it stopped and duplicates are accounted for
    """
    CREATE TABLE files (
        path        TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL DEFAULT '',
        size        INTEGER NOT NULL,
        modified_ns INTEGER NOT NULL
    );
    CREATE INDEX files_of_slide ON files(fingerprint);
    CREATE INDEX changes_of_slide ON changes(fingerprint, revision);
    """,
)

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a database to the present version, in one transaction for each step.

    Raises
    ------
    UserError
        If it was written by a newer program.
    """
    version = _version(connection)
    if version > VERSION:
        raise UserError(
            f"{path} was written by a newer FocusViewer",
            f"its layout is version {version}, this program knows up to {VERSION}",
            "Update FocusViewer.",
        )
    while version < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection)  # another program may have been faster
            if version < VERSION:
                for statement in MIGRATIONS[version].split(";"):
                    if statement.strip():
                        connection.execute(statement)
                version += 1
                connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def check_schema(connection: sqlite3.Connection, path: Path, *, empty: bool = True, older: bool = True) -> None:
    """Refuse a database that is not exactly a worklist, before anything in it is used or changed.

    Tables of another make, and views and triggers that would run when ours are read or written, are refused.

    Parameters
    ----------
    empty, older : bool
        Whether an empty database, or a worklist of an older version, will do.

    Raises
    ------
    UserError
    """
    version, found = _version(connection), _objects(connection)
    if version > VERSION and (not found or ("table", "changes") in found):
        raise UserError(
            f"{path} was written by a newer FocusViewer",
            f"its layout is version {version}, this program knows up to {VERSION}",
            "Update FocusViewer.",
        )
    if empty and not found and version == 0:
        return
    what, advice = f"{path} is no worklist", f"Choose the {FILE_NAME} that a batch has written."
    expected = _expected(version) if 0 < version <= VERSION else {}
    if not expected or not found.keys() >= expected.keys():
        raise UserError(what, "it is the database of another program", advice)
    for key in found:
        if found[key] != expected.get(key):
            raise UserError(what, f"its {key[0]} {key[1][:40]!r} is none of FocusViewer's", advice)
    if version < VERSION and not older:
        raise UserError(
            f"Cannot open the worklist {path}",
            "it is of an older version and you may only read it there, so it cannot be brought up to date",
            "Copy its folder to where you may write, and open it there.",
        )


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """What the database holds, but for SQLite's own: {(kind, name): its definition, spaces evened out}."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    return {
        (str(kind), str(name)): " ".join(str(sql).split())
        for kind, name, sql in rows
        if not (kind in ("table", "index") and str(name).startswith(("sqlite_sequence", "sqlite_stat", "sqlite_auto")))
    }


@cache
def _expected(version: int) -> dict[tuple[str, str], str]:
    """What a worklist of a version holds."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in MIGRATIONS[:version]:
            connection.executescript(step)
        return _objects(connection)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
