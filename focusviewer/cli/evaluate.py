"""``evaluate``: models judged on what they never saw, simulated and real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli import evaluate_forward, evaluate_fusion, evaluate_qc
from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import Progress, note, print_json, table
from focusviewer.errors import UserError
from focusviewer.files import output_folder, weights_from

if TYPE_CHECKING:
    from focusviewer.focus.base import ModelEntry
    from focusviewer.training.judging.parts import Bench
    from focusviewer.training.judging.study import Outcome, Part, ResultStore
    from focusviewer.training.judging.tables import Table

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder; FOCUSVIEWER_DATA or ../shared/data when missing."),
]
DataSetsRoot = Annotated[
    Path | None,
    typer.Option("--datasets", metavar="DIR", help="Folder of published data sets; FOCUSVIEWER_DATASETS when missing."),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="DIR", help="Judge the weights in this folder in place of the shipped ones."),
]
All = Annotated[bool, typer.Option("--all", help="Judge every model of the registry.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer fields, no whole slides, only the fast figures.")]
Images = Annotated[
    int, typer.Option("--images", min=10, metavar="N", help="Use at most so many images of each published data set.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the tables there too: Markdown, CSV and JSON.")
]

QUICK_FIELDS = 10
SHUFFLED_FIELDS = 10

commands = typer.Typer(
    help="Judge models on what they never saw.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    evaluate_forward.register(commands)
    evaluate_fusion.register(commands)
    evaluate_qc.register(commands)
    app.add_typer(commands, name="evaluate")


@commands.command()
def focus(
    model: Annotated[list[str] | None, typer.Option("--model", help="Model to judge; may be given again.")] = None,
    everything: All = False,
    data: Data = None,
    datasets: DataSetsRoot = None,
    weights: Weights = None,
    quick: Quick = False,
    images: Images = 600,
    shuffled: Annotated[
        int | None,
        typer.Option(
            "--shuffled", min=3, metavar="N", help="Judge N shuffles of the weights instead: chance level is right."
        ),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Blur scores against the truth of simulated stacks and slides, and over the planes of real focal stacks."""
    from focusviewer.focus import DEFAULT_MODEL
    from focusviewer.training.judging.parts import focus_parts

    with _chosen(weights):
        entries = _entries("focus", model or [DEFAULT_MODEL], everything, weights)
        _check_out(out)
        bench = _bench(data, datasets, quick, images, as_json)
        if shuffled is not None:
            _shuffled(entries, bench, shuffled, out, as_json)
            return
        outcomes = _judge(entries, focus_parts(bench), as_json)
    _show(outcomes, bench, out, as_json, {"simulated": "focus-slides", "real": "focus-real", "stacks": "focus-stacks"})


@commands.command()
def refocus(
    engine: Annotated[
        list[str] | None, typer.Option("--engine", "--model", metavar="NAME", help="Engine to judge; may be repeated.")
    ] = None,
    everything: All = False,
    data: Data = None,
    datasets: DataSetsRoot = None,
    weights: Weights = None,
    quick: Quick = False,
    images: Images = 600,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Refocusing single planes blind, and planes from planes: simulated defocus, and real focal stacks."""
    from focusviewer.refocus import DEFAULT_ENGINE
    from focusviewer.training.judging.parts import refocus_parts

    with _chosen(weights):
        entries = _entries("refocus", engine or [DEFAULT_ENGINE], everything, weights)
        _check_out(out)
        bench = _bench(data, datasets, quick, images, as_json)
        outcomes = _judge(entries, refocus_parts(bench), as_json)
    keys = {"simulated": "refocus-simulated", "real": "refocus-real", "planes": "refocus-planes"}
    _show(outcomes, bench, out, as_json, keys)


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
    from focusviewer.cli.registry import entries
    from focusviewer.training.judging.parts import judged_kinds, not_judged, tables
    from focusviewer.training.judging.study import ResultStore
    from focusviewer.training.report.study import write_report

    output_folder(report)
    with _chosen(weights):
        bench = _bench(data, datasets, quick, images, as_json)
        store, outcomes = ResultStore(report / "results"), []
        every = entries()
        for kind, parts in judged_kinds().items():
            outcomes += _judge([entry for entry in every if entry.kind == kind], parts(bench), as_json, store)
        made = [*tables(outcomes, bench), not_judged(every)]
    files = write_report(report, made, outcomes, bench)
    failed = [{"model": o.model, "part": o.part, "why": o.why} for o in outcomes if o.why]
    if as_json:
        print_json({"files": files, "failed": failed, "tables": [table.document() for table in made]})
        return
    typer.echo(f"Wrote {files[0]}")
    for reason in dict.fromkeys((row["model"], row["why"]) for row in failed):
        typer.echo(f"  not judged: {reason[0]}: {reason[1]}")


def _chosen(weights: Path | None) -> Any:
    if weights is not None and not weights.is_dir():
        raise UserError(f"No weights in {weights}", "there is no such folder", "Give the --out folder of a training.")
    return weights_from(weights) if weights is not None else nullcontext()


def _check_out(out: Path | None) -> None:
    if out is not None:
        output_folder(out)


def _entries(kind: str, names: Sequence[str], everything: bool, weights: Path | None) -> list[ModelEntry]:
    """The registry's entries of these names.

    Raises
    ------
    UserError
        If there is no model of a name, or a folder of weights was given and a model named has none in it.
    """
    from focusviewer.focus import models
    from focusviewer.refocus import engines

    known = {entry.name: entry for entry in (models() if kind == "focus" else engines())}
    if everything:
        return list(known.values())
    for name in names:
        if name not in known:
            what = "focus model" if kind == "focus" else "refocusing engine"
            raise UserError(f"There is no {what} {name!r}", "", f"Choose one of: {', '.join(known)}.")
    chosen = [known[name] for name in dict.fromkeys(names)]
    for entry in chosen if weights is not None else ():
        if entry.trained and (entry.weights is None or entry.weights.parent != weights):
            raise UserError(
                f"No weights of {entry.name} in {weights}",
                "the shipped ones would be judged in their place",
                "Name a model that was trained there with --model.",
            )
    return chosen


def _bench(data: Path | None, datasets: Path | None, quick: bool, images: int, quiet: bool) -> Bench:
    from focusviewer.training.common import data_folder
    from focusviewer.training.judging.fields import field_set
    from focusviewer.training.judging.parts import Bench
    from focusviewer.training.judging.published_sets import present_datasets
    from focusviewer.training.judging.stacks import real_stacks

    folder = data_folder(data)
    found = present_datasets(datasets)
    for title, why in found.refused:
        note(f"{title} is left out: {why}", quiet)
    stacks = real_stacks(folder)
    with Progress("Making the simulated test stacks (once)", quiet) as progress:
        fields = field_set(folder, on_progress=progress)
    return Bench(fields.some(QUICK_FIELDS) if quick else fields, stacks, folder, found, quick, images)


def _judge(
    entries: Sequence[ModelEntry], parts: Sequence[Part], quiet: bool, store: ResultStore | None = None
) -> list[Outcome]:
    from focusviewer.training.judging.study import judge

    with _telling(quiet) as tell:
        return judge(entries, parts, store, tell)


@contextmanager
def _telling(quiet: bool) -> Iterator[Any]:
    with Progress("Judging", quiet) as progress:
        yield lambda text: progress(0.0, text)


def _show(outcomes: list[Outcome], bench: Bench, out: Path | None, as_json: bool, keys: dict[str, str]) -> None:
    """Print the tables, write them when asked, and fail when no model could be judged at all."""
    from focusviewer.training.judging.parts import tables
    from focusviewer.training.judging.study import rows_of
    from focusviewer.training.judging.tables import write_tables

    if outcomes and all(outcome.why for outcome in outcomes):
        names = ", ".join(dict.fromkeys(outcome.model for outcome in outcomes))
        raise UserError(f"Cannot judge {names}", outcomes[0].why)
    made = tables(outcomes, bench)
    if out is not None:
        write_tables(made, out)
    if as_json:
        others = {name: rows_of(outcomes, name) for name in dict.fromkeys(o.part for o in outcomes)}
        document: dict[str, Any] = {key: others.pop(part, ()) for key, part in keys.items()}
        failed = [{"model": o.model, "part": o.part, "why": o.why} for o in outcomes if o.why]
        print_json({**document, "datasets": others, "failed": failed})
        return
    for made_table in made:
        _print(made_table)


def _print(made: Table) -> None:
    typer.echo(f"{made.title}\n{made.note}\n" if made.note else f"{made.title}\n")
    rows = [[column.cell(row) for column in made.shown] for row in made.rows]
    typer.echo(table([column.title for column in made.shown], rows) + "\n")


def _shuffled(entries: list[ModelEntry], bench: Bench, shuffles: int, out: Path | None, as_json: bool) -> None:
    from focusviewer.focus import models
    from focusviewer.training.judging.layout import SHUFFLED_COLUMNS, SHUFFLED_NOTE
    from focusviewer.training.judging.shuffle import evaluate_shuffled
    from focusviewer.training.judging.study import reason
    from focusviewer.training.judging.tables import Table, write_tables

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
        _print(made)
