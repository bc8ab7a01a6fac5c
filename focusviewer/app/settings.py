"""What the program remembers between runs: one versioned JSON file, never a reason not to start."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from focusviewer.core.files import atomic_write, config_dir

log = logging.getLogger(__name__)

VERSION = 1
MAX_RECENT = 12


@dataclass
class Settings:
    """User settings; every field has a working default."""

    recent: list[str] = field(default_factory=list)
    last_folder: str = ""
    theme: str = "system"
    inertia: bool = False
    minimap: bool = True
    scale_bar: bool = True
    model: str = ""
    lut: str = ""
    heatmap_mode: str = "absolute"
    heatmap_opacity: float = 0.45
    threshold: float = 3.0
    engine: str = ""
    tile_cache_mb: int = 512
    reader: str = ""
    next_after_verdict: bool = False
    geometry: str = ""
    layout: str = ""

    def remember(self, path: Path) -> None:
        """Put a path at the head of the recent files."""
        text = str(path)
        self.recent = [text, *(other for other in self.recent if other != text)][:MAX_RECENT]


_CHOICES = {"theme": ("system", "light", "dark"), "heatmap_mode": ("absolute", "normalised")}
_RANGES = {"heatmap_opacity": (0.0, 1.0), "threshold": (0.0, 1000.0), "tile_cache_mb": (64, 16384)}


def _check(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        raise ValueError(f"is of type {type(value).__name__}, not {type(default).__name__}")
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise ValueError("holds something that is not text")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"is none of {', '.join(_CHOICES[name])}")
    low, high = _RANGES.get(name, (None, None))
    if low is not None and not low <= value <= high:
        raise ValueError(f"is not between {low} and {high}")
    return value


def settings_path() -> Path:
    """The settings file."""
    return config_dir() / "settings.json"


def load_settings(path: Path | None = None) -> tuple[Settings, list[str]]:
    """Read the settings, dropping what cannot be used.

    Returns
    -------
    Settings
        Complete, whatever the file held.
    list of str
        One warning per dropped key, or one for an unreadable file.
    """
    path = path or settings_path()
    settings, warnings = Settings(), []
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return settings, []
    except (OSError, ValueError) as error:
        return settings, [f"The settings in {path} cannot be read ({error}); starting with the defaults."]
    if stored.pop("version", VERSION) != VERSION:
        warnings.append(f"The settings in {path} are of another version; what still fits is kept.")
    fields = {f.name for f in dataclasses.fields(Settings)}
    for name, value in stored.items():
        if name not in fields:
            warnings.append(f"Unknown setting “{name}” was dropped.")
            continue
        try:
            setattr(settings, name, _check(name, value, getattr(settings, name)))
        except ValueError as error:
            warnings.append(f"Setting “{name}” {error}; it was dropped.")
    for warning in warnings:
        log.warning(warning)
    return settings, warnings


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = path or settings_path()
    text = json.dumps({"version": VERSION, **dataclasses.asdict(settings)}, indent=1, ensure_ascii=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
