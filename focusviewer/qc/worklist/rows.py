"""Rows of the worklist's tables as records. A file may come from anywhere, so nothing in it is believed unseen."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import msgspec

from focusviewer.core.errors import UserError
from focusviewer.core.json_text import from_json_text
from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.verdicts.judgement import Judgement, Verdict
from focusviewer.qc.worklist.records import Failure, FileRow, RegionRow, Result, SlideFacts, SlideRow, VerdictRow

_LARGEST = 1e15

Regions = dict[int, tuple[RegionRow, ...]]


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Turn what is wrong with a row into an error that names the file.

    Raises
    ------
    UserError
    """
    try:
        yield
    except (TypeError, ValueError, KeyError, msgspec.ValidationError) as error:
        advice = "It is damaged, or no worklist of FocusViewer. Take a copy of it that is whole, or judge anew with qc."
        raise UserError(f"Cannot read the worklist {file}", str(error), advice) from error


def slide_of(row: sqlite3.Row, regions: Regions) -> SlideRow:
    """One line of the list, from the query of slides."""
    facts = SlideFacts(
        _text(row, "fingerprint"),
        _path(row, "path"),
        _text(row, "name"),
        _text(row, "slide_id"),
        _text(row, "scanner"),
        _text(row, "stain"),
    )
    result = None
    if row["result_id"] is not None:
        reasons = msgspec.convert(from_json_text(_text(row, "reasons")), tuple[str, ...])
        result = Result(
            facts,
            _features(row),
            Judgement(_verdict(row, "verdict"), _number(row, "score"), reasons, _text(row, "rules")),
            regions.get(row["result_id"], ()),
            _text(row, "model"),
            _text(row, "model_version"),
            _folder(row),
            _number(row, "seconds"),
        )
    person = None
    if row["verdict_id"] is not None:
        person = VerdictRow(
            _whole(row, "verdict_id"),
            facts.fingerprint,
            _verdict(row, "person_verdict"),
            _text(row, "who"),
            _text(row, "note"),
            _text(row, "given_at"),
            bool(row["blinded"]),
        )
    return SlideRow(facts, _text(row, "added_at"), result, person, _whole(row, "revision"))


def verdict_of(row: sqlite3.Row) -> VerdictRow:
    """A row of the table of verdicts."""
    return VerdictRow(
        _whole(row, "id"),
        _text(row, "fingerprint"),
        _verdict(row, "verdict"),
        _text(row, "who"),
        _text(row, "note"),
        _text(row, "given_at"),
        bool(row["blinded"]),
        "" if row["undone_at"] is None else _text(row, "undone_at"),
    )


def region_of(row: sqlite3.Row) -> RegionRow:
    """A row of the table of regions."""
    x, y, width, height, mean_um = (_number(row, name) for name in ("x", "y", "width", "height", "mean_um"))
    area = None if row["area_mm2"] is None else _number(row, "area_mm2")
    return RegionRow(x, y, width, height, mean_um, area, _text(row, "cause"))


def failure_of(row: sqlite3.Row) -> Failure:
    """A row of the table of failures."""
    return Failure(_path(row, "path"), _text(row, "reason"), _whole(row, "attempt"), _text(row, "created_at"))


def file_of(row: sqlite3.Row) -> FileRow:
    """A row of the table of files."""
    return FileRow(_path(row, "path"), _text(row, "fingerprint"), _whole(row, "size"), _whole(row, "modified_ns"))


def standing_of(row: sqlite3.Row) -> tuple[str, str, int, Verdict]:
    """Of a standing verdict: who, on which slide, its number, and what."""
    return _text(row, "who"), _text(row, "fingerprint"), _whole(row, "id"), _verdict(row, "verdict")


def pair_of(row: sqlite3.Row) -> tuple[Path, Path]:
    """A file, and the listed one with the same content."""
    return _path(row, "path"), _path(row, "listed")


def _value(row: sqlite3.Row, name: str, kind: type | tuple[type, ...], words: str) -> Any:
    value = row[name]
    if not isinstance(value, kind):
        raise ValueError(f"its column {name!r} holds something that is no {words}")
    return value


def _text(row: sqlite3.Row, name: str) -> str:
    return str(_value(row, name, str, "text"))


def _path(row: sqlite3.Row, name: str) -> Path:
    text = _text(row, name)
    if not text or "\0" in text:
        raise ValueError(f"its column {name!r} holds something that is no path")
    return Path(text)


def _number(row: sqlite3.Row, name: str) -> float:
    value = float(_value(row, name, (int, float), "number"))
    if not math.isfinite(value):
        raise ValueError(f"its column {name!r} holds something that is no number")
    return value


def _features(row: sqlite3.Row) -> SlideFeatures:
    features = msgspec.convert(from_json_text(_text(row, "features")), SlideFeatures)
    for name, value in vars(features).items():
        if value is not None and abs(value) > _LARGEST:  # infinity; NaN stands for what nobody knows
            raise ValueError(f"the feature {name!r} of a slide is {value:g}")
    return features


def _whole(row: sqlite3.Row, name: str) -> int:
    return int(_value(row, name, int, "whole number"))


def _verdict(row: sqlite3.Row, name: str) -> Verdict:
    text = _text(row, name)
    if text not in list(Verdict):
        raise ValueError(f"{text[:40]!r} is no verdict")
    return Verdict(text)


def _folder(row: sqlite3.Row) -> str:
    """The folder of a slide's results, which lies inside the worklist's own wherever the file comes from."""
    text = _text(row, "folder")
    for path in (PurePosixPath(text), PureWindowsPath(text)):
        if path.anchor or path.drive or ".." in path.parts or "\0" in text:
            raise ValueError(f"the folder {text[:80]!r} of a slide lies outside the worklist's own")
    return text
