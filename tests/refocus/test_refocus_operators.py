from __future__ import annotations

import numpy as np
import pytest

from focusviewer.refocus.operators import HYPOTHESES, RESIDUAL_STEP_UM, operator, operator_bank

FREQUENCY = np.linspace(0, 2, 100, dtype=np.float32)


@pytest.mark.parametrize("blur_um", [0.0, 1.0, 3.0])
def test_going_nowhere_changes_nothing(blur_um: float) -> None:
    assert np.allclose(operator(FREQUENCY, blur_um, blur_um, 0.005), 1.0, atol=1e-5)


@pytest.mark.parametrize("residual_um", [0.0, 1.0, 4.0, 6.0])
def test_brightness_is_kept(residual_um: float) -> None:
    assert np.allclose(operator(FREQUENCY, 2.0, residual_um, 0.05)[:, 0], 1.0, atol=1e-3)


def test_sharpening_amplifies_and_blurring_damps() -> None:
    assert operator(FREQUENCY, 1.0, 0.0, 0.005).max() > 2
    assert np.abs(operator(FREQUENCY, 0.0, 2.0, 0.005)[:, 20:]).max() < 0.6


def test_what_the_lens_did_not_pass_is_left_alone() -> None:
    beyond = np.full(1, 3.5, np.float32)  # cycles per um, past the cut-off of every colour
    assert np.allclose(operator(beyond, 2.0, 0.0, 0.05), 1.0)


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_the_basis_spans_the_operators(mpp: float) -> None:
    bank = operator_bank(mpp)
    errors = []
    for index, guess in enumerate(HYPOTHESES):
        for residual in (0.0, 1.0, 2.0, 5.0):
            exact = operator(bank.frequency, guess.blur_um, residual, guess.noise_ratio)
            row = bank.coefficients[index, round(residual / RESIDUAL_STEP_UM)]
            errors.append(np.abs(1 + np.tensordot(row, bank.basis, 1) - exact).mean())
    assert np.mean(errors) < 0.05


def test_staying_is_exact_in_the_basis() -> None:
    bank = operator_bank(0.25)
    for index, guess in enumerate(HYPOTHESES):
        assert not np.any(bank.mix(index, guess.blur_um))
