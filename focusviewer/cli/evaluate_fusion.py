"""``evaluate fusion``: fused scores against their members and other ways to fuse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import Progress, print_json, table


def register(commands: typer.Typer) -> None:
    """Add the command."""
    commands.command(name="fusion")(evaluate_fusion)


def evaluate_fusion(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Data folder; FOCUSVIEWER_DATA or ../shared/data when missing."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the table there too: Markdown, CSV and JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score fusion against its members, rank fusion, regression with labels, and with members of random numbers.

    The first call lets every member score some thousand crops, which takes minutes; all fusions are trained anew.
    """
    from focusviewer.files import output_folder
    from focusviewer.training.common import data_folder
    from focusviewer.training.judging.fusion import fusion_table, load_halves
    from focusviewer.training.judging.tables import write_tables

    folder = data_folder(data)
    if out is not None:
        output_folder(out)
    with Progress("Fusing", quiet=as_json) as line:
        made = fusion_table(load_halves(folder), line)
    if out is not None:
        write_tables([made], out, "fusion")
    if as_json:
        print_json(made.document())
        return
    rows = [[column.cell(row) for column in made.shown] for row in made.rows]
    typer.echo(f"{made.title}\n{made.note}\n\n" + table([column.title for column in made.shown], rows))
