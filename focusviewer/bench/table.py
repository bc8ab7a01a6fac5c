"""The rows of the benchmark table and how they are timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """One row: a measured value and its reference (another library, or the budget we set ourselves)."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    against: str = ""

    @property
    def ratio(self) -> float | None:
        """``value / reference``: below 1 is better for times, above 1 for speeds."""
        return self.value / self.reference if self.reference else None

    def to_json(self) -> dict[str, Any]:
        """The row as an entry of ``bench --json``."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "reference": self.reference,
            "ratio": self.ratio,
            "against": self.against,
        }


@dataclass(frozen=True)
class Benchmark:
    """One measurement, which gives one or a few rows.

    ``measure`` gets the benchmark slide's path; it is not made when ``needs_slide`` is False.
    """

    name: str
    summary: str
    measure: Callable[[Path], Iterable[Result]]
    needs_slide: bool = True


def median_ms(action: Callable[[], object], repeats: int = 5, warm_up: bool = True) -> float:
    """Median wall time of an action in milliseconds, after one run to warm up unless it is warm already."""
    if warm_up:
        action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
