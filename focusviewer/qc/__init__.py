"""Quality control of many slides: verdicts (PASS, REVIEW, RESCAN), the worklist store, reports, the batch runner.

``run`` judges slides, ``watch`` judges them as a scanner writes them; both are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focusviewer.qc.api import run, watch

__all__ = ["run", "watch"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from focusviewer.qc import api

    return getattr(api, name)
