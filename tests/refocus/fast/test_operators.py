from __future__ import annotations

import numpy as np
import pytest

from focusviewer.refocus.fast.operators import (
    HYPOTHESES,
    NOISE_RATIOS,
    RESIDUAL_STEP_UM,
    SCANNER,
    operator,
    operator_bank,
    relative_transfer,
    scarcity,
)

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
def test_the_basis_spans_the_operators_where_blurred_tissue_has_energy(mpp: float) -> None:
    bank = operator_bank(mpp)
    errors = []
    for index, guess in enumerate(HYPOTHESES):
        blurred = relative_transfer(bank.frequency, guess.blur_um, SCANNER)
        energy = bank.frequency * (blurred**2 + guess.noise_ratio * scarcity(bank.frequency)) / scarcity(bank.frequency)
        for residual in (0.0, 1.0, 2.0, 5.0):
            exact = operator(bank.frequency, guess.blur_um, residual, guess.noise_ratio)
            row = bank.coefficients[index, round(residual / RESIDUAL_STEP_UM)]
            square = np.square(1 + np.tensordot(row, bank.basis, 1) - exact)
            errors.append(float((square * energy).sum() / energy.sum()))
    assert np.sqrt(np.mean(errors)) < 0.05


def test_staying_is_exact_in_the_basis() -> None:
    bank = operator_bank(0.25)
    for index, guess in enumerate(HYPOTHESES):
        assert not np.any(bank.mix(index, guess.blur_um))


@pytest.mark.parametrize("blur_um", [1.5, 3.0])
def test_noise_is_amplified_less_where_more_is_expected(blur_um: float) -> None:
    gains = [np.square(operator(FREQUENCY, blur_um, 0.0, ratio)).sum() for ratio in NOISE_RATIOS]
    assert gains[0] > 2 * gains[1] > 4 * gains[2]


def test_every_quarter_micron_has_its_hypotheses() -> None:
    blurs = sorted({guess.blur_um for guess in HYPOTHESES})
    assert np.allclose(np.diff(blurs[1:]), RESIDUAL_STEP_UM)
    assert len(HYPOTHESES) == 1 + len(NOISE_RATIOS) * (len(blurs) - 1)
