from __future__ import annotations

import json
from pathlib import Path

from focusviewer.app.services.settings import MAX_RECENT, Settings, load_settings, save_settings, settings_path


def test_settings_come_back_as_they_were_saved() -> None:
    settings = Settings(theme="dark", inertia=True, recent=["/a/ä b.svs"], heatmap_opacity=0.7)
    save_settings(settings)
    loaded, warnings = load_settings()
    assert loaded == settings
    assert warnings == []


def test_a_missing_file_gives_defaults_without_a_warning() -> None:
    assert load_settings() == (Settings(), [])


def test_bad_keys_are_dropped_with_a_warning_and_good_ones_kept() -> None:
    stored = {
        "version": 1,
        "inertia": True,
        "theme": "purple",
        "heatmap_opacity": 7,
        "recent": [1, 2],
        "minimap": "yes",
        "no_such_setting": 1,
        "threshold": 4,
    }
    settings_path().write_text(json.dumps(stored), encoding="utf-8")
    loaded, warnings = load_settings()
    assert loaded == Settings(inertia=True, threshold=4.0)
    assert len(warnings) == 5
    for name in ("theme", "heatmap_opacity", "recent", "minimap", "no_such_setting"):
        assert any(name in warning for warning in warnings)


def test_a_broken_file_never_stops_the_start() -> None:
    for text in ("{", "[1, 2]", "\x00\x01", "[" * 100_000):
        settings_path().write_text(text, encoding="utf-8")
        loaded, warnings = load_settings()
        assert loaded == Settings()
        assert len(warnings) == 1


def test_settings_of_another_version_keep_what_fits() -> None:
    settings_path().write_text(json.dumps({"version": 99, "inertia": True}), encoding="utf-8")
    loaded, warnings = load_settings()
    assert loaded.inertia
    assert len(warnings) == 1


def test_recent_files_are_unique_newest_first_and_bounded() -> None:
    settings = Settings()
    for index in range(20):
        settings.remember(Path(f"/slides/{index}.svs"))
    settings.remember(Path("/slides/15.svs"))
    assert settings.recent[0] == str(Path("/slides/15.svs"))
    assert len(settings.recent) == len(set(settings.recent)) == MAX_RECENT
