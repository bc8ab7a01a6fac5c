"""``models``: every model, engine and method, whether it can run here, and what was measured of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import print_json, table
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.core.registry import AnyEntry


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command(name="models")(list_models)


def list_models(json: AsJson = False) -> None:
    """Every registered model, engine and method: size, weights present or not, measured figures."""
    documents = [describe(entry) for entry in entries()]
    if json:
        print_json(documents)
        return
    words = {True: "present", False: "MISSING", None: "needs none"}
    rows = [[d["kind"], d["name"], d["parameters"], words[d["weights"]], d["summary"]] for d in documents]
    typer.echo(table(["kind", "name", "parameters", "weights", "what it is"], rows))
    for document in documents:
        for figures in document["figures"]:
            typer.echo(f"{document['name']}: " + ", ".join(f"{key} {value}" for key, value in figures.items()))


def entries() -> list[AnyEntry]:
    """All registries, one after the other."""
    from focusviewer.focus import models
    from focusviewer.refocus import engines
    from focusviewer.restoration import restorers
    from focusviewer.stacking import stackers

    return [*models(), *engines(), *restorers(), *stackers()]


def describe(entry: AnyEntry) -> dict[str, Any]:
    """One entry of ``models --json``.

    ``weights`` is true when they are there, false when they are missing, null when the model needs none;
    ``figures`` are the rows of the tables in the model card's section "Figures".
    """
    card = entry.weights.with_suffix(".md") if entry.weights is not None else None
    return {
        "kind": entry.kind,
        "name": entry.name,
        "parameters": _parameters(entry),
        "weights": entry.available if entry.trained else None,
        "summary": entry.summary,
        "weights_file": str(entry.weights) if entry.weights is not None and entry.weights.exists() else None,
        "figures": read_figures(card) if card is not None and card.exists() else [],
    }


def _parameters(entry: AnyEntry) -> int | None:
    """Number of trained parameters; unknown (None) where the weights are missing or unreadable."""
    if not entry.trained:
        return 0
    if not entry.available:
        return None
    try:
        return int(entry.build().parameters())
    except UserError:
        return None


def read_figures(card: Path) -> list[dict[str, str]]:
    """Rows of the Markdown tables in a model card's section "Figures", by column name."""
    section = card.read_text(encoding="utf-8").partition("\n## Figures")[2].partition("\n## ")[0]
    figures: list[dict[str, str]] = []
    head: list[str] | None = None
    for line in section.splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if head is None:
            head = cells
        elif not set("".join(cells)) <= set("-: "):
            figures.append(dict(zip(head, cells, strict=False)))
    return figures
