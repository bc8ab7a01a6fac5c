"""``qc``: a verdict for every slide of a batch, a worklist, and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.arguments import AsJson, check_output_file
from focusviewer.cli.commands.heatmap import cancel_on_interrupt
from focusviewer.cli.output import Progress, note, print_json
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.qc.worklist.summary import BatchProgress, QcSummary


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(qc)
    app.command(name="qc-worker", hidden=True)(qc_worker)


def qc(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Slides, and folders to search for them.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the worklist and all results.")],
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=256, help="Slides at work at the same time on this machine.")
    ] = 2,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Dask scheduler, like tcp://host:8786.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="local:N", help="Start a Dask cluster of N workers here.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the worklist in DIR.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: try again what failed before.")
    ] = False,
    rules: Annotated[
        Path | None,
        typer.Option("--rules", metavar="FILE", help="Rules (TOML); the shipped ones when missing."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Focus model.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Judge slides as they arrive in the folders, until Ctrl+C.")
    ] = False,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0.1, metavar="S", help="With --watch: a file still for so long is complete."),
    ] = 10.0,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", min=1, help="Most seconds for one slide; by default 300 and 300 a GB."),
    ] = None,
    memory: Annotated[
        float, typer.Option("--memory", metavar="MB", min=64, help="Most memory for one slide.")
    ] = 8192.0,
    pdf: Annotated[
        Path | None, typer.Option("--pdf", metavar="FILE", help="Write the report for paper as well.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Verdict per slide: PASS, REVIEW or RESCAN, with reasons.

    Writes DIR/worklist.sqlite, worklist.csv, report.html, rescan.csv and a folder for each slide. Slides that cannot
    be judged are listed with the reason; they do not make the command fail.
    """
    from focusviewer.qc import api

    _check(paths, out, watch, retry_failed)
    if pdf is not None:
        check_output_file(pdf, [".pdf"], paths)
    with Progress("qc", quiet=json) as line, cancel_on_interrupt() as cancel:

        def progress(state: BatchProgress) -> None:
            line(state.fraction, str(state))

        if watch:
            note("Watching; Ctrl+C ends it.", quiet=json)
            summary = api.watch(
                paths,
                out,
                cancel=cancel,
                workers=workers,
                scheduler=scheduler,
                cluster=cluster,
                resume=resume,
                rules=rules,
                model=model,
                on_progress=progress,
                on_summary=lambda news: note(news.lines()[0], quiet=json),
                timeout_s=api.BY_SIZE if timeout is None else timeout,
                memory_mb=memory,
                settle_s=settle,
                poll_s=min(2.0, settle / 2),
            )
        else:
            summary = api.run(
                paths,
                out,
                workers=workers,
                scheduler=scheduler,
                cluster=cluster,
                resume=resume,
                retry_failed=retry_failed,
                rules=rules,
                model=model,
                on_progress=progress,
                cancel=cancel,
                timeout_s=api.BY_SIZE if timeout is None else timeout,
                memory_mb=memory,
            )
    if pdf is not None:
        _write_pdf(summary, pdf, rules)
    _report(summary, json)


def _write_pdf(summary: QcSummary, pdf: Path, rules: Path | None) -> None:
    from focusviewer.cli.commands.report import write_pdf_report
    from focusviewer.core.files import output_folder
    from focusviewer.qc.verdicts.rules import load_rules
    from focusviewer.qc.worklist.store import Worklist

    output_folder(pdf.parent)
    with Worklist(summary.worklist) as worklist:
        write_pdf_report(worklist, pdf, load_rules(rules))


def _check(paths: list[Path], out: Path, watch: bool, retry_failed: bool) -> None:
    if out.is_file():
        raise UserError(f"Cannot write to {out}", "it is a file, not a folder", "Choose another output folder.")
    if watch:
        for path in paths:
            if not path.is_dir():
                raise UserError(f"Cannot watch {path}", "it is no folder", "Name the folder that the scanner fills.")
        if retry_failed:
            raise UserError("--watch and --retry-failed were both given", "", "Give one of them.")


def _report(summary: QcSummary, json: bool) -> None:
    if json:
        print_json(summary.to_json())
    else:
        typer.echo("\n".join(summary.lines()))


def qc_worker() -> None:
    """Be a worker of ``qc`` (for programs packed without Python)."""
    from focusviewer.qc.batch.worker import main

    main()
