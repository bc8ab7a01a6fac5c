"""What the program remembers between runs, in one versioned JSON file; a damaged file never stops the start."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

from focusviewer.core.files import atomic_write, config_dir
from focusviewer.core.json_text import from_json_text

log = logging.getLogger(__name__)

VERSION = 1
MAX_RECENT = 12

Theme = Literal["system", "light", "dark"]
HeatmapMode = Literal["absolute", "normalised"]


@dataclass
class Settings:
    """User settings; every field has a working default."""

    recent: list[str] = field(default_factory=list)
    last_folder: str = ""
    theme: Theme = "system"
    inertia: bool = False
    minimap: bool = True
    scale_bar: bool = True
    model: str = ""
    lut: str = ""
    heatmap_mode: HeatmapMode = "absolute"
    heatmap_opacity: Annotated[float, Meta(ge=0, le=1)] = 0.45
    threshold: Annotated[float, Meta(ge=0, le=1000)] = 3.0
    engine: str = ""
    tile_cache_mb: Annotated[int, Meta(ge=64, le=16384)] = 512
    reader: str = ""
    next_after_verdict: bool = False
    geometry: str = ""
    layout: str = ""

    def remember(self, path: Path) -> None:
        """Put a path at the head of the recent files."""
        text = str(path)
        self.recent = [text, *(other for other in self.recent if other != text)][:MAX_RECENT]


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
        stored = from_json_text(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return settings, []
    except (OSError, ValueError) as error:
        return settings, [f"The settings in {path} cannot be read ({error}); starting with the defaults."]
    if stored.pop("version", VERSION) != VERSION:
        warnings.append(f"The settings in {path} are of another version; what still fits is kept.")
    types = get_type_hints(Settings, include_extras=True)
    for name, value in stored.items():
        if name not in types:
            warnings.append(f"Unknown setting “{name}” was dropped.")
            continue
        try:
            setattr(settings, name, msgspec.convert(value, types[name]))
        except msgspec.ValidationError as error:
            warnings.append(f"Setting “{name}” was dropped: {error}.")
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
