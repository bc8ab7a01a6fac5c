"""The HTML page of a study: everything inline, so that the one file can be sent, kept and printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from focusviewer.core.templates import Templates
from focusviewer.evaluation.report import plots
from focusviewer.evaluation.tables.layout import PUBLISHED
from focusviewer.evaluation.tables.published import published_focus, published_tables
from focusviewer.evaluation.tables.table import WHY, Column, Row, Table

PUBLISHED_KEYS = {column.key for column in PUBLISHED.values()}
SECTIONS = {"focus": "Focus quality", "refocus": "Refocusing", "not": "Not evaluated"}
TEMPLATES = Templates("study")


@dataclass(frozen=True)
class Figure:
    """A plot, and its words where it has any."""

    svg: Markup
    caption: str = ""


@dataclass(frozen=True)
class Curves:
    """Every model's score curve over every stack, small; None where a model has none of a stack."""

    stacks: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Markup | None, ...]], ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its classes, its text, and the interval that stands behind it in small letters."""

    classes: str
    text: str
    interval: str = ""


@dataclass(frozen=True)
class Section:
    """A table with its plots, ready for the template."""

    table: Table
    published: bool = False
    figures: tuple[Figure, ...] = ()
    curves: Curves | None = None

    @property
    def heads(self) -> list[Cell]:
        """The headings."""
        return [Cell(" ".join(_column_classes(column)), column.title) for column in self.table.shown]

    @property
    def lines(self) -> list[list[Cell]]:
        """The cells of every row."""
        shown = self.table.shown
        return [[_cell(column, row) for column in shown] for row in self.table.rows]


def page(title: str, facts: Sequence[tuple[str, str]], tables: Sequence[Table]) -> str:
    """The whole document.

    Parameters
    ----------
    facts : sequence of (name, value)
        When, where and on what the figures were measured.
    tables : sequence of Table
        Measured here; the published ones are added.
    """
    chapters: dict[str, list[Section]] = {}
    for table in tables:
        if table.rows:
            chapters.setdefault(table.name.partition("-")[0], []).append(_section(table, tables))
    return TEMPLATES.render(
        "page.html",
        title=title,
        style=TEMPLATES.source("page.css"),
        facts=facts,
        chapters=[(kind, SECTIONS.get(kind, kind.capitalize()), sections) for kind, sections in chapters.items()],
        published=[Section(table, published=True) for table in published_tables()],
    )


def _section(table: Table, tables: Sequence[Table]) -> Section:
    """One measured table with its plots."""
    if table.name == "focus-stacks":
        return Section(table, figures=(_bars(table, "srcc", "SRCC"), _bars(table, "roc_auc", "ROC-AUC")))
    if table.name == "focus-real":
        stacks = next((item for item in tables if item.name == "focus-stacks"), table)
        figures = tuple(_stack_curves(table, plots.best_models(stacks.rows)))
        return Section(table, figures=figures, curves=_small_curves(table))
    if table.name == "refocus-simulated":
        return Section(table, figures=tuple(_lines(table)))
    return Section(table)


def _bars(table: Table, key: str, name: str) -> Figure:
    published = {model: values[key] for model, values in published_focus().items() if key in values}
    title = f"{name} on simulated test stacks (diamonds: published, FocusPath)"
    return Figure(plots.correlation_bars(table.rows, key, title, published))


def _judged(table: Table) -> list[Row]:
    return [row for row in table.rows if WHY not in row]


def _stack_curves(table: Table, order: Sequence[str]) -> list[Figure]:
    rows = [row for row in _judged(table) if row["reference"]]  # others have nothing to be held to
    figures = []
    for stack in dict.fromkeys(str(row["stack"]) for row in rows):
        svg = plots.stack_curves([row for row in rows if row["stack"] == stack], order)
        figures.append(Figure(svg, stack))
    return figures


def _small_curves(table: Table) -> Curves:
    rows = _judged(table)
    stacks = tuple(dict.fromkeys(str(row["stack"]) for row in rows))
    drawn = {(str(row["model"]), str(row["stack"])): plots.sparkline(row) for row in rows}
    models = dict.fromkeys(str(row["model"]) for row in rows)
    return Curves(stacks, tuple((model, tuple(drawn.get((model, stack)) for stack in stacks)) for model in models))


def _lines(table: Table) -> list[Figure]:
    rows = _judged(table)
    levels = sorted({float(row["noise"]) for row in rows})
    return [Figure(plots.psnr_lines(rows, noise)) for noise in levels]


def _cell(column: Column, row: Row) -> Cell:
    classes = _column_classes(column)
    if column.key == "model":
        classes.append("first")
    if column.key == WHY:
        classes.append("why")
    whole = column.cell(row)
    value, bracket, interval = whole.partition(" [")
    if bracket and column.digits is not None:
        return Cell(" ".join(classes), value, f"[{interval}")
    return Cell(" ".join(classes), whole)


def _column_classes(column: Column) -> list[str]:
    number = ["n"] if column.digits is not None else []
    return number + (["pub"] if column.key in PUBLISHED_KEYS else [])
