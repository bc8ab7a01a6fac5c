"""What the commands of ``evaluate`` share: their options, the choice of models, the bench, and showing tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.output import Progress, note, print_json, table
from focusviewer.core.errors import UserError
from focusviewer.core.files import check_output_folder, weights_from

if TYPE_CHECKING:
    from focusviewer.core.registry import AnyEntry
    from focusviewer.evaluation.study import Outcome, Part, ResultStore
    from focusviewer.evaluation.suites.bench import Bench
    from focusviewer.evaluation.tables.table import Table

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
    typer.Option("--weights", metavar="DIR", help="Evaluate the weights in this folder in place of the shipped ones."),
]
All = Annotated[bool, typer.Option("--all", help="Evaluate every model of the registry.")]
Quick = Annotated[bool, typer.Option("--quick", help="Fewer fields, no whole slides, only the fast figures.")]
Images = Annotated[
    int, typer.Option("--images", min=10, metavar="N", help="Use at most so many images of each published data set.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the tables there too: Markdown, CSV and JSON.")
]

QUICK_FIELDS = 10


def chosen_weights(weights: Path | None) -> Any:
    """A context in which models take their weights from a folder.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    if weights is not None and not weights.is_dir():
        raise UserError(f"No weights in {weights}", "there is no such folder", "Give the --out folder of a training.")
    return weights_from(weights) if weights is not None else nullcontext()


def check_out(out: Path | None) -> None:
    """Make sure that tables can be written before the work begins."""
    if out is not None:
        check_output_folder(out)


def chosen_entries(kind: str, names: Sequence[str], everything: bool, weights: Path | None) -> list[AnyEntry]:
    """The registry's entries of these names.

    Raises
    ------
    UserError
        If there is no model of a name, or a folder of weights was given and a model named has none in it.
    """
    from focusviewer.focus import models
    from focusviewer.refocus import engines

    known = {entry.name: entry for entry in (models() if kind == "focus" else refocus_entries())}
    if everything:
        return list(known.values()) if kind == "focus" else engines()
    for name in names:
        if name not in known:
            what = "focus model" if kind == "focus" else "refocusing engine"
            raise UserError(f"There is no {what} {name!r}", "", f"Choose one of: {', '.join(known)}.")
    chosen = [known[name] for name in dict.fromkeys(names)]
    for entry in chosen if weights is not None else ():
        if entry.trained and (entry.weights is None or entry.weights.parent != weights):
            raise UserError(
                f"No weights of {entry.name} in {weights}",
                "the shipped ones would be evaluated in their place",
                "Name a model that was trained there with --model.",
            )
    return chosen


def refocus_entries() -> list[AnyEntry]:
    """The refocusing engines, and the baselines they are compared with."""
    from focusviewer.refocus import engines
    from focusviewer.refocus.registry import baselines

    return [*engines(), *baselines()]


def make_bench(data: Path | None, datasets: Path | None, quick: bool, images: int, quiet: bool) -> Bench:
    """All data that models are evaluated on; simulated stacks are made on first use."""
    from focusviewer.evaluation.suites.bench import Bench
    from focusviewer.evaluation.suites.published_datasets import present_datasets
    from focusviewer.evaluation.test_sets.fields import field_set
    from focusviewer.evaluation.test_sets.real_stacks import real_stacks
    from focusviewer.training.common import data_folder

    folder = data_folder(data)
    found = present_datasets(datasets)
    for title, why in found.refused:
        note(f"{title} is left out: {why}", quiet)
    stacks = real_stacks(folder)
    with Progress("Making the simulated test stacks (once)", quiet) as progress:
        fields = field_set(folder, on_progress=progress)
    return Bench(fields.some(QUICK_FIELDS) if quick else fields, stacks, folder, found, quick, images)


def evaluate_entries(
    entries: Sequence[AnyEntry], parts: Sequence[Part], quiet: bool, store: ResultStore | None = None
) -> list[Outcome]:
    """Evaluate models on parts, saying what is being evaluated."""
    from focusviewer.evaluation.study import evaluate_parts

    with _telling(quiet) as tell:
        return evaluate_parts(entries, parts, store, tell)


@contextmanager
def _telling(quiet: bool) -> Iterator[Any]:
    with Progress("Evaluating", quiet) as progress:
        yield lambda text: progress(0.0, text)


def show_outcomes(outcomes: list[Outcome], bench: Bench, out: Path | None, as_json: bool, keys: dict[str, str]) -> None:
    """Print the tables, write them when asked, and fail when no model could be evaluated at all."""
    from focusviewer.evaluation.study import rows_of
    from focusviewer.evaluation.suites.bench import tables
    from focusviewer.evaluation.tables.table import write_tables

    if outcomes and all(outcome.why for outcome in outcomes):
        names = ", ".join(dict.fromkeys(outcome.model for outcome in outcomes))
        raise UserError(f"Cannot judge {names}", outcomes[0].why)
    made = tables(outcomes, bench)
    if out is not None:
        write_tables(made, out)
    if as_json:
        others = {name: rows_of(outcomes, name) for name in dict.fromkeys(o.part for o in outcomes)}
        derived = {item.name: item.rows for item in made}  # what follows from other parts has no outcome of its own
        document: dict[str, Any] = {key: others.pop(part, derived.get(part, ())) for key, part in keys.items()}
        failed = [{"model": o.model, "part": o.part, "why": o.why} for o in outcomes if o.why]
        print_json({**document, "datasets": others, "failed": failed})
        return
    for made_table in made:
        print_table(made_table)


def print_table(made: Table) -> None:
    """A table for people."""
    typer.echo(f"{made.title}\n{made.note}\n" if made.note else f"{made.title}\n")
    rows = [[column.cell(row) for column in made.shown] for row in made.rows]
    typer.echo(table([column.title for column in made.shown], rows) + "\n")
