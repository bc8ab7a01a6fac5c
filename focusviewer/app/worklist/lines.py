"""A worklist as the window holds it: what was read last, and what this reader may see of it; no Qt here."""

from __future__ import annotations

import getpass
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from focusviewer.core.errors import UserError
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import Failure, RegionRow, Result, SlideRow, VerdictRow
from focusviewer.qc.worklist.store import FILE_NAME, Worklist

MANY_CHANGES = 50
"""From so many changed slides on the whole list is read again: that is faster than one by one."""


@dataclass(frozen=True)
class Snapshot:
    """Everything the list shows, as it was at one revision."""

    path: Path
    revision: int = 0
    rows: Mapping[str, SlideRow] = field(default_factory=dict)
    readers: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()


class Session:
    """An open worklist and what was last read of it. Lives in the worklist's lane: one thread, in order.

    Raises
    ------
    UserError
        If the file is missing or no worklist.
    """

    def __init__(self, path: Path) -> None:
        check_worklist(path)
        self.worklist = Worklist(path)
        self.snapshot = Snapshot(path, -1)

    def refresh(self) -> Snapshot | None:
        """Read what has changed since the last time; None if nothing has."""
        store, old = self.worklist, self.snapshot
        # The number first: what is written in between is read twice rather than never.
        revision = store.revision()
        if revision == old.revision:
            return None
        changed = store.changes_since(old.revision)
        if old.revision < 0 or len(changed) > MANY_CHANGES:
            rows = {row.facts.fingerprint: row for row in store.slides()}
        else:
            rows = dict(old.rows)
            read = (store.slide(fingerprint) for fingerprint in changed)
            rows |= {row.facts.fingerprint: row for row in read if row is not None}
        self.snapshot = Snapshot(old.path, revision, rows, store.readers(), tuple(store.failures()))
        return self.snapshot


def check_worklist(path: Path) -> None:
    """Make sure that a file is a worklist before it is opened as one, which would make or change it.

    Raises
    ------
    UserError
        If it is not.
    """
    what, advice = f"Cannot open the worklist {path}", f"Choose the {FILE_NAME} that a batch has written."
    if not path.is_file():
        raise UserError(what, "there is no such file", advice)
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name IN ('slides', 'changes')")
            tables = found.fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UserError(what, str(error), advice) from error
    if tables != 2:
        raise UserError(what, "it is a database of something else", advice)


def os_user() -> str:
    """The name of the account, for want of the reader's own."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return "reader"


@dataclass
class Reader:
    """Who looks at the list, and whether they may see what others found before they have judged for themselves.

    ``revealed`` are slides whose finding they have seen: no verdict on them is blinded any more.
    """

    name: str = ""
    blinded: bool = False
    revealed: set[str] = field(default_factory=set)

    def may_see(self, fingerprint: str, mine: Verdict | None) -> bool:
        """Whether the program's finding and the others' verdicts on a slide may be shown."""
        return not self.blinded or mine is not None or fingerprint in self.revealed


class Column(Enum):
    """Columns of the list."""

    SLIDE = "Slide"
    PROGRAM = "Program"
    PERSON = "Person"
    SCORE = "Score"
    BLURRED = "Blurred"
    REGION = "Largest"
    REASONS = "Reasons"


class Sieve(Enum):
    """Which slides are listed."""

    ALL = "All slides"
    TO_DO = "Judged by nobody yet"
    MINE = "Not judged by me"
    RESCAN = "RESCAN"
    REVIEW = "REVIEW"
    PASS = "PASS"
    DIFFER = "Program and person differ"
    MOVED = "Verdict would change"


@dataclass(frozen=True)
class Line:
    """A slide of the list as this reader may see it.

    Attributes
    ----------
    hidden : bool
        The reader is blinded and has not judged it: nothing that was found on it is told.
    mine : Verdict or None
        The reader's own standing verdict.
    would_be : Verdict or None
        The program's verdict with the thresholds that are tried out, where it is another one.
    """

    row: SlideRow
    hidden: bool = False
    mine: Verdict | None = None
    would_be: Verdict | None = None

    @property
    def fingerprint(self) -> str:
        """Of the slide's content."""
        return self.row.facts.fingerprint

    @property
    def name(self) -> str:
        """File name, in one line."""
        return plain(self.row.facts.name)

    @property
    def result(self) -> Result | None:
        """What the program found, if it may be told."""
        return None if self.hidden else self.row.result

    @property
    def program(self) -> Verdict | None:
        """The program's verdict, if it may be told."""
        return None if self.result is None else self.result.judgement.verdict

    @property
    def person(self) -> VerdictRow | None:
        """The latest verdict of a person, if it may be told."""
        return None if self.hidden else self.row.person

    @property
    def verdict(self) -> Verdict | None:
        """What counts, as far as it may be told: the person's verdict, else the program's."""
        return self.program if self.person is None else self.person.verdict

    @property
    def regions(self) -> tuple[RegionRow, ...]:
        """Blurred regions, the worst first, if they may be told."""
        return () if self.result is None else self.result.regions

    @property
    def differs(self) -> bool:
        """Whether a person said otherwise than the program."""
        return self.person is not None and self.program is not None and self.person.verdict is not self.program

    def text(self, column: Column) -> str:
        """What stands in a column."""
        result = self.result
        if column is Column.SLIDE:
            return self.name
        if column is Column.PERSON:
            return "" if self.person is None else self.person.verdict.value
        if result is None:
            waits = column is Column.PROGRAM and self.row.result is None
            return "waits" if waits else ""
        features, judgement = result.features, result.judgement
        if column is Column.PROGRAM:
            return judgement.verdict.value
        if column is Column.SCORE:
            return f"{judgement.score:.1f}"
        if column is Column.BLURRED:
            return percent(features.blurred_fraction)
        if column is Column.REGION:
            return "" if features.largest_region_mm2 is None else area(features.largest_region_mm2)
        return plain("; ".join(judgement.reasons))

    def key(self, column: Column) -> tuple[float, str] | None:
        """What a column is ordered by; None where there is nothing, which always comes last."""
        name, result = self.name.casefold(), self.result
        if column is Column.SLIDE:
            return 0.0, name
        if column is Column.PERSON:
            return None if self.person is None else (self.person.verdict.rank, name)
        if result is None:
            return None
        features, judgement = result.features, result.judgement
        if column is Column.REGION and features.largest_region_mm2 is None:
            return None
        if column is Column.REASONS:
            return float(len(judgement.reasons)), "; ".join(judgement.reasons)
        numbers = {
            Column.PROGRAM: judgement.verdict.rank + judgement.score / 1000,
            Column.SCORE: judgement.score,
            Column.BLURRED: features.blurred_fraction,
            Column.REGION: features.largest_region_mm2 or 0.0,
        }
        return numbers[column], name

    def words(self) -> str:
        """All that can be searched for."""
        facts, person = self.row.facts, self.person
        parts = [facts.name, facts.slide_id, facts.stain, facts.scanner, str(facts.path.parent)]
        parts += [self.text(Column.REASONS)] + ([person.note, person.who] if person else [])
        return " ".join(parts).casefold()


@dataclass(frozen=True)
class Choice:
    """What is listed, and in which order."""

    text: str = ""
    sieve: Sieve = Sieve.ALL
    column: Column = Column.SCORE
    descending: bool = True


def lines_of(snapshot: Snapshot, reader: Reader, moved: Mapping[str, Verdict] | None = None) -> list[Line]:
    """Every slide as the reader may see it; ``moved`` has the program's verdicts with other thresholds."""
    mine = snapshot.readers.get(reader.name, {})
    found = []
    for fingerprint, row in snapshot.rows.items():
        own = mine.get(fingerprint)
        hidden = not reader.may_see(fingerprint, own)
        would_be = None if hidden or moved is None else moved.get(fingerprint)
        found.append(Line(row, hidden, own, would_be))
    return found


def choose(lines: list[Line], choice: Choice, *, blinded: bool = False) -> list[Line]:
    """The lines to list, in order. For a blinded reader by name: the order would tell as much as the score."""
    wanted = choice.text.casefold().split()
    kept = [line for line in lines if _passes(line, choice.sieve)]
    if wanted:
        kept = [line for line in kept if all(word in line.words() for word in wanted)]
    column = Column.SLIDE if blinded else choice.column
    keyed = [(line.key(column), line) for line in kept]
    known = [(key, line) for key, line in keyed if key is not None]
    known.sort(key=lambda item: item[0], reverse=choice.descending and not (blinded and choice.column is not column))
    rest = sorted((line for key, line in keyed if key is None), key=lambda line: line.name.casefold())
    return [line for _, line in known] + rest


def _passes(line: Line, sieve: Sieve) -> bool:
    if sieve is Sieve.TO_DO:
        return line.row.person is None
    if sieve is Sieve.MINE:
        return line.mine is None
    if sieve is Sieve.DIFFER:
        return line.differs
    if sieve is Sieve.MOVED:
        return line.would_be is not None
    return sieve is Sieve.ALL or (line.verdict is not None and line.verdict.value == sieve.value)


def plain(text: str) -> str:
    """Text in one line, without signs that would turn or hide the rest of it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def breakable(text: str, longest: int = 24) -> str:
    """Text that can be wrapped in a narrow panel: words get invisible places to break at."""
    cut = (word if len(word) <= longest else "\u200b".join(_pieces(word, longest)) for word in text.split(" "))
    return " ".join(cut)


def _pieces(word: str, longest: int) -> list[str]:
    return [word[start : start + longest] for start in range(0, len(word), longest)]


def percent(part: float) -> str:
    """A part of the whole for people: no number is rounded to none or all."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    return f"{100 * part:.1f} %" if part < 0.0995 or 0.995 <= part < 1 else f"{100 * part:.0f} %"


def area(mm2: float) -> str:
    """An area for people."""
    if 0 < mm2 < 0.001:
        return "< 0.001 mm²"
    return f"{mm2:.3f} mm²" if 0 < mm2 < 0.1 else f"{mm2:.2g} mm²" if mm2 < 10 else f"{mm2:.0f} mm²"


def region_text(region: RegionRow) -> str:
    """One line of a slide's list of blurred regions."""
    parts = [f"{region.mean_um:.1f} µm from focus"]
    if region.area_mm2 is not None:
        parts.append(area(region.area_mm2))
    if region.cause:
        parts.append(plain(region.cause))
    return "   ·   ".join(parts)


def local_time(stamp: str) -> str:
    """A time of the worklist (UTC) as the clock on the wall shows it."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp


def history_text(entry: VerdictRow) -> str:
    """One line of a slide's history."""
    text = f"{local_time(entry.given_at)}  {plain(entry.who)}: {entry.verdict.value}"
    if entry.blinded:
        text += ", blinded"
    if entry.note:
        text += f" “{plain(entry.note)}”"
    return f"{text} (taken back)" if entry.undone_at else text
