"""What others have published, from ``resources/studies/published.toml``: shown beside our figures, never as ours."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any

from focusviewer.core.files import resource_path
from focusviewer.evaluation.tables.layout import PUBLISHED, PUBLISHED_TITLES
from focusviewer.evaluation.tables.table import Column, Row, Table, is_number


def with_published(row: Row) -> Row:
    """The row of a focus model with the figures published for it on FocusPath, where there are any."""
    figures = published_focus().get(str(row["model"]), {})
    return {**row, **{column.key: figures[key] for key, column in PUBLISHED.items() if key in figures}}


@lru_cache(maxsize=1)
def published_studies() -> dict[str, Any]:
    """The published figures: ``sources`` by name, and ``studies``."""
    with resource_path("studies", "published.toml").open("rb") as file:
        return tomllib.load(file)


def published_focus() -> dict[str, dict[str, float]]:
    """Published FocusPath figures of each model by name: fused models from the fusion study, others from the first."""
    found: dict[str, dict[str, float]] = {}
    for name in ("focus-fusion", "focus-quality"):
        for row in published_rows(name):
            found[str(row["model"])] = {key: value for key, value in row.items() if is_number(value)}
    return found


def published_rows(name: str) -> list[dict[str, Any]]:
    """Rows of one published study."""
    study = next(item for item in published_studies()["studies"] if item["name"] == name)
    return [dict(zip(study["columns"], row, strict=True)) for row in study["rows"]]


def published_tables() -> list[Table]:
    """Every published study as a table, its source in the note."""
    return [_published_table(study) for study in published_studies()["studies"]]


def _published_table(study: dict[str, Any]) -> Table:
    source = published_studies()["sources"][study["source"]]
    cited = (
        f"{source['authors']}, {source['title']}, {source['where']}, {study['table'][0].lower()}{study['table'][1:]}"
    )
    columns = tuple(Column(key, PUBLISHED_TITLES.get(key, key.replace("_", " "))) for key in study["columns"])
    rows = tuple(published_rows(study["name"]))
    return Table(
        f"published-{study['name']}", study["title"], columns, rows, f"Source: {cited}. {study.get('note', '')}"
    )
