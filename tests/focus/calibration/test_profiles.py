"""The user's optics profiles: kept, found by the scanner, forgotten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import UserError
from focusviewer.focus.calibration.profiles import (
    find_profile,
    forget_profiles,
    keep_profile,
    known_profiles,
    profiles_path,
)
from focusviewer.focus.calibration.store import scanner_key
from focusviewer.slides import open_slide
from tests.optics.test_profile import profile


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOCUSVIEWER_CONFIG", str(tmp_path / "config"))


def test_a_slide_finds_the_profile_of_its_scanner_and_scale(tmp_path: Path) -> None:
    path = tmp_path / "field.png"
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(path)
    with open_slide(path, mpp=0.25) as slide:
        assert find_profile(slide) is None
        key = scanner_key(slide)
        keep_profile(profile(scanner="another", mpp=0.25))
        keep_profile(profile(scanner=key, source="old"))
        keep_profile(profile(scanner=key, source="new"))
        found = find_profile(slide)
        assert found is not None and found.source == "new" and len(known_profiles()) == 2
        assert forget_profiles(key) == 1 and forget_profiles(key) == 0
        assert find_profile(slide) is None and len(known_profiles()) == 1


def test_a_damaged_file_is_told_and_not_overwritten() -> None:
    profiles_path().write_text("{")
    with pytest.raises(UserError, match="Cannot read the optics profiles"):
        keep_profile(profile())
    assert profiles_path().read_text() == "{"
