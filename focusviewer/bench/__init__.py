"""Benchmarks: what the program takes on this machine, next to a reference.

They are a command, never a test: a slow machine is no error.
"""

from __future__ import annotations

from focusviewer.bench.run import BENCHMARKS, run_benchmarks
from focusviewer.bench.table import Benchmark, Result

__all__ = ["BENCHMARKS", "Benchmark", "Result", "run_benchmarks"]
