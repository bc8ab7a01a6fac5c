"""Documents as JSON text that is the same everywhere and that any reader takes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from focusviewer.core.files import atomic_write


def plain(value: Any) -> Any:
    """``value`` in terms of JSON: numpy numbers and arrays, paths, and no NaN or infinity (they become null)."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def to_json_text(document: Any, *, ascii_only: bool = False, indent: int = 2) -> str:
    """The document as JSON text; letters outside ASCII stay readable unless only ASCII will do."""
    return json.dumps(plain(document), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def from_json_text(text: str | bytes) -> Any:
    """What a JSON text of unknown origin holds.

    Raises
    ------
    ValueError
        If it is none, or nested so deeply that only an attack is.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def write_json(path: Path, document: Any, *, indent: int = 2) -> None:
    """Write a document as a JSON file that ends with a line break, whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    with atomic_write(path) as temporary:
        # Names of files may hold bytes that are no letters; as escapes they are still JSON.
        temporary.write_text(to_json_text(document, indent=indent) + "\n", encoding="utf-8", errors="backslashreplace")


def json_digest(document: Any, length: int = 12) -> str:
    """Hexadecimal digits that differ where documents do, whatever the order of their keys: for names of cached files.

    Parameters
    ----------
    document : object
        Of JSON's types only.
    length : int
        Number of digits, of the 64 that SHA-256 has.
    """
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:length]
