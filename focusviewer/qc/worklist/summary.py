"""What a batch tells while it runs, and in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import Failure


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes
    ----------
    done, total : int
        Slides finished (judged or given up), and slides to do in this run.
    failed : int
        Of those done.
    eta_s : float or None
        Seconds left, from the pace so far; None before the first slide.
    name : str
        The file that was finished last.
    """

    done: int
    total: int
    failed: int
    eta_s: float | None
    name: str = ""

    @property
    def fraction(self) -> float:
        """Part that is done, 0..1."""
        return self.done / self.total if self.total else 1.0

    def __str__(self) -> str:
        parts = [f"{self.done} of {self.total} slides"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.eta_s is not None and self.done < self.total:
            parts.append(f"{_duration(self.eta_s)} left")
        return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True)
class QcSummary:
    """What became of every file.

    Attributes
    ----------
    verdicts : mapping of Verdict to int
        The program's verdicts on all slides of the worklist met in this run, earlier ones included.
    judged, earlier : int
        Slides judged by this run, and found done when it began.
    failures : tuple of Failure
        Files that could not be judged, with reasons.
    duplicates : mapping of Path to Path
        Files with the same content as another, and that other one.
    left_out : tuple of Path
        Files in folders that are not of a slide's kind.
    seconds : float
        Wall time of this run.
    """

    worklist: Path
    verdicts: dict[Verdict, int]
    judged: int
    earlier: int
    failures: tuple[Failure, ...] = ()
    duplicates: dict[Path, Path] = field(default_factory=dict)
    left_out: tuple[Path, ...] = ()
    seconds: float = 0.0

    @property
    def slides(self) -> int:
        """Different slides with a verdict."""
        return sum(self.verdicts.values())

    @property
    def files(self) -> int:
        """Files accounted for: slides, duplicates and failures."""
        return self.slides + len(self.duplicates) + len(self.failures)

    @property
    def slides_per_hour(self) -> float:
        """Pace of this run."""
        return 3600 * self.judged / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """The document that ``qc --json`` prints."""
        return {
            "worklist": self.worklist,
            "files": self.files,
            "slides": self.slides,
            **{verdict.value.lower(): self.verdicts.get(verdict, 0) for verdict in Verdict},
            "judged_now": self.judged,
            "judged_earlier": self.earlier,
            "failed": [
                {"path": failure.path, "reason": failure.reason, "attempts": failure.attempt}
                for failure in self.failures
            ],
            "duplicates": [{"path": path, "same_as": other} for path, other in self.duplicates.items()],
            "left_out": list(self.left_out),
            "seconds": self.seconds,
            "slides_per_hour": self.slides_per_hour,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        counts = ", ".join(f"{self.verdicts.get(verdict, 0)} {verdict.value}" for verdict in reversed(Verdict))
        files, slides = counted(self.files, "file"), counted(self.slides, "slide")
        lines = [f"{files}: {slides} ({counts}), {len(self.failures)} failed"]
        if self.duplicates:
            lines[0] += f", {len(self.duplicates)} with the content of another"
        lines += [f"failed:     {show(failure.path.name)}: {show(failure.reason)}" for failure in self.failures]
        lines += [f"same slide: {show(path.name)} = {show(str(other))}" for path, other in self.duplicates.items()]
        if self.left_out:
            names = ", ".join(show(path.name) for path in self.left_out[:5])
            more = f" and {len(self.left_out) - 5} more" if len(self.left_out) > 5 else ""
            lines.append(f"left out:   {names}{more} (no slide by its name)")
        if self.earlier:
            lines.append(f"done before: {counted(self.earlier, 'slide')}")
        if self.judged:
            pace = f"{self.slides_per_hour:.0f} slides per hour"
            lines.append(f"time:       {_duration(self.seconds)} for {counted(self.judged, 'slide')}, {pace}")
        lines.append(f"written to: {show(str(self.worklist.parent))}")
        return lines


def counted(number: int, thing: str) -> str:
    """``1 slide``, ``2 slides``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def show(text: str) -> str:
    """A file name on one line of a terminal: control characters spelt out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
