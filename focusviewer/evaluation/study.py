"""A study: every model evaluated on every part; one failure does not stop the others, and no part is done twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from focusviewer.core.errors import CancelledError, UserError
from focusviewer.core.files import output_folder
from focusviewer.core.json_text import from_json_text, plain, write_json
from focusviewer.core.registry import AnyEntry

VERSION = "1"
"""Raised whenever figures of the same model on the same data would come out differently."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """One part of a study: a test for models of a kind.

    Attributes
    ----------
    name : str
        Name of its table.
    key : str
        What the figures depend on besides the model: the test set, its size.
    evaluate : callable
        A built model to rows.
    """

    name: str
    key: str
    evaluate: Callable[[Any], Rows]


@dataclass(frozen=True)
class Outcome:
    """What one model reached in one part; ``why`` is the reason where there are no rows."""

    model: str
    kind: str
    part: str
    rows: tuple[dict[str, Any], ...] = ()
    why: str = ""
    seconds: float = 0.0


class ResultStore:
    """Finished outcomes in a folder, found again by the model's weights and the part's key."""

    def __init__(self, folder: Path) -> None:
        self.folder = output_folder(folder)

    def load(self, outcome_id: tuple[str, str, str], key: str) -> Outcome | None:
        """The outcome stored for this model and part, if it still holds."""
        try:
            stored = from_json_text(self._path(outcome_id).read_text(encoding="utf-8"))
            if stored.pop("key") != key:
                return None
            return Outcome(**{**stored, "rows": tuple(stored["rows"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # not there, or not one of ours any more
            return None

    def save(self, outcome: Outcome, key: str) -> None:
        """Keep a finished outcome."""
        path = self._path((outcome.kind, outcome.model, outcome.part))
        write_json(path, {"key": key, **plain_outcome(outcome)}, indent=1)

    def _path(self, outcome_id: tuple[str, str, str]) -> Path:
        return self.folder / ("__".join(outcome_id).replace("/", "-") + ".json")


def plain_outcome(outcome: Outcome) -> dict[str, Any]:
    """The outcome in plain values."""
    document = asdict(outcome)
    document["rows"] = [{name: plain(value) for name, value in row.items()} for row in outcome.rows]
    return document


def evaluate_parts(
    entries: Iterable[AnyEntry],
    parts: Sequence[Part],
    store: ResultStore | None = None,
    on_progress: Callable[[str], None] = lambda text: None,
) -> list[Outcome]:
    """Evaluate every model on every part.

    A model that lacks its weights, cannot be built or fails in a part is listed with the reason; the others go on.
    """
    outcomes: list[Outcome] = []
    for entry in entries:
        outcomes += _evaluate_model(entry, parts, store, on_progress)
    return outcomes


def _evaluate_model(
    entry: AnyEntry, parts: Sequence[Part], store: ResultStore | None, on_progress: Callable[[str], None]
) -> list[Outcome]:
    failed = ""
    model: Any = None
    if not entry.available:
        failed = "its weights are missing"
    else:
        try:
            model = entry.build()
        except CancelledError:
            raise
        except Exception as error:
            failed = reason(error)
    if failed:
        return [Outcome(entry.name, entry.kind, part.name, why=failed) for part in parts]
    outcomes = []
    for part in parts:
        key = outcome_key(entry, model, part)
        outcome = store.load((entry.kind, entry.name, part.name), key) if store else None
        if outcome is None:
            on_progress(f"{entry.name}: {part.name}")
            outcome = _attempt(entry, model, part)
            if store and not outcome.why:
                store.save(outcome, key)
        outcomes.append(outcome)
    return outcomes


def _attempt(entry: AnyEntry, model: Any, part: Part) -> Outcome:
    start = time.perf_counter()
    try:
        rows = part.evaluate(model)
    except CancelledError:
        raise
    except Exception as error:
        return Outcome(entry.name, entry.kind, part.name, why=reason(error))
    rows = [{"model": entry.name, **row} for row in rows]
    return Outcome(entry.name, entry.kind, part.name, tuple(rows), seconds=time.perf_counter() - start)


def reason(error: Exception) -> str:
    """One line on why something failed."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def outcome_key(entry: AnyEntry, model: Any, part: Part) -> str:
    """Changes with the model's weights and version, the part, and this bench."""
    digest = hashlib.sha256(f"{VERSION}|{entry.kind}|{entry.name}|{getattr(model, 'version', '')}|{part.key}".encode())
    if entry.weights is not None and entry.weights.exists():
        digest.update(entry.weights.read_bytes())
    return digest.hexdigest()[:16]


def rows_of(outcomes: Iterable[Outcome], part: str) -> tuple[dict[str, Any], ...]:
    """Rows of one part, of all models; a model without figures gives one row that says why."""
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        if outcome.part == part:
            rows += outcome.rows or [{"model": outcome.model, "why": outcome.why or "nothing to evaluate"}]
    return tuple(rows)
