from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

# Before anything imports Qt: tests never need a display.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the real image data, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("FOCUSVIEWER_DATA") or _ROOT.parent / "shared" / "data")
    if not (folder / "wsi").is_dir():
        pytest.skip(f"real image data not found at {folder} (set FOCUSVIEWER_DATA)")
    return folder.resolve()


@pytest.fixture(autouse=True)
def _own_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test its own cache and settings folders, so that none touches the user's."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FOCUSVIEWER_CACHE", str(home / "cache"))
    monkeypatch.setenv("FOCUSVIEWER_CONFIG", str(home / "config"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A random generator that is the same in every run."""
    return np.random.default_rng(12345)
