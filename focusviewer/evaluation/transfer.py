"""Transfer: models trained on simulation alone, evaluated on real planes they never saw.

Keeps a running table over the versions of the simulator (``resources/studies/transfer.csv``), so that what the
simulator randomises is chosen by measurement.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, resource_path, weights_from
from focusviewer.core.json_text import plain
from focusviewer.core.registry import AnyEntry
from focusviewer.evaluation.suites.refocus.simulated import evaluate_refocus_real
from focusviewer.evaluation.tables.table import Column, Table
from focusviewer.evaluation.test_sets.real_stacks import (
    ASSUMED_MPP,
    RealStack,
    curve_figures,
    evaluate_focus,
    real_stacks,
)
from focusviewer.focus.base import FocusModel
from focusviewer.refocus.base import Refocuser

Kind = Literal["focus", "refocus"]

KEY = ("kind", "model", "weights", "simulator", "stack")
"""What one row of the running table is about; a new row with the same key takes the place of the old one."""

_FOCUS = (
    "planes", "lowest", "reference", "planes_off", "monotone", "monotone_below", "monotone_above", "monotone_own",
    "srcc_below", "srcc_above", "scores",
)  # fmt: skip
_REFOCUS = ("planes", "psnr_before", "psnr_after", "gain_db", "worst_gain_db", "ssim_before", "ssim_after", "kept_db")

UNKNOWN = "unknown"

ENOUGH_PLANES = 7
"""Planes from which a stack with a stated best plane must be ordered right."""


@dataclass(frozen=True)
class TrainedModel:
    """One trained model.

    Attributes
    ----------
    entry : AnyEntry
        How to build it from the weights that are evaluated.
    weights : str
        First 12 hex digits of the SHA-256 of its weights file.
    simulator : str
        Version of the simulator that it was trained on, or ``unknown``.
    folder : Path or None
        Where its weights lie; None for the shipped ones.
    """

    entry: AnyEntry
    weights: str
    simulator: str
    folder: Path | None = None

    def build(self) -> FocusModel | Refocuser:
        """The model with the weights that are evaluated."""
        with weights_from(self.folder) if self.folder else nullcontext():
            model: FocusModel | Refocuser = self.entry.build()
        return model


def trained_models(
    folder: Path | None = None, names: Sequence[str] | None = None, simulator: str | None = None
) -> list[TrainedModel]:
    """Trained models whose weights are there.

    Parameters
    ----------
    folder : Path, optional
        Where the weights lie; the shipped ones when missing.
    names : sequence of str, optional
        Only these.
    simulator : str, optional
        Version of the simulator of weights that do not say it themselves; as the running table has it when missing.

    Raises
    ------
    UserError
        If a model asked for has no weights, there are none at all, or they cannot be read.
    """
    from focusviewer.focus import models
    from focusviewer.refocus.registry import engines

    if folder is not None and not folder.is_dir():
        raise UserError(f"No weights in {folder}", "the folder does not exist", "Give one with .safetensors files.")
    with weights_from(folder) if folder else nullcontext():
        every: list[AnyEntry] = [*models(), *engines()]
        entries = [entry for entry in every if entry.trained and entry.available]
    if folder is not None:
        entries = [entry for entry in entries if entry.weights and entry.weights.parent.samefile(folder)]
    found = {entry.name: entry for entry in entries}
    missing = [name for name in names or [] if name not in found]
    if missing or not found:
        what = f"No weights of {missing[0]}" if missing else "No weights to judge"
        there = f"{folder or 'this installation'} has those of {', '.join(found) or 'no model'}"
        raise UserError(what, there, "Name one of these with --model, or a folder of weights with --weights.")
    chosen = [found[name] for name in names] if names else list(found.values())
    return [_trained_model(entry, simulator, folder) for entry in chosen]


def _trained_model(entry: AnyEntry, simulator: str | None, folder: Path | None) -> TrainedModel:
    from safetensors import SafetensorError, safe_open

    assert entry.weights is not None
    own = None
    if entry.weights.suffix == ".safetensors":  # the detector's curve is JSON, and does not say it
        try:
            with safe_open(entry.weights, "np") as file:
                own = (file.metadata() or {}).get("simulator")
        except (SafetensorError, OSError) as error:
            raise UserError(f"Cannot read {entry.weights}", str(error), "Train it again, or take it away.") from error
    digest = hashlib.sha256(entry.weights.read_bytes()).hexdigest()[:12]
    return TrainedModel(entry, digest, own or simulator or _recorded_simulator(digest) or UNKNOWN, folder)


def _recorded_simulator(digest: str) -> str | None:
    """What the running table says of weights with this digest."""
    return next((row["simulator"] for row in running_table() if row["weights"] == digest), None)


def transfer_rows(
    models: Sequence[TrainedModel], data_dir: Path, on_progress: Callable[[float, str], None] | None = None
) -> list[dict[str, Any]]:
    """Evaluate every model on every real test stack: one row each.

    Raises
    ------
    UserError
        If there are no stacks.
    """
    stacks = real_stacks(data_dir)
    rows = []
    for index, item in enumerate(models):
        model = item.build()
        kind: Kind = "focus" if isinstance(model, FocusModel) else "refocus"
        for count, stack in enumerate(stacks):
            if on_progress:
                on_progress((index + count / len(stacks)) / len(models), f"{item.entry.name}, {stack.name}")
            figures = _focus_figures(model, stack) if isinstance(model, FocusModel) else _refocus_figures(model, stack)
            if figures:
                about = (kind, item.entry.name, item.weights, item.simulator, stack.name)
                rows.append({**dict(zip(KEY, about, strict=True)), **figures})
    return rows


def _focus_figures(model: FocusModel, stack: RealStack) -> dict[str, Any]:
    row = evaluate_focus(model, [stack])[0]
    if stack.best:
        # A curve whose lowest plane lies one off has a step the wrong way beside the stated one, whatever it does.
        row["monotone_own"] = curve_figures(row["scores"], (row["lowest"], row["lowest"]))["monotone"]
    return {"planes": len(stack.planes), **{name: plain(row.get(name)) for name in _FOCUS if name in row}}


def _refocus_figures(engine: Refocuser, stack: RealStack) -> dict[str, Any]:
    """Means over the blurred planes; and what becomes of the best plane itself, which should stay as it is."""
    rows = evaluate_refocus_real(engine, [stack])
    blurred = [row for row in rows if row["gain_db"] is not None]
    kept = [row["psnr_after"] for row in rows if row["gain_db"] is None]
    if not blurred:
        return {}
    means = {
        name: float(np.mean([row[name] for row in blurred]))
        for name in ("psnr_before", "psnr_after", "gain_db", "ssim_before", "ssim_after")
    }
    return {
        "planes": len(rows),
        **{name: round(value, 4) for name, value in means.items()},
        "worst_gain_db": min(row["gain_db"] for row in blurred),
        "kept_db": kept[0] if kept else None,
    }


def orders_real_stacks(rows: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """Whether each focus model finds the stated best plane within one, and rises on nine steps of ten beside it.

    Over every stack of at least seven planes with a stated best plane.
    """
    asked: dict[str, list[bool]] = {}
    for row in rows:
        if row["kind"] == "focus" and row.get("reference") and row["planes"] >= ENOUGH_PLANES:
            asked.setdefault(row["model"], []).append(row["planes_off"] <= 1 and row["monotone"] >= 0.9)
    return {model: all(right) for model, right in asked.items()}


def transfer_tables(rows: Sequence[dict[str, Any]]) -> list[Table]:
    """The rows for people: focus models, and refocusing engines."""
    about = (Column("model", "model"), Column("simulator", "simulator"), Column("weights", "weights"))
    focus = (
        *about,
        Column("stack", "stack"),
        Column("planes", "planes"),
        Column("lowest", "lowest"),
        Column("reference", "stated"),
        Column("planes_off", "planes off"),
        Column("monotone", "monotone", 2, "high"),
        Column("monotone_below", "below", 2, "high"),
        Column("monotone_above", "above", 2, "high"),
        Column("monotone_own", "beside the lowest", 2, "high"),
        Column("srcc_below", "SRCC below", 2, "high"),
        Column("srcc_above", "SRCC above", 2, "high"),
    )
    refocus = (
        *about,
        Column("stack", "stack"),
        Column("planes", "planes"),
        Column("psnr_before", "PSNR before", 2),
        Column("psnr_after", "PSNR after", 2, "high"),
        Column("gain_db", "gain, dB", 2, "high"),
        Column("worst_gain_db", "worst", 2, "high"),
        Column("ssim_before", "SSIM before", 4),
        Column("ssim_after", "SSIM after", 4, "high"),
        Column("kept_db", "best plane kept, dB", 1, "high"),
    )
    scale = f"Real stacks never trained on, read as {ASSUMED_MPP:g} um pixels."
    by_kind = {kind: tuple(row for row in rows if row["kind"] == kind) for kind in ("focus", "refocus")}
    tables = [
        Table(
            "transfer-focus",
            "Transfer to real stacks: focus",
            focus,
            by_kind["focus"],
            f"{scale} Monotone: share of steps away from the stated best planes that rise, on both sides and on each; "
            "and of steps away from the model's own lowest plane.",
        ),
        Table(
            "transfer-refocus",
            "Transfer to real stacks: refocusing",
            refocus,
            by_kind["refocus"],
            f"{scale} Each plane refocused blind and compared with the best one; means over the blurred planes.",
        ),
    ]
    return [table for table in tables if table.rows]


def table_path() -> Path:
    """Where the running table is kept."""
    return resource_path("studies") / "transfer.csv"


def update_table(rows: Sequence[dict[str, Any]], path: Path | None = None) -> Path:
    """Put rows into the running table; those of other weights and versions stay."""
    path = path or table_path()
    merged = {tuple(str(row[name]) for name in KEY): dict(row) for row in [*running_table(path), *rows]}
    columns = list(dict.fromkeys([*KEY, *_FOCUS, *_REFOCUS]))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for _, row in sorted(merged.items()):
            writer.writerow([_cell(row.get(name)) for name in columns])
    return path


def running_table(path: Path | None = None) -> list[dict[str, Any]]:
    """Rows of the running table, oldest versions too; none where there is no table yet.

    Raises
    ------
    UserError
        If the file is not such a table.
    """
    path = path or table_path()
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not set(KEY) <= set(reader.fieldnames or []):
            raise UserError(f"Cannot read {path}", "it is not a table of transfer figures", "Restore or remove it.")
        return [{name: _value(name, text) for name, text in row.items()} for row in reader]


def _cell(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value)
    return "" if value is None else value


def _value(name: str, text: str) -> Any:
    if name in KEY:
        return text
    if name in ("scores", "reference"):
        return [float(item) if name == "scores" else int(item) for item in text.split()] or None
    if not text:
        return None
    return int(text) if name in ("planes", "lowest", "planes_off") else float(text)
