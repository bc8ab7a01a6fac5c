"""Focus maps on disk: the ``map.npz`` of the command line, and the cache that spares a second analysis."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, cache_dir
from focusviewer.core.json_text import from_json_text, json_digest
from focusviewer.focus.base import FocusMap, FocusModel
from focusviewer.slides import Slide

_ARRAYS = ("blur", "x", "y")
_OPTIONAL = ("uncertainty", "cannot_tell")
_GROUPS = ("members", "weights")  # one array for each member model, as "members/<name>"
_FORMAT = 3
"""Of the file and of what the engine makes: raise it when grid, tissue mask or scaling change, and cached maps are made
anew (a model has a version of its own)."""


def save_map(focus_map: FocusMap, path: Path) -> None:
    """Write a map as .npz: ``blur``, ``x``, ``y``, what else it has as arrays, and the rest as JSON in ``metadata``.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    apart = {*_ARRAYS, *_OPTIONAL, *_GROUPS}
    described: dict[str, Any] = {
        field.name: getattr(focus_map, field.name) for field in fields(FocusMap) if field.name not in apart
    }
    text = json.dumps({"format": _FORMAT, **described})
    arrays = {name: getattr(focus_map, name) for name in _ARRAYS}
    arrays |= {name: getattr(focus_map, name) for name in _OPTIONAL if getattr(focus_map, name) is not None}
    for group in _GROUPS:
        arrays |= {f"{group}/{member}": values for member, values in getattr(focus_map, group).items()}
    with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, metadata=np.array(text), **arrays)


def load_map(path: Path) -> FocusMap:
    """Read a map written by :func:`save_map`.

    Raises
    ------
    UserError
        If the file is missing or is no focus map.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            described = from_json_text(str(archive["metadata"]))
            arrays: dict[str, Any] = {name: np.asarray(archive[name], np.float32) for name in _ARRAYS}
            arrays |= {name: archive[name] for name in _OPTIONAL if name in archive}
            for group in _GROUPS:
                kept = [name for name in archive.files if name.startswith(f"{group}/")]
                arrays[group] = {name.partition("/")[2]: archive[name] for name in kept}
        known = {field.name for field in fields(FocusMap)}
        parts: dict[str, Any] = {**described, **arrays}
        parts["sides_um"] = tuple(described["sides_um"]) if described.get("sides_um") else None
        result = FocusMap(**{key: value for key, value in parts.items() if key in known})
    except Exception as error:  # zip, JSON, NumPy and OS errors: all mean the same to the user
        raise UserError(f"Cannot read the focus map {path}", str(error), "Make it again with: heatmap.") from error
    if result.blur.shape != (result.y.size, result.x.size):
        raise UserError(f"Cannot read the focus map {path}", "its parts do not fit", "Make it again with: heatmap.")
    return result


class MapCache:
    """Whole-slide maps kept on disk, by content of the slide, plane, scale, model and model version.

    Files are written whole or not at all; one that cannot be read counts as missing.

    Parameters
    ----------
    folder : Path, optional
        ``focus-maps`` in the cache folder when missing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else cache_dir() / "focus-maps"

    def path(self, slide: Slide, model: FocusModel, plane: int = 0, mpp: float | None = None) -> Path:
        """Where the map of a slide lies, or would."""
        scale = mpp if mpp is not None else slide.mpp
        key = [_FORMAT, slide.fingerprint, plane, scale if model.mpps else None, model.name, model.version]
        return self.folder / f"{json_digest(key, 32)}.npz"

    def get(self, slide: Slide, model: FocusModel, plane: int = 0, mpp: float | None = None) -> FocusMap | None:
        """The map of an earlier run, or None."""
        path = self.path(slide, model, plane, mpp)
        if not slide.fingerprint or not path.exists():
            return None
        try:
            found = load_map(path)
        except UserError:
            return None
        # Models that take any scale find their map again after the user has told the slide's.
        known = mpp if mpp is not None else slide.mpp
        return replace(found, mpp=known, sides_um=slide.sides_um if known is None else None)

    def put(self, slide: Slide, model: FocusModel, focus_map: FocusMap, mpp: float | None = None) -> None:
        """Keep a whole-slide map; a cache that cannot be written is no reason to lose the map.

        ``mpp`` is the scale the map was asked for with, where the slide has none.
        """
        if not slide.fingerprint or focus_map.unreadable:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_map(focus_map, self.path(slide, model, focus_map.plane, mpp))
        except (UserError, OSError):
            return
