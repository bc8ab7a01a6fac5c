"""The worklist: one SQLite file with slides, verdicts and their history, shared by several people at once."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.connections import Connections
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
from focusviewer.qc.worklist.rows import (
    failure_of,
    file_of,
    pair_of,
    region_of,
    slide_of,
    standing_of,
    told,
    verdict_of,
)
from focusviewer.qc.worklist.schema import FILE_NAME as FILE_NAME

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
    and from several programs; writers wait for each other up to half a minute. Where one may not write, the file is
    opened for reading only.

    Parameters
    ----------
    path : Path
    make : bool
        Make the file when it is missing.

    Raises
    ------
    UserError
        If it cannot be opened, is no worklist, or was written by a newer program.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = Path(path)
        self._connections = Connections(self.path, make=make)

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

    @property
    def read_only(self) -> bool:
        """Whether the file may only be read: every change is refused."""
        return self._connections.read_only

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()

    # -- what the program found

    def add_slide(self, facts: SlideFacts) -> None:
        """Enter a slide, or note where the file lies now; its history stays."""
        with self._connections.writing() as db:
            self._enter(db, facts)
            self._touch(db, facts.fingerprint)

    def record(self, result: Result) -> None:
        """Add what the program found on a slide; earlier results stay in the history. All of it, or nothing."""
        facts, judgement = result.facts, result.judgement
        with self._connections.writing() as db:
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
        with self._connections.writing() as db:
            tried = db.execute("SELECT COUNT(*) FROM failures WHERE path = ?", (str(path),)).fetchone()[0]
            db.execute(
                "INSERT INTO failures (path, reason, attempt, created_at) VALUES (?,?,?,?)",
                (str(path), reason, tried + 1, now()),
            )
            self._touch(db, str(path))
        return int(tried) + 1

    def forget_failures(self, path: Path) -> None:
        """Try a file anew: what failed before no longer counts."""
        with self._connections.writing() as db:
            db.execute("DELETE FROM failures WHERE path = ?", (str(path),))
            self._touch(db, str(path))

    def note_file(self, file: FileRow) -> None:
        """Note that a batch has met a file, and what is in it."""
        with self._connections.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO files (path, fingerprint, size, modified_ns) VALUES (?,?,?,?)",
                (str(file.path), file.fingerprint, file.size, file.modified_ns),
            )

    def files(self) -> dict[Path, FileRow]:
        """Every file that batches have met."""
        with told(self.path):
            found = [file_of(row) for row in self._all("SELECT * FROM files ORDER BY path")]
        return {file.path: file for file in found}

    def duplicates(self) -> dict[Path, Path]:
        """Files whose content is in the worklist under another path: {file: that path}."""
        rows = self._all(
            "SELECT f.path, s.path AS listed FROM files f JOIN slides s ON s.fingerprint = f.fingerprint"
            " WHERE f.path != s.path ORDER BY f.path"
        )
        with told(self.path):
            return {path: listed for path, listed in map(pair_of, rows) if not parts_of_one(path, listed)}

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
        with self._connections.writing() as db:
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
        with self._connections.writing() as db:
            row = db.execute(
                "SELECT * FROM verdicts WHERE who = ? AND undone_at IS NULL AND id = COALESCE(?, id)"
                " ORDER BY id DESC LIMIT 1",
                (who, number),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE verdicts SET undone_at = ? WHERE id = ?", (now(), row["id"]))
            self._touch(db, row["fingerprint"])
        with told(self.path):
            return verdict_of(row)

    def history(self, fingerprint: str) -> list[VerdictRow]:
        """Every verdict ever given on a slide, oldest first, those taken back included."""
        rows = self._all("SELECT * FROM verdicts WHERE fingerprint = ? ORDER BY id", (fingerprint,))
        with told(self.path):
            return [verdict_of(row) for row in rows]

    def readers(self) -> dict[str, dict[str, Verdict]]:
        """Each person's standing verdict on each slide: {who: {fingerprint: verdict}}."""
        found: dict[str, dict[str, Verdict]] = {}
        for who, fingerprint, _, verdict in self._standing():
            found.setdefault(who, {})[fingerprint] = verdict
        return found

    def standing(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Numbers of each person's standing verdicts on each slide, oldest first: {(who, fingerprint): numbers}."""
        found: dict[tuple[str, str], tuple[int, ...]] = {}
        for who, fingerprint, number, _ in self._standing():
            found[who, fingerprint] = (*found.get((who, fingerprint), ()), number)
        return found

    def _standing(self) -> list[tuple[str, str, int, Verdict]]:
        with told(self.path):
            return [standing_of(row) for row in self._all("SELECT * FROM verdicts WHERE undone_at IS NULL ORDER BY id")]

    # -- reading

    def slides(self) -> list[SlideRow]:
        """Every slide, the worst first: by verdict (a person's counts before the program's), then by score.

        Slides that still wait come last.
        """
        rows = self._all(_ROWS + _WORST_FIRST)
        with told(self.path):
            regions = self._regions([row["result_id"] for row in rows if row["result_id"] is not None])
            return [slide_of(row, regions) for row in rows]

    def slide(self, fingerprint: str) -> SlideRow | None:
        """One slide, or None."""
        rows = self._all(_ROWS + " WHERE s.fingerprint = ?", (fingerprint,))
        with told(self.path):
            return slide_of(rows[0], self._regions([rows[0]["result_id"]])) if rows else None

    def failures(self) -> list[Failure]:
        """The latest failure of every file that could not be judged, by path."""
        rows = self._all(
            "SELECT * FROM failures WHERE id IN (SELECT MAX(id) FROM failures GROUP BY path) ORDER BY path"
        )
        with told(self.path):
            return [failure_of(row) for row in rows]

    def revision(self) -> int:
        """Number of the last change; grows with every write of anybody."""
        return int(self._all("SELECT COALESCE(MAX(revision), 0) AS last FROM changes")[0]["last"])

    def changes_since(self, revision: int) -> set[str]:
        """Fingerprints (of failures: paths) touched after a revision."""
        rows = self._all("SELECT DISTINCT fingerprint FROM changes WHERE revision > ?", (revision,))
        return {str(row["fingerprint"]) for row in rows}

    def check(self) -> str:
        """SQLite's own integrity check: ``ok``, or what is wrong."""
        return str(self._all("PRAGMA integrity_check")[0][0])

    # -- below

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
                found.setdefault(row["result_id"], []).append(region_of(row))
        return {result: tuple(regions) for result, regions in found.items()}

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        return self._connections.rows(query, values)
