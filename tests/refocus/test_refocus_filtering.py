"""Images through the basis filters."""

from __future__ import annotations

import numpy as np

from focusviewer.refocus.filtering import filter_image, filter_layers
from focusviewer.refocus.operators import operator_bank


def test_layers_are_the_filtered_image_in_half_the_memory(rng: np.random.Generator) -> None:
    image = rng.random((3, 40, 56), dtype=np.float32)
    whole = filter_image(image, operator_bank(0.25), 16)
    layers, gray = filter_layers(image, operator_bank(0.25), 16)
    np.testing.assert_array_equal(layers, whole.astype(np.float16))
    np.testing.assert_allclose(gray, whole.mean(axis=1), atol=1e-6)
    assert np.abs(whole).max() > 0.01
