"""``evaluate fusion``: fused scores against their members and other ways to fuse."""

from __future__ import annotations

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.evaluate.shared import Data, Out, check_out, print_table
from focusviewer.cli.output import Progress, print_json


def register(commands: typer.Typer) -> None:
    """Add the command."""
    commands.command(name="fusion")(evaluate_fusion)


def evaluate_fusion(
    data: Data = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Score fusion against its members, rank fusion, regression with labels, and with members of random numbers.

    The first call lets every member score some thousand crops, which takes minutes; all fusions are trained anew.
    """
    from focusviewer.evaluation.suites.fusion.comparison import fusion_table, load_splits
    from focusviewer.evaluation.tables.table import write_tables
    from focusviewer.training.common import data_folder

    folder = data_folder(data)
    check_out(out)
    with Progress("Fusing", quiet=as_json) as line:
        made = fusion_table(load_splits(folder), line)
    if out is not None:
        write_tables([made], out, "fusion")
    if as_json:
        print_json(made.document())
        return
    print_table(made)
