"""``report``: the outputs of a worklist anew, people's verdicts included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.arguments import AsJson, check_output_file
from focusviewer.cli.output import print_json
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.qc.verdicts.rules import Rules
    from focusviewer.qc.worklist.store import Worklist

FILES = {"html": "report.html", "csv": "worklist.csv", "rescan": "rescan.csv"}
"""Outputs in the worklist's folder when none is named; ``worklist.json`` and ``rescan.json`` come with them."""


SUFFIXES = (".html", ".csv", ".json", ".pdf")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that qc wrote, or its worklist.sqlite.")],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="The report as one HTML file.")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="The report for paper.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="The worklist as a table.")] = None,
    rescan: Annotated[
        Path | None,
        typer.Option("--rescan", metavar="FILE", help="Regions to scan again, in mm and pixels (.csv or .json)."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="FILE", help="The rules of the verdicts, to be shown.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write the outputs of a worklist again, with the verdicts that people have given since.

    Without options all of them in DIR: report.html, worklist.csv, worklist.json, rescan.csv and rescan.json.
    """
    from focusviewer.core.files import output_folder
    from focusviewer.qc.reports.exports import document
    from focusviewer.qc.verdicts.rules import load_rules
    from focusviewer.qc.worklist.store import Worklist
    from focusviewer.qc.worklist.summary import counted

    store = find_worklist(folder)
    chosen = load_rules(rules)
    wanted = {"html": html, "pdf": pdf, "csv": csv, "rescan": rescan}
    files = {kind: path for kind, path in wanted.items() if path is not None}
    if not files:
        files = {kind: store.parent / name for kind, name in FILES.items()}
        files |= {"json": store.parent / "worklist.json", "rescan json": store.parent / "rescan.json"}
    suffixes = {"html": [".html", ".htm"], "pdf": [".pdf"], "csv": [".csv"]}
    for kind, path in files.items():
        check_output_file(path, suffixes.get(kind, [".csv", ".json"]), [store])
    with Worklist(store, make=False) as worklist:
        for kind, path in files.items():
            output_folder(path.parent)
            _writers(worklist, chosen)[kind](path)
        listed = document(worklist)
    if json:
        print_json({**listed, "written": list(files.values())})
        return
    counts = ", ".join(f"{count} {status.upper()}" for status, count in listed["counts"].items() if count)
    typer.echo(f"{counted(len(listed['slides']), 'file')}: {counts or 'none'}")
    for path in files.values():
        typer.echo(f"written: {path}")


def find_worklist(folder: Path) -> Path:
    """The worklist file of a folder.

    Raises
    ------
    UserError
        If there is none, an empty one, or an output of one is named.
    """
    path = folder / "worklist.sqlite" if folder.is_dir() else folder
    if not path.is_file():
        raise UserError(f"Cannot find a worklist in {folder}", f"there is no {path.name}", "Make one with: qc.")
    if not path.stat().st_size:  # SQLite would make it a worklist
        raise UserError(f"Cannot find a worklist in {folder}", f"{path.name} is empty", "Make one with: qc.")
    if path.suffix.lower() in SUFFIXES:
        raise UserError(f"Cannot find a worklist in {folder}", "it is written from one", "Name the folder of qc.")
    return path


def write_pdf_report(worklist: Worklist, path: Path, rules: Rules | None = None) -> int:
    """Write the report for paper; returns the number of pages.

    Raises
    ------
    UserError
        If Qt cannot be loaded, or the file cannot be written.
    """
    from focusviewer.qc.reports.printed import printed_report

    try:
        from focusviewer.app.printing import write_pdf
    except ImportError as error:
        advice = "On Debian or Ubuntu packaging/system-libs installs the libraries that Qt needs."
        raise UserError("Cannot write PDF", str(error), advice) from error
    pages: int = write_pdf(printed_report(worklist, rules), path)
    return pages


def _writers(worklist: Worklist, rules: Rules) -> dict[str, Callable[[Path], object]]:
    from focusviewer.qc.reports.exports import write_csv, write_json
    from focusviewer.qc.reports.focusplan import write_rescan
    from focusviewer.qc.reports.page import write_report

    return {
        "html": lambda path: write_report(worklist, path, rules),
        "pdf": lambda path: write_pdf_report(worklist, path, rules),
        "csv": lambda path: write_csv(worklist, path),
        "json": lambda path: write_json(worklist, path),
        "rescan": lambda path: write_rescan(worklist, path),
        "rescan json": lambda path: write_rescan(worklist, path),
    }
