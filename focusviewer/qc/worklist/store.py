"""The worklist: one SQLite file with slides, verdicts and their history, shared by several people at once."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.verdicts.judgement import Judgement, Verdict
from focusviewer.qc.worklist.network import on_network
from focusviewer.qc.worklist.records import (
    Failure,
    FileRow,
    RegionRow,
    Result,
    SlideFacts,
    SlideRow,
    VerdictRow,
    parts_of_one,
)
from focusviewer.qc.worklist.schema import migrate, refuse_foreign

FILE_NAME = "worklist.sqlite"
BUSY_S = 30.0

_ROWS = """
SELECT s.*, r.id AS result_id, r.model, r.model_version, r.rules, r.verdict, r.score, r.reasons, r.features,
       r.folder, r.seconds, v.id AS verdict_id, v.verdict AS person_verdict, v.who, v.note, v.given_at, v.blinded,
       (SELECT COALESCE(MAX(revision), 0) FROM changes c WHERE c.fingerprint = s.fingerprint) AS revision
FROM slides s
LEFT JOIN results r ON r.id = (SELECT MAX(id) FROM results WHERE fingerprint = s.fingerprint)
LEFT JOIN verdicts v ON v.id =
    (SELECT MAX(id) FROM verdicts WHERE fingerprint = s.fingerprint AND undone_at IS NULL)
"""
_RANKS = " ".join(f"WHEN '{verdict.value}' THEN {verdict.rank}" for verdict in Verdict)
_WORST_FIRST = f" ORDER BY r.score IS NULL, CASE COALESCE(v.verdict, r.verdict) {_RANKS} END DESC, r.score DESC, s.name"


def now() -> str:
    """The time as the worklist writes it: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Worklist:
    """A worklist file.

    Slides are known by their content's fingerprint, so a moved or renamed file keeps its history. Nothing is ever
    overwritten: results and verdicts are added, and the latest counts. Every method may be called from any thread
    and from several programs; writers wait for each other up to BUSY_S seconds.

    Parameters
    ----------
    path : Path
        The file; made when missing.

    Raises
    ------
    UserError
        If it cannot be opened, is no worklist, or was written by a newer program.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            migrate(self._connection(), self.path)
        except sqlite3.Error as error:
            self.close()
            raise UserError(f"Cannot open the worklist {path}", str(error), "Choose another file or folder.") from error
        except UserError:
            self.close()
            raise

    def __enter__(self) -> Worklist:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where the file lies; slides' folders are relative to it."""
        return self.path.parent

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    # -- what the program found

    def add_slide(self, facts: SlideFacts) -> None:
        """Enter a slide, or note where the file lies now; its history stays."""
        with self._writing() as db:
            self._enter(db, facts)
            self._touch(db, facts.fingerprint)

    def record(self, result: Result) -> None:
        """Add what the program found on a slide; earlier results stay in the history. All of it, or nothing."""
        facts, judgement = result.facts, result.judgement
        with self._writing() as db:
            self._enter(db, facts)
            cursor = db.execute(
                "INSERT INTO results (fingerprint, model, model_version, rules, verdict, score, reasons, features,"
                " folder, seconds, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
                    facts.fingerprint,
                    result.model,
                    result.model_version,
                    judgement.rules,
                    judgement.verdict.value,
                    judgement.score,
                    json.dumps(judgement.reasons),
                    json.dumps(asdict(result.features)),
                    result.folder,
                    result.seconds,
                    now(),
                ),
            )
            db.executemany(
                "INSERT INTO regions VALUES (?,?,?,?,?,?,?,?,?)",
                [(cursor.lastrowid, number, *asdict(region).values()) for number, region in enumerate(result.regions)],
            )
            db.execute("DELETE FROM failures WHERE path = ?", (str(facts.path),))
            self._touch(db, facts.fingerprint)

    def record_failure(self, path: Path, reason: str) -> int:
        """Note that a file could not be judged, and why; returns how often it has been tried."""
        with self._writing() as db:
            tried = db.execute("SELECT COUNT(*) FROM failures WHERE path = ?", (str(path),)).fetchone()[0]
            db.execute(
                "INSERT INTO failures (path, reason, attempt, created_at) VALUES (?,?,?,?)",
                (str(path), reason, tried + 1, now()),
            )
            self._touch(db, str(path))
        return int(tried) + 1

    def forget_failures(self, path: Path) -> None:
        """Try a file anew: what failed before no longer counts."""
        with self._writing() as db:
            db.execute("DELETE FROM failures WHERE path = ?", (str(path),))
            self._touch(db, str(path))

    def note_file(self, file: FileRow) -> None:
        """Note that a batch has met a file, and what is in it."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO files (path, fingerprint, size, modified_ns) VALUES (?,?,?,?)",
                (str(file.path), file.fingerprint, file.size, file.modified_ns),
            )

    def files(self) -> dict[Path, FileRow]:
        """Every file that batches have met."""
        rows = self._all("SELECT * FROM files ORDER BY path")
        return {
            Path(row["path"]): FileRow(Path(row["path"]), row["fingerprint"], row["size"], row["modified_ns"])
            for row in rows
        }

    def duplicates(self) -> dict[Path, Path]:
        """Files whose content is in the worklist under another path: {file: that path}."""
        rows = self._all(
            "SELECT f.path, s.path AS listed FROM files f JOIN slides s ON s.fingerprint = f.fingerprint"
            " WHERE f.path != s.path ORDER BY f.path"
        )
        pairs = ((Path(row["path"]), Path(row["listed"])) for row in rows)
        return {path: listed for path, listed in pairs if not parts_of_one(path, listed)}

    # -- what people said

    def give_verdict(
        self, fingerprint: str, verdict: Verdict, who: str, note: str = "", *, blinded: bool = False
    ) -> int:
        """Add a person's verdict beside the program's; returns its number in the history.

        Raises
        ------
        UserError
            If the slide is not in the worklist.
        """
        with self._writing() as db:
            if db.execute("SELECT 1 FROM slides WHERE fingerprint = ?", (fingerprint,)).fetchone() is None:
                raise UserError(f"{self.path.name} has no slide {fingerprint!r}", "it was never entered")
            cursor = db.execute(
                "INSERT INTO verdicts (fingerprint, verdict, who, note, given_at, blinded) VALUES (?,?,?,?,?,?)",
                (fingerprint, verdict.value, who, note, now(), int(blinded)),
            )
            self._touch(db, fingerprint)
        return int(cursor.lastrowid or 0)

    def undo(self, who: str, number: int | None = None) -> VerdictRow | None:
        """Take back a person's last verdict that still stands, or the one with a number; the history shows both.

        None: there is none, or it stands no longer.
        """
        with self._writing() as db:
            row = db.execute(
                "SELECT * FROM verdicts WHERE who = ? AND undone_at IS NULL AND id = COALESCE(?, id)"
                " ORDER BY id DESC LIMIT 1",
                (who, number),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE verdicts SET undone_at = ? WHERE id = ?", (now(), row["id"]))
            self._touch(db, row["fingerprint"])
        return self._verdict(row)

    def history(self, fingerprint: str) -> list[VerdictRow]:
        """Every verdict ever given on a slide, oldest first, those taken back included."""
        rows = self._all("SELECT * FROM verdicts WHERE fingerprint = ? ORDER BY id", (fingerprint,))
        return [self._verdict(row) for row in rows]

    def readers(self) -> dict[str, dict[str, Verdict]]:
        """Each person's standing verdict on each slide: {who: {fingerprint: verdict}}."""
        found: dict[str, dict[str, Verdict]] = {}
        for row in self._all("SELECT * FROM verdicts WHERE undone_at IS NULL ORDER BY id"):
            found.setdefault(row["who"], {})[row["fingerprint"]] = Verdict(row["verdict"])
        return found

    def standing(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Numbers of each person's standing verdicts on each slide, oldest first: {(who, fingerprint): numbers}."""
        found: dict[tuple[str, str], tuple[int, ...]] = {}
        for row in self._all("SELECT id, who, fingerprint FROM verdicts WHERE undone_at IS NULL ORDER BY id"):
            key = (row["who"], row["fingerprint"])
            found[key] = (*found.get(key, ()), row["id"])
        return found

    # -- reading

    def slides(self) -> list[SlideRow]:
        """Every slide, the worst first: by verdict (a person's counts before the program's), then by score.

        Slides that still wait come last.
        """
        rows = self._all(_ROWS + _WORST_FIRST)
        regions = self._regions([row["result_id"] for row in rows if row["result_id"] is not None])
        return [self._slide(row, regions) for row in rows]

    def slide(self, fingerprint: str) -> SlideRow | None:
        """One slide, or None."""
        rows = self._all(_ROWS + " WHERE s.fingerprint = ?", (fingerprint,))
        return self._slide(rows[0], self._regions([rows[0]["result_id"]])) if rows else None

    def failures(self) -> list[Failure]:
        """The latest failure of every file that could not be judged, by path."""
        rows = self._all(
            "SELECT * FROM failures WHERE id IN (SELECT MAX(id) FROM failures GROUP BY path) ORDER BY path"
        )
        return [Failure(Path(row["path"]), row["reason"], row["attempt"], row["created_at"]) for row in rows]

    def revision(self) -> int:
        """Number of the last change; grows with every write of anybody."""
        return int(self._all("SELECT COALESCE(MAX(revision), 0) AS last FROM changes")[0]["last"])

    def changes_since(self, revision: int) -> set[str]:
        """Fingerprints (of failures: paths) touched after a revision."""
        rows = self._all("SELECT DISTINCT fingerprint FROM changes WHERE revision > ?", (revision,))
        return {row["fingerprint"] for row in rows}

    def check(self) -> str:
        """SQLite's own integrity check: ``ok``, or what is wrong."""
        return str(self._all("PRAGMA integrity_check")[0][0])

    # -- below

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Closed by whichever thread closes the worklist; used by its own thread only.
            connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            connection.row_factory = sqlite3.Row
            with self._lock:
                self._connections.append(connection)
            refuse_foreign(connection, self.path)
            connection.execute("PRAGMA foreign_keys = ON")
            # Write-ahead logs need memory that programs share, which network folders do not give.
            connection.execute(f"PRAGMA journal_mode = {'DELETE' if on_network(self.path) else 'WAL'}")
            connection.execute("PRAGMA synchronous = FULL")
            self._local.connection = connection
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: takes the write lock at once, so that nothing read in it can be out of date."""
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            advice = "Free some space, or wait for the other program, and try again."
            raise UserError(f"Cannot write to the worklist {self.path}", str(error), advice) from error

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        try:
            return self._connection().execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise UserError(f"Cannot read the worklist {self.path}", str(error), "Is it whole?") from error

    @staticmethod
    def _enter(db: sqlite3.Connection, facts: SlideFacts) -> None:
        values = (facts.fingerprint, str(facts.path), facts.name, facts.slide_id, facts.scanner, facts.stain, now())
        db.execute(
            "INSERT INTO slides (fingerprint, path, name, slide_id, scanner, stain, added_at) VALUES (?,?,?,?,?,?,?)"
            " ON CONFLICT (fingerprint) DO UPDATE SET path = excluded.path, name = excluded.name,"
            " slide_id = excluded.slide_id, scanner = excluded.scanner, stain = excluded.stain",
            values,
        )

    @staticmethod
    def _touch(db: sqlite3.Connection, fingerprint: str) -> None:
        db.execute("INSERT INTO changes (fingerprint) VALUES (?)", (fingerprint,))

    def _regions(self, results: list[int]) -> dict[int, tuple[RegionRow, ...]]:
        wanted = set(results)
        found: dict[int, list[RegionRow]] = {}
        rows = (
            self._all("SELECT * FROM regions WHERE result_id = ? ORDER BY number", (results[0],))
            if len(results) == 1
            else self._all("SELECT * FROM regions ORDER BY result_id, number")
        )
        for row in rows:
            if row["result_id"] in wanted:
                found.setdefault(row["result_id"], []).append(RegionRow(*tuple(row)[2:]))
        return {result: tuple(regions) for result, regions in found.items()}

    def _slide(self, row: sqlite3.Row, regions: dict[int, tuple[RegionRow, ...]]) -> SlideRow:
        facts = SlideFacts(
            row["fingerprint"], Path(row["path"]), row["name"], row["slide_id"], row["scanner"], row["stain"]
        )
        result = None
        if row["result_id"] is not None:
            reasons = tuple(json.loads(row["reasons"]))
            result = Result(
                facts,
                SlideFeatures(**json.loads(row["features"])),
                Judgement(Verdict(row["verdict"]), row["score"], reasons, row["rules"]),
                regions.get(row["result_id"], ()),
                row["model"],
                row["model_version"],
                row["folder"],
                row["seconds"],
            )
        person = None
        if row["verdict_id"] is not None:
            person = VerdictRow(
                row["verdict_id"],
                row["fingerprint"],
                Verdict(row["person_verdict"]),
                row["who"],
                row["note"],
                row["given_at"],
                bool(row["blinded"]),
            )
        return SlideRow(facts, row["added_at"], result, person, row["revision"])

    @staticmethod
    def _verdict(row: sqlite3.Row) -> VerdictRow:
        return VerdictRow(
            row["id"],
            row["fingerprint"],
            Verdict(row["verdict"]),
            row["who"],
            row["note"],
            row["given_at"],
            bool(row["blinded"]),
            row["undone_at"] or "",
        )
