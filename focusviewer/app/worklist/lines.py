"""The slides of a worklist as one reader may see them, filtered and in order; no Qt here."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from focusviewer.app.worklist.snapshot import Snapshot
from focusviewer.app.worklist.texts import area, percent, plain
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import RegionRow, Result, SlideRow, VerdictRow


def os_user() -> str:
    """The name of the account, where the reader has not given one."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return "reader"


@dataclass(frozen=True)
class Reader:
    """Who looks at the list, and whether they may see what others found before they have judged for themselves.

    ``revealed`` are slides whose finding they have seen: no verdict on them is blinded any more.
    """

    name: str = ""
    blinded: bool = False
    revealed: frozenset[str] = frozenset()

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


class Filter(Enum):
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
        The reader is blinded and has not judged it: nothing that was found on it may be shown.
    mine : Verdict or None
        The reader's own standing verdict.
    would_be : Verdict or None
        The program's verdict with the thresholds that are tried out, where it differs.
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
        """What the program found, if it may be shown."""
        return None if self.hidden else self.row.result

    @property
    def program(self) -> Verdict | None:
        """The program's verdict, if it may be shown."""
        return None if self.result is None else self.result.judgement.verdict

    @property
    def person(self) -> VerdictRow | None:
        """The latest verdict of a person, if it may be shown."""
        return None if self.hidden else self.row.person

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that counts, as far as it may be shown: the person's, else the program's."""
        return self.program if self.person is None else self.person.verdict

    @property
    def regions(self) -> tuple[RegionRow, ...]:
        """Blurred regions, the worst first, if they may be shown."""
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
    filter: Filter = Filter.ALL
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


def choose(lines: Iterable[Line], choice: Choice, *, blinded: bool = False) -> list[Line]:
    """The lines to list, in order. For a blinded reader by name, as the order would reveal the score."""
    wanted = choice.text.casefold().split()
    kept = [line for line in lines if _passes(line, choice.filter)]
    if wanted:
        kept = [line for line in kept if all(word in line.words() for word in wanted)]
    column = Column.SLIDE if blinded else choice.column
    keyed = [(line.key(column), line) for line in kept]
    known = [(key, line) for key, line in keyed if key is not None]
    known.sort(key=lambda item: item[0], reverse=choice.descending and not (blinded and choice.column is not column))
    rest = sorted((line for key, line in keyed if key is None), key=lambda line: line.name.casefold())
    return [line for _, line in known] + rest


def _passes(line: Line, wanted: Filter) -> bool:
    if wanted is Filter.TO_DO:
        return line.row.person is None
    if wanted is Filter.MINE:
        return line.mine is None
    if wanted is Filter.DIFFER:
        return line.differs
    if wanted is Filter.MOVED:
        return line.would_be is not None
    return wanted is Filter.ALL or (line.verdict is not None and line.verdict.value == wanted.value)
