"""Which benchmarks there are, and running those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from focusviewer.bench import focus, qc, refocus, slides, window
from focusviewer.bench.slide import bench_slide
from focusviewer.bench.table import Benchmark, Result
from focusviewer.core.errors import UserError

BENCHMARKS: tuple[Benchmark, ...] = (
    *window.START_BENCHMARKS,
    *slides.BENCHMARKS,
    *focus.BENCHMARKS,
    *qc.BENCHMARKS,
    *refocus.BENCHMARKS,
    *window.BENCHMARKS,
)


def run_benchmarks(
    names: Sequence[str], slide: Path | None, on_progress: Callable[[float, str], None]
) -> tuple[list[Result], list[tuple[str, str]]]:
    """Run benchmarks by name (all when none is given).

    Parameters
    ----------
    slide : Path, optional
        The slide to measure on; a phantom slide is made when missing.

    Returns
    -------
    The rows, and (name, reason) of every benchmark that could not run. Asked for by name, failing is an error.

    Raises
    ------
    UserError
        If a name is unknown, the slide does not exist, or a benchmark asked for by name cannot run.
    """
    chosen = _choose(names)
    if slide is not None and not slide.exists():
        raise UserError(f"Cannot open {slide}", "there is no such file", "Check the path.")
    path = slide or Path()
    if slide is None and any(benchmark.needs_slide for benchmark in chosen):
        on_progress(0.0, "making the benchmark slide")
        path = bench_slide()
    results: list[Result] = []
    failures: list[tuple[str, str]] = []
    for index, benchmark in enumerate(chosen):
        on_progress(index / len(chosen), benchmark.name)
        try:
            results += benchmark.measure(path)
        except UserError as error:  # e.g. weights that this installation lacks
            if names:
                raise
            failures.append((benchmark.name, str(error)))
    on_progress(1.0, "")
    return results, failures


def _choose(names: Sequence[str]) -> list[Benchmark]:
    known = [benchmark.name for benchmark in BENCHMARKS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"There is no benchmark {unknown[0]!r}", "", f"Choose from: {', '.join(known)}.")
    return [benchmark for benchmark in BENCHMARKS if not names or benchmark.name in names]
