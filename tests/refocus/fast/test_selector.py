from __future__ import annotations

import numpy as np
import pytest
import torch

from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.fast.filtering import filter_image
from focusviewer.refocus.fast.operators import HYPOTHESES, operator_bank
from focusviewer.refocus.fast.selector import (
    CELL,
    FEATURES,
    RINGS,
    SPECTRUM,
    STRIDE,
    Selector,
    _mixed_power,
    features,
    shrinking,
    spectra,
)


def noise_image(height: int = 128, width: int = 128, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 0.9, (height, width, 3)).astype(np.float32)


def batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))[None].float()


@pytest.mark.parametrize("mpp", [0.25, 0.5])
@pytest.mark.parametrize("size", [(128, 96), (36, 200), (8, 12)])
def test_features_spectra_and_logits_fit_every_view(mpp: float, size: tuple[int, int]) -> None:
    image = batch(noise_image(*size))
    bank = operator_bank(mpp)
    cells = features(image, torch.from_numpy(filter_image(image[0].numpy(), bank, 48).mean(1))[None], bank)
    windows = spectra(image, mpp)
    assert cells.shape == (1, FEATURES, size[0] // CELL, size[1] // CELL)
    assert windows.shape[1] == SPECTRUM
    assert windows.shape[2] * STRIDE * shrinking(mpp) >= size[0]
    logits = Selector(8)(cells, windows)
    assert logits.shape == (1, len(HYPOTHESES), size[0] // CELL, size[1] // CELL)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("size", [(8, 12), (100, 36)])
def test_power_of_mixtures_is_that_of_whole_images(rng: np.random.Generator, size: tuple[int, int]) -> None:
    filtered = torch.from_numpy(rng.normal(size=(2, 5, *size)).astype(np.float32))
    mixing = torch.from_numpy(rng.normal(size=(3, 5)).astype(np.float32))
    squares = torch.einsum("kj,bjhw->bkhw", mixing, filtered).square()
    assert torch.allclose(_mixed_power(filtered, mixing), torch.nn.functional.avg_pool2d(squares, CELL), rtol=1e-4)


def test_spectra_show_how_soon_the_lens_loses_detail() -> None:
    light = np.clip(0.6 + 0.15 * np.random.default_rng(1).standard_normal((160, 160, 1)), 0, 1).astype(np.float32)
    light = light.repeat(3, axis=2)

    def rings(z_um: float) -> torch.Tensor:
        seen = defocus_image(light, z_um, 0.25, Optics(na=0.7)) if z_um else light
        found = spectra(batch(seen), 0.25)[0].mean((1, 2))
        return found[:RINGS] + (found[RINGS] - 2) / 0.3  # undo the taking away of the mean

    sharp = rings(0.0)
    lost = [int(((sharp - rings(z)) > 2).nonzero()[0]) for z in (1.5, 3.0, 4.0)]
    assert lost[0] > lost[1] > lost[2] > 0


def test_brightness_and_contrast_leave_the_shape_of_spectra() -> None:
    image = noise_image()
    first, second = (spectra(batch(i), 0.25)[0, :RINGS] for i in (image, 0.2 + 0.6 * image))
    assert torch.allclose(first, second, atol=0.02)
