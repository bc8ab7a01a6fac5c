"""Loading the plotting library for the states of the window; see :mod:`focusviewer.app.widgets.plots`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from focusviewer.app.services.jobs import Job, Jobs, Lane


class PlottingState(Protocol):
    """A state that says whether plots can be drawn."""

    can_plot: bool


def load_plots(jobs: Jobs, state: PlottingState, failed: Callable[[str], None]) -> None:
    """Import the plotting library in a worker, as it takes a few tenths of a second; then ``can_plot`` is true."""
    kind = f"plots of {type(state).__name__}"
    if state.can_plot or jobs.running(kind):
        return

    def work(job: Job) -> None:
        from focusviewer.app.widgets import plots  # noqa: F401

    def done(_: None) -> None:
        state.can_plot = True

    jobs.start(kind, work, lane=Lane.ANALYSIS, done=done, failed=failed)
