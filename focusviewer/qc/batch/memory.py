"""How much memory a process holds."""

from __future__ import annotations

import psutil

_MB = 1 << 20


def memory_mb_of(pid: int) -> float | None:
    """Memory of a process that is its own (files mapped into it do not count), MB; None for one that has ended."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return None
    return float(memory.rss - getattr(memory, "shared", 0)) / _MB  # only Linux says how much is shared
