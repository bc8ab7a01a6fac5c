from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.focus.networks.focuslitenn import FocusLiteNN, FocusLiteNNModule, save_weights
from tests.focus.doubles import MemorySlide, tissue_picture


@pytest.fixture(scope="session")
def picture() -> RGB:
    return tissue_picture(1100, 900)


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FocusLiteNN weights whose score falls with contrast: trained ones are not needed to test the arithmetic."""
    import torch

    torch.manual_seed(7)
    modules = {}
    for mpp in (0.25, 0.5):
        module = FocusLiteNNModule(4)
        with torch.no_grad():
            module.conv.weight -= module.conv.weight.mean(dim=(2, 3), keepdim=True)
            module.conv.bias.zero_()
            module.head.weight[:] = torch.tensor([-2.0] * 4 + [2.0] * 4) * mpp
            module.head.bias.fill_(12.0)
        modules[mpp] = module
    path = tmp_path_factory.mktemp("weights") / "focuslitenn-test.safetensors"
    save_weights(path, modules)
    return path


@pytest.fixture(scope="session")
def model(weights: Path) -> FocusLiteNN:
    return FocusLiteNN("focuslitenn-test", weights)


@pytest.fixture
def slide(picture: RGB) -> MemorySlide:
    return MemorySlide(picture, mpp=0.25)


@pytest.fixture
def cancel() -> threading.Event:
    return threading.Event()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)
