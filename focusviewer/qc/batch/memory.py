"""How much memory a process holds."""

from __future__ import annotations

import os
from pathlib import Path

_MB = 1 << 20


def memory_mb_of(pid: int) -> float | None:
    """Memory of a process that is its own (files mapped into it do not count), MB; None where nobody tells."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") / _MB
    except (OSError, ValueError):
        pass
    try:
        import psutil  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        return float(psutil.Process(pid).memory_info().rss) / _MB
    except psutil.Error:
        return None
