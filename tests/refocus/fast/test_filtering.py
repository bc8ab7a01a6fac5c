"""Images through the basis filters."""

from __future__ import annotations

import numpy as np
import pytest

from focusviewer.optics.psf import frequency_grid
from focusviewer.refocus.fast.filtering import _filters, _multiply, filter_image, filter_layers
from focusviewer.refocus.fast.operators import operator_bank


def test_layers_are_the_filtered_image_in_half_the_memory(rng: np.random.Generator) -> None:
    image = rng.random((3, 40, 56), dtype=np.float32)
    whole = filter_image(image, operator_bank(0.25), 16)
    layers, gray = filter_layers(image, operator_bank(0.25), 16)
    np.testing.assert_array_equal(layers, whole.astype(np.float16))
    np.testing.assert_allclose(gray, whole.mean(axis=1), atol=1e-6)
    assert np.abs(whole).max() > 0.01


@pytest.mark.parametrize("size", [(40, 56), (29, 37), (48, 31)])
def test_basis_filters_are_those_of_the_bank(rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Above the middle row, where the numbers are mirrored, as below it; for even and odd sides."""
    bank = operator_bank(0.25)
    whole = np.fft.rfft2(rng.normal(size=size)).astype(np.complex64)
    product = np.empty_like(whole)
    _multiply(whole, _filters(0.25, size)[7, 1], product)
    table = np.interp(frequency_grid(size, 0.25), bank.frequency, bank.basis[7, 1])
    np.testing.assert_allclose(product, whole * table, atol=1e-4)
