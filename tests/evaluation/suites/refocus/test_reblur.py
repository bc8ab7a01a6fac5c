from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.evaluation.suites.refocus.reblur import reblur_consistency
from focusviewer.optics import defocus_image
from focusviewer.refocus.fast.operators import SCANNER


@pytest.fixture
def texture(rng: np.random.Generator) -> np.ndarray:
    """A grainy colour image whose left half is nearly flat: uint8 (200, 224, 3)."""
    grain = gaussian_filter(rng.standard_normal((200, 224, 3)), (1, 1, 0))
    grain[:, :112] *= 0.02
    return np.clip(150 + 140 * grain, 0, 255).astype(np.uint8)


def test_reblur_consistency_finds_invented_detail(texture: np.ndarray, rng: np.random.Generator) -> None:
    scan = (defocus_image(texture.astype(np.float32) / 255, 1.0, 0.25, SCANNER) * 255 + 0.5).astype(np.uint8)
    invented = np.clip(texture + gaussian_filter(rng.normal(0, 60, texture.shape), (2, 2, 0)), 0, 255).astype(np.uint8)
    true = reblur_consistency(texture, scan, 1.0, 0.25)
    assert true > 50
    assert reblur_consistency(invented, scan, 1.0, 0.25) < true - 10
    assert reblur_consistency(texture, texture, 0.0, 0.25) > 100
    by_map = reblur_consistency(texture, scan, np.full(texture.shape[:2], 1.0), 0.25)
    assert by_map == pytest.approx(true, abs=0.5)
