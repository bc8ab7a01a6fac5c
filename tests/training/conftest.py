from __future__ import annotations

import numpy as np
import pytest

from focusviewer.training.data import simulator


@pytest.fixture(scope="session")
def bank() -> np.ndarray:
    """The simulator's table, made once for all tests."""
    return simulator._build_bank()


@pytest.fixture
def _fast_bank(bank: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "transfer_bank", lambda: bank)
