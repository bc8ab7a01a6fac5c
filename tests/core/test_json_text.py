"""JSON and TOML of unknown origin: deeply nested files are a message, not an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer.app.services.settings import Settings, load_settings
from focusviewer.core.errors import UserError
from focusviewer.core.files import config_dir
from focusviewer.core.json_text import from_json_text
from focusviewer.focus.calibration.store import calibrations_path, read_calibrations
from focusviewer.qc.verdicts.rules import load_rules
from focusviewer.slides import ScaleStore
from focusviewer.training.datasets.manifest import read_manifest
from focusviewer.training.lab.typed_toml import read_table

DEEP = "[" * 100_000
DEEP_OBJECT = '{"a":' * 100_000


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT, DEEP.encode(), "{", "nul", "\ud800", b"\xff"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json_text(text)


@pytest.mark.parametrize("text", [DEEP, DEEP_OBJECT])
def test_settings_and_scales_that_are_nested_deeply_are_passed_over(text: str) -> None:
    for name in ("settings.json", "scales.json"):
        (config_dir() / name).write_text(text)
    settings, warnings = load_settings()
    assert settings == Settings() and "nested too deeply" in warnings[0]
    assert ScaleStore().get("f") is None
    ScaleStore().set("f", 0.25)
    assert ScaleStore().get("f") == 0.25


@pytest.mark.parametrize("read", [load_rules, read_table, read_manifest])
def test_files_that_are_nested_deeply_are_refused_by_name(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(DEEP if read is read_manifest else f"a = {DEEP}")
    with pytest.raises(UserError, match=r"deep\.toml"):
        read(path)


def test_calibrations_that_are_nested_deeply_are_refused_by_name() -> None:
    calibrations_path().write_text(DEEP)
    with pytest.raises(UserError, match=r"calibrations\.json"):
        read_calibrations()
