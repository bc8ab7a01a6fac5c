"""``bench``: the benchmark table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import Progress, note, print_json, table


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(bench)


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks or groups of them; all when missing.")
    ] = None,
    slide: Annotated[
        Path | None, typer.Option("--slide", metavar="FILE", help="A slide of yours instead of the generated one.")
    ] = None,
    list_names: Annotated[bool, typer.Option("--list", help="Print the names and what they measure.")] = False,
    json: AsJson = False,
) -> None:
    """Measure this machine: value, reference (another library or the budget) and value / reference."""
    from focusviewer.bench import BENCHMARKS, run_benchmarks

    if list_names:
        typer.echo(table(["name", "measures"], [[b.name, b.summary] for b in BENCHMARKS]))
        return
    with Progress("bench", quiet=json) as progress:
        results, failures = run_benchmarks(names or [], slide, progress)
    if json:
        print_json([result.to_json() for result in results])
    else:
        rows = [[r.name, r.value, r.unit, r.reference, r.ratio, r.against] for r in results]
        typer.echo(table(["name", "value", "unit", "reference", "ratio", "reference is"], rows))
    for name, reason in failures:
        note(f"{name} could not be measured: {reason}", quiet=json)
