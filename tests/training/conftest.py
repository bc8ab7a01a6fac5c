from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from focusviewer.training import simulator


@pytest.fixture(scope="session")
def bank() -> np.ndarray:
    """The simulator's table, made once for all tests."""
    return simulator._build_bank()


@pytest.fixture
def _fast_bank(bank: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "transfer_bank", lambda: bank)


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """A data folder with seven small sharp images in the published layout."""
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
