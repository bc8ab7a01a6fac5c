"""The HTML page of a study: everything inline, so that the one file can be sent, kept and printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from focusviewer.core.files import resource_path
from focusviewer.evaluation.report import plots
from focusviewer.evaluation.tables.layout import PUBLISHED
from focusviewer.evaluation.tables.published import published_focus, published_tables
from focusviewer.evaluation.tables.table import WHY, Column, Row, Table

PUBLISHED_KEYS = {column.key for column in PUBLISHED.values()}
SECTIONS = {"focus": "Focus quality", "refocus": "Refocusing", "not": "Not judged"}


def page(title: str, facts: Sequence[tuple[str, str]], tables: Sequence[Table]) -> str:
    """The whole document.

    Parameters
    ----------
    facts : sequence of (name, value)
        When, where and on what the figures were measured.
    tables : sequence of Table
        Measured here; the published ones are added.
    """
    css = resource_path("studies", "report.css").read_text(encoding="utf-8")
    kinds = dict.fromkeys(table.name.partition("-")[0] for table in tables if table.rows)
    body = [_head(title, facts, list(kinds))]
    for kind in kinds:
        body.append(f'<h2 id="{escape(kind)}">{escape(SECTIONS.get(kind, kind.capitalize()))}</h2>')
        body += [_section(table, tables) for table in tables if table.name.partition("-")[0] == kind and table.rows]
    body.append('<h2 id="published">Published by others</h2><p class="note">Nothing below was measured here.</p>')
    body += [_table(table, published=True) for table in published_tables()]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>\n{css}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _head(title: str, facts: Sequence[tuple[str, str]], kinds: Sequence[str]) -> str:
    links = [(kind, SECTIONS.get(kind, kind.capitalize())) for kind in kinds] + [("published", "Published by others")]
    nav = "".join(f'<a href="#{escape(key)}">{escape(name)}</a>' for key, name in links)
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    legend = (
        '<p><span class="key"></span>measured here &nbsp; <span class="key pub"></span><i>published by others, on '
        "their data</i> &nbsp; [low, high]: 95 % confidence interval by bootstrap &nbsp; –: no figure</p>"
    )
    return f"<h1>{escape(title)}</h1>\n<nav>{nav}</nav>\n<table>{rows}</table>\n{legend}"


def _section(table: Table, tables: Sequence[Table]) -> str:
    """One measured table with its plots."""
    if table.name == "focus-stacks":
        figures = _bars(table, "srcc", "SRCC") + _bars(table, "roc_auc", "ROC-AUC")
    elif table.name == "focus-real":
        stacks = next((item for item in tables if item.name == "focus-stacks"), table)
        figures = _curves(table, plots.best_models(stacks.rows)) + _spark_table(table)
    elif table.name == "refocus-simulated":
        figures = _lines(table)
    else:
        figures = ""
    return _table(table, figures=figures)


def _bars(table: Table, key: str, name: str) -> str:
    published = {model: values[key] for model, values in published_focus().items() if key in values}
    title = f"{name} on simulated test stacks (diamonds: published, FocusPath)"
    return f"<figure>{plots.correlation_bars(table.rows, key, title, published)}</figure>"


def _judged(table: Table) -> list[Row]:
    return [row for row in table.rows if WHY not in row]


def _curves(table: Table, order: Sequence[str]) -> str:
    rows = [row for row in _judged(table) if row["reference"]]  # others have nothing to be held to
    parts = []
    for stack in dict.fromkeys(str(row["stack"]) for row in rows):
        svg = plots.stack_curves([row for row in rows if row["stack"] == stack], order)
        parts.append(f"<figure><figcaption>{escape(stack)}</figcaption>{svg}</figure>")
    return "".join(parts)


def _spark_table(table: Table) -> str:
    """Every model's curve over every stack, small."""
    rows = _judged(table)
    stacks = list(dict.fromkeys(str(row["stack"]) for row in rows))
    cells = {(str(row["model"]), str(row["stack"])): plots.sparkline(row) for row in rows}
    lines = [
        f'<tr><td class="first">{escape(model)}</td>'
        + "".join(f"<td>{cells.get((model, stack), '–')}</td>" for stack in stacks)
        + "</tr>"
        for model in dict.fromkeys(str(row["model"]) for row in rows)
    ]
    head = "<th>model</th>" + "".join(f"<th>{escape(stack)}</th>" for stack in stacks)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _lines(table: Table) -> str:
    rows = _judged(table)
    levels = sorted({float(row["noise"]) for row in rows})
    return "".join(f"<figure>{plots.psnr_lines(rows, noise)}</figure>" for noise in levels)


def _table(table: Table, published: bool = False, figures: str = "") -> str:
    shown = table.shown
    head = "".join(f"<th{_classes(_column_classes(column))}>{escape(column.title)}</th>" for column in shown)
    lines = "".join(f"<tr>{''.join(_cell(column, row) for column in shown)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<h3 id="{escape(table.name)}">{escape(table.title)}</h3>{note}{figures}'
        f'<div class="scroll"><table{_classes(["pub"] if published else [])}>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(column: Column, row: Row) -> str:
    classes = _column_classes(column)
    if column.key == "model":
        classes.append("first")
    if column.key == WHY:
        classes.append("why")
    value, bracket, interval = column.cell(row).partition(" [")
    rest = f' <span class="ci">[{escape(interval)}</span>' if bracket and column.digits is not None else ""
    return f"<td{_classes(classes)}>{escape(value if rest else column.cell(row))}{rest}</td>"


def _column_classes(column: Column) -> list[str]:
    number = ["n"] if column.digits is not None else []
    return number + (["pub"] if column.key in PUBLISHED_KEYS else [])


def _classes(names: Iterable[Any]) -> str:
    text = " ".join(str(name) for name in names)
    return f' class="{text}"' if text else ""
