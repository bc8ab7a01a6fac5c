from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus.base import FocusModel
from focusviewer.focus.knowledge.gpc import GlobalPhaseCoherence, sharpness_index
from focusviewer.focus.knowledge.kernels import generalised_gaussian, inverse_kernel, maxpol, response
from focusviewer.focus.knowledge.lpc import LocalPhaseCoherence
from focusviewer.focus.knowledge.maxpol_models import (
    FQPath,
    HVSMaxPol,
    SyntheticMaxPol,
    log_moment,
    scanner_blur,
    scanner_kernel,
    visual_kernel,
)
from focusviewer.focus.knowledge.sparish import Sparish
from focusviewer.focus.knowledge.sparse import decode, omp
from tests.focus.doubles import blur, tissue_picture

_MAKERS = {
    "hvs-maxpol-1": lambda: HVSMaxPol(1),
    "hvs-maxpol-2": lambda: HVSMaxPol(2),
    "synthetic-maxpol": SyntheticMaxPol,
    "fqpath": FQPath,
    "lpc": LocalPhaseCoherence,
    "gpc": GlobalPhaseCoherence,
}


@pytest.fixture(scope="module", params=_MAKERS)
def known(request: pytest.FixtureRequest) -> FocusModel:
    return _MAKERS[request.param]()


@pytest.fixture(scope="module")
def field() -> RGB:
    return tissue_picture(400, 400, seed=4)


def test_scores_rise_steadily_with_blur(known: FocusModel, field: RGB) -> None:
    scores = [known.score(blur(field, sigma)) for sigma in (0.3, 1.0, 2.0)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


def test_empty_and_extreme_windows_give_finite_scores(known: FocusModel) -> None:
    for value in (0, 128, 255):
        assert np.isfinite(known.score(np.full((240, 240, 3), value, np.uint8)))


@pytest.mark.parametrize(("order", "flat"), [(1, 16), (2, 10), (3, 16), (4, 12), (6, 16)])
def test_maxpol_kernels_differentiate_polynomials_exactly_and_stop_the_highest_frequency(order: int, flat: int) -> None:
    taps = maxpol(order, 16, flat)
    place = np.arange(-16.0, 17.0) / 8  # scaled, to keep the numbers small
    for power in range(9):
        coefficients = np.zeros(power + 1)
        coefficients[power] = 1
        slope = np.polynomial.polynomial.polyder(coefficients, order) / 8.0**order
        wanted = np.polynomial.polynomial.polyval(0.0, slope)
        assert np.convolve(place**power, taps, "valid")[0] == pytest.approx(wanted, abs=1e-7)
    assert abs(response(taps, np.array([np.pi]))[0]) < 1e-9


def test_spending_equations_at_the_highest_frequency_lowers_the_cut_off() -> None:
    frequency = np.linspace(0, np.pi, 200)
    passed = [np.abs(response(maxpol(2, 16, flat), frequency)).sum() for flat in (4, 10, 20)]
    assert passed[0] > passed[1] > passed[2]


def test_inverse_kernels_follow_the_inverse_and_leave_flat_parts_alone() -> None:
    blurred = generalised_gaussian(1.2, 2.0)
    taps = inverse_kernel(lambda w: response(blurred, w).real, 1.2, terms=3, half=16, flat=10)
    frequency = np.linspace(0, 0.9, 10)
    wanted = 1 / response(blurred, frequency).real - 1
    np.testing.assert_allclose(response(taps, frequency).real, wanted, atol=0.02)
    for kernel in (taps, visual_kernel(0), visual_kernel(1), scanner_kernel()):
        assert abs(kernel.sum()) < 1e-9
        np.testing.assert_allclose(kernel, kernel[::-1])


def test_the_scanners_blur_is_wider_than_a_pixel_and_narrower_than_five() -> None:
    scale, shape = scanner_blur()
    assert 0.5 < scale < 5 and 0.5 < shape < 3


def test_high_moments_do_not_leave_the_range_of_numbers(rng: np.random.Generator) -> None:
    values = rng.random(1000).astype(np.float32) * 1e-5
    direct = np.mean(((values.astype(float) - values.mean(dtype=float)) * 1e5) ** 72)
    assert log_moment(values, 72) == pytest.approx(72 * 5 - np.log10(direct), rel=1e-6)


def test_the_sharpness_index_falls_when_phases_are_lost(field: RGB, rng: np.random.Generator) -> None:
    gray = field[:235, :235].mean(axis=2).astype(np.float32)
    noise = np.angle(np.fft.rfft2(rng.standard_normal(gray.shape)))
    scrambled = np.fft.irfft2(np.abs(np.fft.rfft2(gray)) * np.exp(1j * noise), gray.shape).astype(np.float32)
    assert sharpness_index(gray) > 10 * sharpness_index(scrambled)
    assert sharpness_index(np.full((235, 235), 7, np.float32)) == 0


def test_the_sharpness_index_counts_random_images_as_often_as_it_says(rng: np.random.Generator) -> None:
    """Of white noise the index is the logarithm of a probability: a tenth of the images reach 1."""
    values = [sharpness_index(rng.normal(128, 20, (235, 235)).astype(np.float32)) for _ in range(60)]
    assert 0.1 < np.median(values) < 0.6  # log10(2) = 0.3
    assert max(values) < 4


def test_matching_pursuit_finds_the_atoms_a_signal_is_made_of(rng: np.random.Generator) -> None:
    dictionary = np.linalg.qr(rng.standard_normal((64, 64)))[0].astype(np.float32)
    chosen = np.stack([rng.permutation(64)[:3] for _ in range(50)])
    weights = rng.uniform(1, 2, (50, 3)).astype(np.float32)
    signals = decode(chosen, weights, dictionary)
    found, amounts = omp(signals, dictionary, 3)
    np.testing.assert_array_equal(np.sort(found), np.sort(chosen))
    np.testing.assert_allclose(decode(found, amounts, dictionary), signals, atol=1e-4)


def test_more_atoms_never_explain_less(rng: np.random.Generator) -> None:
    dictionary = rng.standard_normal((16, 40)).astype(np.float32)
    dictionary /= np.linalg.norm(dictionary, axis=0)
    signals = rng.standard_normal((30, 16)).astype(np.float32)
    left = [np.square(signals - decode(*omp(signals, dictionary, n), dictionary)).sum() for n in (1, 2, 4, 8)]
    assert left == sorted(left, reverse=True)


def test_a_broken_dictionary_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sparish.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="dictionary of sparish"):
        Sparish(path)
