"""Quality control of many slides from Python, and what the command line runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files import output_folder
from focusviewer.focus.base import FocusModel
from focusviewer.focus.registry import get_model
from focusviewer.qc.batch.discover import find_slides
from focusviewer.qc.batch.pool import BY_SIZE as BY_SIZE
from focusviewer.qc.batch.pool import Limits, LocalPool, Pool
from focusviewer.qc.batch.runner import Batch, OnProgress
from focusviewer.qc.batch.slide_task import SLIDES_FOLDER, sweep
from focusviewer.qc.batch.tasks import output_error
from focusviewer.qc.batch.watcher import Watcher
from focusviewer.qc.verdicts.rules import Rules, load_rules
from focusviewer.qc.worklist.lock import batch_lock
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from focusviewer.qc.worklist.summary import QcSummary

QC_MODEL = "eonss"
"""The focus model of batches: of those that are fast enough the one whose verdicts were right most often."""

MEMORY_MB = 8192.0
WORKERS = 2


def run(
    paths: Iterable[Path | str],
    out: Path | str,
    *,
    workers: int = WORKERS,
    scheduler: str | None = None,
    cluster: str | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    rules: Rules | Path | None = None,
    model: str | None = None,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    timeout_s: float | None = BY_SIZE,
    memory_mb: float | None = MEMORY_MB,
) -> QcSummary:
    """Judge slides: PASS, REVIEW or RESCAN, with reasons, maps, a worklist and a report.

    Parameters
    ----------
    paths : iterable of Path or str
        Slides, and folders that are searched for them, however deep.
    out : Path or str
        Folder for ``worklist.sqlite``, ``worklist.csv``, ``report.html`` and a folder for each slide.
    workers : int
        Worker programs on this machine.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``), whose workers do the work instead.
    cluster : str, optional
        ``local:N``: a Dask cluster of N workers on this machine instead.
    resume : bool
        Go on with the worklist that ``out`` holds: what is done is not done again.
    retry_failed : bool
        Try files again that failed in an earlier run and have not changed since.
    rules : Rules or Path, optional
        The shipped rules when missing.
    model : str, optional
        Focus model by registry name.
    on_progress : callable, optional
        Called with a BatchProgress after every slide.
    cancel : threading.Event, optional
        Set it to stop; ``resume`` goes on from there.
    timeout_s, memory_mb : float or None
        What one slide may take; None: as much as it wants. By default 300 s, and 300 s more for each GB of its files.

    Returns
    -------
    QcSummary
        What became of every file.

    Raises
    ------
    UserError
        If nothing is to be judged, ``out`` holds a worklist and ``resume`` is not set, or results cannot be written.
    CancelledError
        If ``cancel`` was set.
    """
    where, named, limits = Path(out).absolute(), [Path(path) for path in paths], Limits(timeout_s, memory_mb)
    found = find_slides(named, _own(where, named))
    if not found.slides and not found.failures:
        shown = ", ".join(str(path) for path in named) or "nothing"
        raise UserError(f"Found no slides in {shown}", "", "Name slides or folders with slides; pictures one by one.")
    with _prepared(where, resume, rules, model) as (kept, chosen, focus_model):
        with _pool(workers, scheduler, cluster, limits, where) as pool:
            worklist = kept.enter_context(Worklist(where / FILE_NAME))  # none is left where the pool cannot be had
            summary = Batch(worklist, pool, chosen, focus_model, on_progress, cancel, retry_failed).run(found)
        write_exports(worklist, chosen)
    return summary


def watch(
    folders: Iterable[Path | str],
    out: Path | str,
    *,
    cancel: threading.Event,
    workers: int = WORKERS,
    scheduler: str | None = None,
    cluster: str | None = None,
    resume: bool = False,
    rules: Rules | Path | None = None,
    model: str | None = None,
    on_progress: OnProgress | None = None,
    on_summary: Callable[[QcSummary], None] | None = None,
    timeout_s: float | None = BY_SIZE,
    memory_mb: float | None = MEMORY_MB,
    settle_s: float = 10.0,
    poll_s: float = 2.0,
) -> QcSummary:
    """Judge slides as they arrive in folders, until ``cancel`` is set; parameters as in :func:`run`.

    Parameters
    ----------
    on_summary : callable, optional
        Called with a QcSummary of everything so far after each group of new slides.
    settle_s : float
        A file is complete once its size and time of change have stood still this long and it can be opened.
    poll_s : float
        Seconds between looks.

    Returns
    -------
    QcSummary
        Of everything that was met.
    """
    where, named = Path(out).absolute(), [Path(path) for path in folders]
    started, limits = time.monotonic(), Limits(timeout_s, memory_mb)
    with _prepared(where, resume, rules, model) as (kept, chosen, focus_model):
        watcher = Watcher(named, _own(where, named), settle_s)
        with _pool(workers, scheduler, cluster, limits, where) as pool:
            worklist = kept.enter_context(Worklist(where / FILE_NAME))
            batch = Batch(worklist, pool, chosen, focus_model, on_progress, cancel)
            summary = watcher.run(batch, poll_s, cancel, lambda news: _pass_on(worklist, chosen, news, on_summary))
        write_exports(worklist, chosen)
    return QcSummary(**{**vars(summary), "seconds": time.monotonic() - started})


def _pass_on(
    worklist: Worklist, rules: Rules, summary: QcSummary, on_summary: Callable[[QcSummary], None] | None
) -> None:
    write_exports(worklist, rules)
    if on_summary is not None:
        on_summary(summary)


def write_exports(worklist: Worklist, rules: Rules | None = None) -> None:
    """Write ``worklist.csv`` and ``.json``, ``rescan.csv`` and ``.json``, and ``report.html`` beside the worklist.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    from focusviewer.qc.reports.exports import write_csv, write_json
    from focusviewer.qc.reports.focusplan import write_rescan
    from focusviewer.qc.reports.page import write_report

    try:
        write_csv(worklist, worklist.folder / "worklist.csv")
        write_json(worklist, worklist.folder / "worklist.json")
        for name in ("rescan.csv", "rescan.json"):
            write_rescan(worklist, worklist.folder / name)
        write_report(worklist, worklist.folder / "report.html", rules)
    except (OSError, UserError) as error:
        raise output_error(worklist.folder, error) from error


@contextmanager
def _prepared(
    out: Path, resume: bool, rules: Rules | Path | None, model: str | None
) -> Iterator[tuple[ExitStack, Rules, FocusModel]]:
    """Check everything that can be checked before the work begins, and lock the folder until the stack is closed."""
    chosen = rules if isinstance(rules, Rules) else load_rules(rules)
    focus_model = get_model(model or QC_MODEL)
    path = output_folder(out) / FILE_NAME
    if path.exists() and not resume:
        advice = "Go on with it by --resume, or choose another folder with --out."
        raise UserError(f"{out} holds a worklist already", "nothing of it is overwritten", advice)
    with ExitStack() as stack:
        stack.enter_context(batch_lock(out))
        (out / SLIDES_FOLDER).mkdir(exist_ok=True)
        yield stack, chosen, focus_model


@contextmanager
def _pool(workers: int, scheduler: str | None, cluster: str | None, limits: Limits, out: Path) -> Iterator[Pool]:
    if scheduler and cluster:
        raise UserError("--scheduler and --cluster were both given", "", "Give one of them.")
    pool: Pool
    sweep(out)
    if scheduler or cluster:
        from focusviewer.qc.batch.dask_runner import DaskPool

        pool = DaskPool(scheduler, cluster, limits, out)
    else:
        pool = LocalPool(workers, limits)
    try:
        yield pool
    finally:
        pool.close()
        sweep(out)


def _own(out: Path, named: list[Path]) -> list[Path]:
    """Our own results, where they lie inside what is searched (but not where slides lie inside them)."""
    return [] if any(path.absolute().is_relative_to(out) for path in named) else [out]
