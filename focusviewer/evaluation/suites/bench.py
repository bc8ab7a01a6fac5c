"""The tests of each kind of model, and the tables of their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from focusviewer.core.files import cache_dir
from focusviewer.core.registry import AnyEntry
from focusviewer.evaluation.study import Outcome, Part, rows_of
from focusviewer.evaluation.suites.focus.scales import evaluate_scales
from focusviewer.evaluation.suites.focus.simulated import evaluate_focus_fields, evaluate_focus_simulated
from focusviewer.evaluation.suites.published_datasets import DataSets, evaluate_focus_dataset, evaluate_refocus_dataset
from focusviewer.evaluation.suites.refocus.bench import RefocusBench, derived_rows
from focusviewer.evaluation.tables.layout import BEST_FIRST, COLUMNS, DATASET_COLUMNS, MODEL, NOTES, PUBLISHED, TITLES
from focusviewer.evaluation.tables.published import with_published
from focusviewer.evaluation.tables.table import Column, Row, Table, is_number
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.evaluation.test_sets.real_stacks import RealStack, evaluate_focus
from focusviewer.simulation.demo_slide import VERSION as SLIDES_VERSION


@dataclass(frozen=True)
class Bench:
    """All data that models are evaluated on.

    Attributes
    ----------
    fields : FieldSet
        Simulated test stacks.
    stacks : sequence of RealStack
    data : Path or None
        Data folder with held-out real pictures; None leaves those parts out.
    quick : bool
        Fewer fields, no simulated slides, only the fast figures of refocusing.
    limit : int
        Images of each published data set.
    """

    fields: FieldSet
    stacks: Sequence[RealStack]
    data: Path | None
    datasets: DataSets = field(default_factory=lambda: DataSets((), ()))
    quick: bool = False
    limit: int = 600

    @property
    def size(self) -> str:
        """Part of the keys of results."""
        return "quick" if self.quick else "full"


def focus_parts(bench: Bench) -> list[Part]:
    """The tests of focus models."""
    fields, stacks = bench.fields, bench.stacks
    parts = [Part("focus-stacks", fields.key, lambda model: [evaluate_focus_fields(model, fields)])]
    parts.append(Part("focus-scales", fields.key, lambda model: evaluate_scales(model, fields)))
    if not bench.quick:
        key = f"slides-{SLIDES_VERSION}"
        parts.append(Part("focus-slides", key, lambda model: evaluate_focus_simulated(model, cache_dir())))
    if stacks:
        key = "real-" + "-".join(stack.name for stack in stacks)
        parts.append(Part("focus-real", key, lambda model: evaluate_focus(model, stacks)))
    for dataset in bench.datasets.usable:
        if dataset.about.truth != "none":
            key = f"{dataset.name}-{len(dataset.records)}-{bench.limit}"
            parts.append(Part(f"focus-{dataset.name}", key, _on_dataset(evaluate_focus_dataset, dataset, bench.limit)))
    return parts


def refocus_parts(bench: Bench) -> list[Part]:
    """The tests of refocusing engines."""
    parts = RefocusBench(bench.fields, bench.stacks, bench.data, bench.quick).parts()
    for dataset in bench.datasets.usable:
        if dataset.stacks and dataset.about.step_um is not None:
            limit = max(1, bench.limit // 30)
            key = f"{dataset.name}-{len(dataset.records)}-{limit}"
            parts.append(Part(f"refocus-{dataset.name}", key, _on_dataset(evaluate_refocus_dataset, dataset, limit)))
    return parts


def _on_dataset(evaluate: Callable[..., Any], dataset: Any, limit: int) -> Callable[[Any], list[dict[str, Any]]]:
    def run(model: Any) -> list[dict[str, Any]]:
        rows = evaluate(model, dataset, limit)
        return rows if isinstance(rows, list) else [rows]

    return run


def tables(outcomes: Sequence[Outcome], bench: Bench) -> list[Table]:
    """One table for every part that was run, published figures beside our own where a model has them."""
    names = dict.fromkeys(outcome.part for outcome in outcomes)
    rows = derived_rows({name: rows_of(outcomes, name) for name in names})
    return [_table(name, part, bench) for name, part in rows.items()]


def _table(name: str, rows: tuple[Row, ...], bench: Bench) -> Table:
    kind, _, dataset = name.partition("-")
    if name in COLUMNS:
        columns, title = COLUMNS[name], TITLES[name]
        note = NOTES[name].replace("{fields}", str(len(bench.fields)))
        note = note.replace("{planes}", str(bench.fields.levels.shape[1]))
    else:
        about = next(item.about for item in bench.datasets.usable if item.name == dataset)
        columns, title = DATASET_COLUMNS[kind], about.title
        note = f"{about.content}. Images evenly chosen, at most {bench.limit}. Intervals: 95 %, drawn by slide."
    if name in ("focus-stacks", "focus-focuspath"):
        rows = tuple(with_published(row) for row in rows)
        columns = (*columns, *PUBLISHED.values())
    if name in BEST_FIRST or (name not in COLUMNS and kind == "focus"):
        best = "srcc" if any(is_number(row.get("srcc")) for row in rows) else "roc_auc"
        rows = tuple(sorted(rows, key=lambda row: -row[best] if is_number(row.get(best)) else 9.0))
    return Table(name, title, columns, rows, note)


def evaluated_kinds() -> dict[str, Callable[[Bench], list[Part]]]:
    """Which kinds of model can be evaluated, and by which tests."""
    return {"focus": focus_parts, "refocus": refocus_parts}


def evaluated_as(entry: AnyEntry) -> str:
    """The kind whose tests a model takes: baselines take those of the models they are compared with."""
    return entry.kind.removesuffix("-baseline")


def unevaluated_models(entries: Iterable[Any]) -> Table:
    """The models of kinds that have no test yet, so that none is silently left out."""
    rows = tuple(
        {"model": entry.name, "kind": entry.kind, "why": f"there is no test for {entry.kind} models yet"}
        for entry in entries
        if evaluated_as(entry) not in evaluated_kinds()
    )
    return Table("not-judged", "Not evaluated", (MODEL, Column("kind", "kind")), rows)
