"""Tissue taken to lie at one distance: the filter turns smoothly, and the fast engine's layers span it."""

from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.metrics import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus import get_engine
from focusviewer.refocus.fast import engine as engine_module
from focusviewer.refocus.fast import filtering, selector
from focusviewer.refocus.fast.assumed import AssumedDistance, assumed_transfer, knob_regularisation
from focusviewer.refocus.fast.operators import operator_bank

MPP = 0.25
FREQUENCY = np.linspace(0, 2, 200, dtype=np.float32)


@pytest.fixture(scope="module")
def tissue() -> RGB:
    """A texture with the spectrum of tissue: power falls with the third power of frequency."""
    rng = np.random.default_rng(5)
    f = np.hypot(np.fft.fftfreq(192)[:, None], np.fft.fftfreq(192)[None])
    gray = np.fft.ifft2(np.fft.fft2(rng.standard_normal((192, 192))) / np.maximum(f, 0.01) ** 1.5).real
    gray = 140 + 35 * (gray - gray.mean()) / gray.std()
    return np.asarray(np.clip(gray[..., None] * [1.0, 0.8, 1.05], 0, 255) + 0.5, dtype=np.uint8)


def blurred(image: RGB, z_um: float) -> RGB:
    rng = np.random.default_rng(6)
    light = defocus_image(image.astype(np.float32) / 255, z_um, MPP, Optics(na=0.7))
    light = light + 0.002 * rng.standard_normal(light.shape)
    return np.asarray(np.clip(light * 255, 0, 255) + 0.5, dtype=np.uint8)


def test_the_filter_begins_with_the_scan_and_turns_without_a_jump() -> None:
    distances = np.arange(0, 4.01, 0.05)
    filters = np.stack([assumed_transfer(FREQUENCY, float(distance), 0.0) for distance in distances])
    assert np.abs(filters[0] - 1).max() < 1e-6
    assert np.abs(filters[1] - 1).max() < 0.2
    assert np.abs(np.diff(filters, axis=0)).max() < 0.5
    assert np.abs(assumed_transfer(FREQUENCY, 0.0, 2.0)).max() <= 1  # blurs only
    n = [knob_regularisation(float(distance)) for distance in distances]
    assert n[0] == 0 and (np.diff(n) >= 0).all() and n[-1] == pytest.approx(1)


@pytest.mark.parametrize(("depth_um", "target_um"), [(0.5, 0.0), (1.3, 0.0), (2.0, 0.0), (3.9, 0.0), (0.0, 2.0)])
def test_the_basis_of_the_bank_comes_close_to_the_filter(depth_um: float, target_um: float) -> None:
    bank = operator_bank(MPP)
    residual = abs(depth_um - target_um) if depth_um == 0 else 0.0
    said = AssumedDistance(depth_um, (2, 3))
    mixing = said.coefficients(0.0, np.full((2, 3), depth_um if residual == 0 else target_um, np.float32), bank)
    assert mixing.shape == (bank.basis.shape[0], 2, 3)
    made = 1 + np.tensordot(mixing[:, 0, 0], bank.basis, 1)
    wanted = assumed_transfer(bank.frequency, depth_um, residual)
    seen = bank.frequency < 0.8  # where tissue has most of its light and shade
    assert np.sqrt(np.mean((made - wanted)[:, seen] ** 2)) < 0.1 * np.abs(wanted[:, seen]).max()


def test_a_target_map_is_mixed_from_the_same_filters() -> None:
    bank, said = operator_bank(MPP), AssumedDistance(2.0, (1, 2))
    both = said.coefficients(0.0, np.array([[2.0, 1.0]], np.float32), bank)
    for column, target in enumerate((2.0, 1.0)):
        alone = said.coefficients(0.0, np.full((1, 2), target, np.float32), bank)
        np.testing.assert_allclose(both[:, 0, column], alone[:, 0, column], atol=1e-5)


def test_turning_the_distance_filters_and_looks_at_the_view_only_once(
    tissue: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = get_engine("fast")
    encoded = engine.encode([blurred(tissue, 2.0)], MPP)

    def again(*given: object) -> None:
        raise AssertionError("the view was worked on again")

    for module, name in ((filtering, "filter_layers"), (selector, "spectra"), (engine_module, "refraction")):
        monkeypatch.setattr(module, name, again)
    made = [engine.render(engine.assume(encoded, z), z) for z in (1.0, 2.0, 3.0)]
    assert not np.array_equal(made[0], made[1]) and not np.array_equal(made[1], made[2])


def test_the_right_distance_is_best_and_too_far_is_overdone(tissue: RGB) -> None:
    scan = blurred(tissue, 2.0)
    for name in ("fast", "wiener"):
        engine = get_engine(name)
        encoded = engine.encode([scan], MPP)
        found = {z: psnr(engine.render(engine.assume(encoded, z), z), tissue) for z in (1.0, 2.0, 4.0)}
        assert found[2.0] > psnr(scan, tissue) + 0.5
        assert found[2.0] > found[1.0] and found[2.0] > found[4.0] + 0.5


def test_the_bounds_of_the_belief_hold_the_tissue(tissue: RGB) -> None:
    encoded = get_engine("fast").encode([blurred(tissue, 2.0)], MPP)
    assert encoded.likely_um is not None
    low, high = encoded.likely_um
    assert 0 <= low <= encoded.best_z_um + 0.25 and encoded.best_z_um - 0.25 <= high <= 5
