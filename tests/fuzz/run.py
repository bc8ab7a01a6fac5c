"""Opening many mutants, each under limits of time and memory, and counting what became of them."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.fuzz.mutate import mutate
from tests.fuzz.worker import MEMORY_BYTES

SECONDS = 20.0
_PATIENCE = 10
GOOD = ("opened", "partly", "refused")
BAD = ("crashed", "hung", "memory", "traceback")


@dataclass
class Figures:
    """What became of the mutants: how many of each outcome, and (name, outcome, text) of the bad ones."""

    counts: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    found: list[tuple[Path, str, str]] = field(default_factory=list)
    slowest: float = 0.0
    largest: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing bad happened."""
        return not self.found


class Worker:
    """A process that opens files, started anew whenever it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, path: Path, seconds: float) -> dict[str, Any]:
        """What becomes of a file: outcome, text, peak memory in bytes, seconds."""
        process = self._process = self._process or subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{path}\n")
        process.stdin.flush()
        ready = _wait(process, seconds)
        line = process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            if answer["peak"] > MEMORY_BYTES:
                answer["outcome"] = "memory"
                self.stop()
            return answer
        self.stop()
        outcome = "crashed" if ready else "hung"
        return {"outcome": outcome, "text": f"exit status {process.returncode}", "peak": 0, "seconds": seconds}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _wait(process: subprocess.Popen[str], seconds: float) -> bool:
    """Wait for an answer or the end of the process: seconds of its processor time, or ten times as long by the clock.

    On a busy machine the clock alone would call sound files hung.
    """
    started, used = time.monotonic(), _processor_seconds(process)
    while time.monotonic() - started < _PATIENCE * seconds:
        if select.select([process.stdout], [], [], 0.5)[0]:
            return True
        if _processor_seconds(process) - used > seconds:
            break
    return False


def _processor_seconds(process: subprocess.Popen[str]) -> float:
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def fuzz(
    corpus: Sequence[Path],
    mutants: int,
    seed: int,
    keep: Path,
    *,
    first: int = 0,
    seconds: float = SECONDS,
    on_mutant: Callable[[int, Figures], None] | None = None,
) -> Figures:
    """Open mutants of files.

    Parameters
    ----------
    corpus : sequence of Path
        Sound files, taken in turn.
    mutants : int
        How many; each follows from the seed and its number alone.
    keep : Path
        Folder for the mutants; those that were bad stay there.
    first : int
        Number of the first mutant.
    """
    figures, worker = Figures(), Worker()
    contents = {path: path.read_bytes() for path in corpus}
    try:
        for number in range(first, first + mutants):
            source = corpus[number % len(corpus)]
            content = mutate(contents[source], np.random.default_rng([seed, number]))
            path = keep / f"{number:06d}-{source.name}"
            path.write_bytes(content)
            answer = worker.ask(path, seconds)
            outcome = str(answer["outcome"])
            figures.counts[outcome] += 1
            figures.by_kind.setdefault(source.name, Counter())[outcome] += 1
            figures.slowest = max(figures.slowest, float(answer["seconds"]))
            figures.largest = max(figures.largest, int(answer["peak"]))
            if outcome in GOOD:
                path.unlink()
            else:
                figures.found.append((path, outcome, str(answer["text"])))
            if on_mutant is not None:
                on_mutant(number, figures)
    finally:
        worker.stop()
    return figures
