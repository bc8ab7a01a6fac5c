"""What the worklist holds, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.verdicts.judgement import Judgement, Verdict


@dataclass(frozen=True)
class RegionRow:
    """A blurred region of a slide: level-0 pixels, mean distance from focus in um, area in mm2 (None: unknown)."""

    x: float
    y: float
    width: float
    height: float
    mean_um: float
    area_mm2: float | None = None
    cause: str = ""


@dataclass(frozen=True)
class SlideFacts:
    """The identity of a slide, known before its verdict."""

    fingerprint: str
    path: Path
    name: str
    slide_id: str = ""
    scanner: str = ""
    stain: str = ""


@dataclass(frozen=True)
class Result:
    """What the program found on a slide.

    ``folder`` is where its map, pictures and GeoJSON lie, relative to the worklist's own folder.
    """

    facts: SlideFacts
    features: SlideFeatures
    judgement: Judgement
    regions: tuple[RegionRow, ...]
    model: str
    model_version: str
    folder: str
    seconds: float = 0.0


@dataclass(frozen=True)
class VerdictRow:
    """A person's verdict, as the history keeps it; ``undone_at`` is empty unless it was taken back."""

    number: int
    fingerprint: str
    verdict: Verdict
    who: str
    note: str
    given_at: str
    blinded: bool = False
    undone_at: str = ""


@dataclass(frozen=True)
class SlideRow:
    """One line of the worklist.

    Attributes
    ----------
    result : Result or None
        The latest; None while the slide waits.
    person : VerdictRow or None
        The latest verdict of a person that was not taken back.
    revision : int
        Grows with every change to the slide.
    """

    facts: SlideFacts
    added_at: str
    result: Result | None
    person: VerdictRow | None
    revision: int = 0

    @property
    def verdict(self) -> Verdict | None:
        """What counts: the person's verdict, else the program's."""
        if self.person is not None:
            return self.person.verdict
        return None if self.result is None else self.result.judgement.verdict


@dataclass(frozen=True)
class Failure:
    """A file without a verdict because something failed."""

    path: Path
    reason: str
    attempt: int
    created_at: str = field(default="", compare=False)


@dataclass(frozen=True)
class FileRow:
    """A file that a batch has met.

    Attributes
    ----------
    fingerprint : str
        Of its content; empty while it could not be opened.
    size, modified_ns : int
        Bytes and time of change when it was met: one that has changed since is looked at again.
    """

    path: Path
    fingerprint: str
    size: int
    modified_ns: int


def parts_of_one(path: Path, other: Path) -> bool:
    """Whether two files with the same fingerprint are parts of one slide: of a DICOM series each opens the whole."""
    return path.parent == other.parent and path.suffix.lower() == other.suffix.lower() == ".dcm"
