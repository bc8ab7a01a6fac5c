"""``evaluate refocus``: refocusing engines against truth, against doing nothing, and against other methods."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.arguments import AsJson
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
    refocus_entries,
    show_outcomes,
)
from focusviewer.cli.output import Progress, print_json
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.core.registry import AnyEntry
    from focusviewer.evaluation.study import Part
    from focusviewer.evaluation.suites.bench import Bench

KEYS = {
    "tissue": "refocus-tissue",
    "tissue_summary": "refocus-tissue-summary",
    "simulated": "refocus-simulated",
    "real": "refocus-real",
    "planes": "refocus-planes",
    "inputs": "refocus-inputs",
    "gaps": "refocus-gaps",
    "traverse": "refocus-traverse",
    "uneven": "refocus-uneven",
    "real_planes": "refocus-real-planes",
    "real_summary": "refocus-real-summary",
    "honesty": "refocus-honesty",
}
FOCUSPATH = "focuspath"


def register(commands: typer.Typer) -> None:
    """Add the command."""
    commands.command(name="refocus")(evaluate_refocus)


def evaluate_refocus(
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", "--model", metavar="NAME", help="Engine or baseline to evaluate; may be repeated."),
    ] = None,
    everything: All = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Evaluate the baselines that engines are compared with too.")
    ] = False,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", metavar="NAME", help="Evaluate only this part, named by its table; may be repeated."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", metavar="NAME", help="A published protocol instead: focuspath.")
    ] = None,
    stacks: Annotated[
        int | None, typer.Option("--stacks", min=1, metavar="N", help="Use at most so many stacks of the protocol.")
    ] = None,
    data: Data = None,
    datasets: DataSetsRoot = None,
    weights: Weights = None,
    quick: Quick = False,
    images: Images = 600,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Refocusing against truth: simulated defocus, planes from planes, focus sweeps, real focal stacks, faithfulness.

    With --out, DIR/pictures shows every engine at work, 1:1, to be looked at.
    """
    from focusviewer.refocus import DEFAULT_ENGINE

    with chosen_weights(weights):
        entries = chosen_entries("refocus", engine or [DEFAULT_ENGINE], everything, weights)
        if baselines:
            entries += [entry for entry in refocus_entries() if entry not in entries and entry.available]
        check_out(out)
        if protocol is not None:
            _protocol(entries, protocol, datasets, stacks, out, as_json)
            return
        bench = make_bench(data, datasets, quick, images, as_json)
        outcomes = evaluate_entries(entries, _parts(bench, part), as_json)
        show_outcomes(outcomes, bench, out, as_json, KEYS)
        if out is not None:
            _pictures(entries, bench, out, as_json)


def _parts(bench: Bench, names: Sequence[str] | None) -> list[Part]:
    """The parts of these names, with or without ``refocus-`` before them; all without names."""
    from focusviewer.evaluation.suites.bench import refocus_parts

    parts = refocus_parts(bench)
    if not names:
        return parts
    known = {item.name.removeprefix("refocus-"): item for item in parts}
    wanted = [name.removeprefix("refocus-") for name in names]
    for name in wanted:
        if name not in known:
            raise UserError(f"There is no part {name!r}", "", f"Choose from: {', '.join(known)}.")
    return [item for name, item in known.items() if name in wanted]


def _pictures(entries: Sequence[AnyEntry], bench: Bench, out: Path, quiet: bool) -> None:
    from focusviewer.evaluation.pictures import write_pictures

    with Progress("Drawing pictures", quiet) as progress:
        for entry in entries:
            if entry.available:
                write_pictures(entry.build(), bench, out / "pictures" / entry.name, lambda text: progress(0.0, text))


def _protocol(
    entries: Sequence[AnyEntry], name: str, datasets: Path | None, stacks: int | None, out: Path | None, as_json: bool
) -> None:
    """Evaluate on a published data set by its published protocol."""
    from focusviewer.evaluation.study import Part, rows_of
    from focusviewer.evaluation.suites.refocus.protocol import evaluate_protocol
    from focusviewer.evaluation.tables.refocus import COLUMNS, NOTES, TITLES
    from focusviewer.evaluation.tables.table import Table, write_tables
    from focusviewer.training.data.focuspath_strips import focuspath

    if name != FOCUSPATH:
        raise UserError(f"There is no protocol {name!r}", "", f"The one there is: {FOCUSPATH}.")
    dataset, part = focuspath(datasets), "refocus-protocol"
    outcomes = evaluate_entries(
        entries, [Part(part, str(stacks), lambda engine: evaluate_protocol(engine, dataset, stacks))], as_json
    )
    if all(outcome.why for outcome in outcomes):
        raise UserError(f"Cannot judge {', '.join(outcome.model for outcome in outcomes)}", outcomes[0].why)
    made = Table(part, TITLES[part], COLUMNS[part], rows_of(outcomes, part), NOTES[part])
    if out is not None:
        write_tables([made], out, "protocol")
    if as_json:
        print_json({"protocol": name, "root": str(dataset.root), "rows": made.document()["rows"]})
        return
    print_table(made)
