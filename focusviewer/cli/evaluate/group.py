"""``evaluate``: models on data they never saw, simulated and real."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.evaluate import ablation as evaluate_ablation
from focusviewer.cli.evaluate import forward as evaluate_forward
from focusviewer.cli.evaluate import fusion as evaluate_fusion
from focusviewer.cli.evaluate import qc as evaluate_qc
from focusviewer.cli.evaluate import refocus as evaluate_refocus
from focusviewer.cli.evaluate.shared import (
    All,
    Data,
    DataSetsRoot,
    Images,
    Out,
    Quick,
    Weights,
    check_out,
    chosen_entries,
    chosen_weights,
    evaluate_entries,
    make_bench,
    print_table,
    show_outcomes,
)
from focusviewer.cli.output import print_json
from focusviewer.core.files import check_output_folder

if TYPE_CHECKING:
    from focusviewer.core.registry import AnyEntry
    from focusviewer.evaluation.suites.bench import Bench

SHUFFLED_FIELDS = 10

commands = typer.Typer(
    help="Evaluate models on data they never saw.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    evaluate_ablation.register(commands)
    evaluate_forward.register(commands)
    evaluate_fusion.register(commands)
    evaluate_qc.register(commands)
    evaluate_refocus.register(commands)
    app.add_typer(commands, name="evaluate")


@commands.command()
def focus(
    model: Annotated[list[str] | None, typer.Option("--model", help="Model to evaluate; may be given again.")] = None,
    everything: All = False,
    data: Data = None,
    datasets: DataSetsRoot = None,
    weights: Weights = None,
    quick: Quick = False,
    images: Images = 600,
    shuffled: Annotated[
        int | None,
        typer.Option(
            "--shuffled", min=3, metavar="N", help="Evaluate N shuffles of the weights instead: chance level is right."
        ),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Blur scores against the truth of simulated stacks and slides, and over the planes of real focal stacks."""
    from focusviewer.evaluation.suites.bench import focus_parts
    from focusviewer.focus import DEFAULT_MODEL

    with chosen_weights(weights):
        entries = chosen_entries("focus", model or [DEFAULT_MODEL], everything, weights)
        check_out(out)
        bench = make_bench(data, datasets, quick, images, as_json)
        if shuffled is not None:
            _shuffled(entries, bench, shuffled, out, as_json)
            return
        outcomes = evaluate_entries(entries, focus_parts(bench), as_json)
    show_outcomes(
        outcomes, bench, out, as_json, {"simulated": "focus-slides", "real": "focus-real", "stacks": "focus-stacks"}
    )


@commands.command("all")
def study(
    report: Annotated[
        Path, typer.Option("--report", metavar="DIR", help="Folder for report.html, tables and results.")
    ],
    data: Data = None,
    datasets: DataSetsRoot = None,
    weights: Weights = None,
    quick: Quick = False,
    images: Images = 600,
    as_json: AsJson = False,
) -> None:
    """Every model on everything, as one HTML page; called again, it does only what is new or changed."""
    from focusviewer.cli.commands.models import entries
    from focusviewer.evaluation.report.study import write_report
    from focusviewer.evaluation.study import ResultStore
    from focusviewer.evaluation.suites.bench import evaluated_as, evaluated_kinds, tables, unevaluated_models
    from focusviewer.refocus.registry import baselines
    from focusviewer.training.lab.plotting import need_plots

    need_plots("Cannot draw the plots of the study")
    check_output_folder(report)
    with chosen_weights(weights):
        bench = make_bench(data, datasets, quick, images, as_json)
        store, outcomes = ResultStore(report / "results"), []
        every = entries()
        if not quick and any(entry.kind == "refocus" for entry in every):
            every += [entry for entry in baselines() if entry.available]
        for kind, parts in evaluated_kinds().items():
            chosen = [entry for entry in every if evaluated_as(entry) == kind]
            outcomes += evaluate_entries(chosen, parts(bench), as_json, store)
        made = [*tables(outcomes, bench), unevaluated_models(every)]
    files = write_report(report, made, outcomes, bench)
    failed = [{"model": o.model, "part": o.part, "why": o.why} for o in outcomes if o.why]
    if as_json:
        print_json({"files": files, "failed": failed, "tables": [table.document() for table in made]})
        return
    typer.echo(f"Wrote {files[0]}")
    for reason in dict.fromkeys((row["model"], row["why"]) for row in failed):
        typer.echo(f"  not evaluated: {reason[0]}: {reason[1]}")


def _shuffled(entries: list[AnyEntry], bench: Bench, shuffles: int, out: Path | None, as_json: bool) -> None:
    from focusviewer.evaluation.study import reason
    from focusviewer.evaluation.suites.focus.shuffle import evaluate_shuffled
    from focusviewer.evaluation.tables.layout import SHUFFLED_COLUMNS, SHUFFLED_NOTE
    from focusviewer.evaluation.tables.table import Table, write_tables
    from focusviewer.focus import models

    fields, rows = bench.fields.some(SHUFFLED_FIELDS), []
    for entry in entries:
        try:
            rows.append(evaluate_shuffled(entry.name, models, fields, shuffles))
        except Exception as error:  # one model without weights must not stop the others
            rows.append({"model": entry.name, "why": reason(error)})
    made = Table("focus-shuffled", "Shuffled weights", SHUFFLED_COLUMNS, tuple(rows), SHUFFLED_NOTE)
    if out is not None:
        write_tables([made], out, "shuffled")
    if as_json:
        print_json({"shuffled": rows})
    else:
        print_table(made)
