"""``evaluate ablation``: the radiance network with one thing changed at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.evaluate.shared import Data, print_table
from focusviewer.cli.output import note, print_json


def register(commands: typer.Typer) -> None:
    """Add the command."""
    commands.command(name="ablation")(evaluate_ablation)


def evaluate_ablation(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the runs and of the table: Markdown, CSV and JSON.")
    ],
    data: Data = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Length of each run.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Train a tiny radiance network several times, each time with one thing changed, and compare.

    Takes minutes for each run. Runs that are in the folder already are gone on with.
    """
    from focusviewer.core.files import check_output_folder
    from focusviewer.evaluation.ablation import ablation_table
    from focusviewer.evaluation.tables.table import write_tables

    check_output_folder(out)
    made = ablation_table(data, out, steps, progress=lambda name: note(f"Training: {name}", as_json))
    write_tables([made], out, made.name)
    if as_json:
        print_json(made.document())
        return
    print_table(made)
