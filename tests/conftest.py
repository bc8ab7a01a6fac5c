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


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """A data folder with seven small sharp images in the published layout."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    folder = tmp_path / "data" / "patches" / "bbbc038"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for index in range(7):
        density = gaussian_filter(rng.standard_normal((256, 320)), 0.8) + gaussian_filter(
            rng.standard_normal((256, 320)), 4
        )
        image = 10 ** -(np.clip(density / density.std() * 0.3 + 0.4, 0, 1.2)[..., None] * [0.6, 0.9, 0.3])
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / f"c_{index:02d}.png")
    return tmp_path / "data"
