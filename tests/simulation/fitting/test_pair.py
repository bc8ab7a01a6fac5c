from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.optics.psf import channel_otf
from focusviewer.simulation.fitting.align import align
from focusviewer.simulation.fitting.pair import PairFit, fit_pair, usual_optics
from focusviewer.simulation.fitting.predict import field_of_view
from focusviewer.simulation.fitting.search import fit_plane_transfer
from focusviewer.simulation.fitting.spectra import RadialSpectra, reversal
from focusviewer.simulation.fitting.transfer import PlaneTransfer, WeakObject, disk_transfer, gaussian_transfer

MPP = 0.25


@pytest.fixture(scope="module")
def tissue() -> RGB:
    """Structure at all scales, in colour, with the noise of a camera."""
    rng = np.random.default_rng(3)
    side = 224
    spectrum = np.fft.rfft2(rng.standard_normal((3, side, side)))
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    grain = np.fft.irfft2(spectrum / np.maximum(radius, 0.01) ** 1.0, s=(side, side))
    grain = grain / grain.std(axis=(1, 2), keepdims=True)
    return np.asarray(np.clip(150 + 28 * np.moveaxis(grain, 0, -1), 0, 255), np.uint8)


def _defocused(image: RGB, z_um: float, optics: Optics, noise: float = 0.004) -> RGB:
    light = defocus_image(np.asarray(image / 255, np.float32), z_um, MPP, optics)
    return Camera(noise=noise).capture(light, np.random.default_rng(1))


def _mean_square(fit: PairFit, planes: RGB) -> float:
    return float(np.mean((planes.astype(float) - fit.truth) ** 2))


@pytest.mark.parametrize(("na", "condenser", "refraction"), [(0.3, 1.0, 0.0), (0.75, 1.0, 0.0), (0.6, 0.5, 0.3)])
def test_the_fast_transfer_function_agrees_with_the_exact_one(na: float, condenser: float, refraction: float) -> None:
    frequency = np.linspace(0, (1 + condenser) * na / 0.54, 150)
    fast = WeakObject(na, 1.0, condenser)
    optics = Optics(na=na, condenser=condenser, refraction=refraction)
    for z_um in (0.0, 0.7, 2.5):
        exact = channel_otf(frequency, z_um, optics, 1)
        assert np.abs(fast.at(frequency, z_um, 0.54, refraction) - exact).max() < 0.006


def test_spherical_aberration_bends_the_fast_transfer_function_too() -> None:
    frequency = np.linspace(0, 2.7, 100)
    exact = channel_otf(frequency, 1.5, Optics(spherical_waves=0.3), 1)
    fast = WeakObject(0.75).at(frequency, 1.5, 0.54, spherical=0.3)
    assert np.abs(fast - exact).max() < 0.006
    assert np.abs(fast - WeakObject(0.75).at(frequency, 1.5, 0.54)).max() > 0.05


def test_a_thin_section_transfers_as_the_lens_does_relative_to_focus() -> None:
    frequency = np.linspace(0, 1.0, 50)
    optics = Optics(na=0.6)
    expected = channel_otf(frequency, 2.0, optics, 1) / channel_otf(frequency, 0.0, optics, 1)
    assert PlaneTransfer(2.0, 0.0, optics).at(frequency, 1)[0] == pytest.approx(expected, abs=0.01)


def test_a_thick_section_reverses_contrast_less() -> None:
    frequency = np.linspace(0, 1.0, 200)
    thin, thick = (PlaneTransfer(3.0, thickness, Optics()).at(frequency, 1)[0].min() for thickness in (0.0, 4.0))
    assert thin < -0.04
    assert thick > thin + 0.02


@pytest.mark.parametrize(("z_um", "na"), [(1.5, 0.75), (3.0, 0.6)])
def test_defocus_and_aperture_of_a_simulated_pair_are_found(tissue: RGB, z_um: float, na: float) -> None:
    optics = Optics(na=na, chromatic_shift_um=(0.3, 0.0, -0.4))
    fit = fit_pair(tissue, _defocused(tissue, z_um, optics), MPP)
    found = fit.model.transfer
    assert found.z_um == pytest.approx(z_um, rel=0.1)
    assert found.optics.na == pytest.approx(na, abs=0.06)
    red, green, blue = found.optics.chromatic_shift_um
    assert (red - green, blue - green) == pytest.approx((0.3, -0.4), abs=0.2)
    assert _mean_square(fit, fit.predicted.planes) < 0.8 * _mean_square(fit, fit.gaussian.planes)
    assert _mean_square(fit, fit.predicted.planes) < 0.8 * _mean_square(fit, fit.disk.planes)


def test_the_first_zero_is_measured_and_predicted_where_theory_has_it(tissue: RGB) -> None:
    optics = Optics(na=0.7)
    fit = fit_pair(tissue, _defocused(tissue, 3.5, optics), MPP)
    fine = np.linspace(0, 1, 4000)
    for channel in range(3):
        truth = reversal(fine, channel_otf(fine, 3.5, optics, channel).astype(float)).zero
        assert truth is not None
        assert fit.measured_reversal[channel].zero == pytest.approx(truth, rel=0.05)
        assert fit.predicted_reversal[channel].zero == pytest.approx(truth, rel=0.04)
        assert fit.predicted_reversal[channel].depth < -0.02


def test_noise_is_measured(tissue: RGB) -> None:
    fit = fit_pair(tissue, _defocused(tissue, 3.0, Optics(), noise=0.01), MPP)
    assert fit.noise == pytest.approx(0.01, rel=0.15)


def test_a_gaussian_blur_is_better_told_by_a_gaussian(tissue: RGB) -> None:
    from scipy.ndimage import gaussian_filter

    gray = tissue[..., 1]
    blurred = gaussian_filter(gray.astype(np.float32), 2.0).round().astype(np.uint8)
    fit = fit_pair(gray, blurred, MPP)
    assert fit.sigma_um == pytest.approx(2.0 * MPP, rel=0.03)
    assert _mean_square(fit, fit.gaussian.planes) < _mean_square(fit, fit.predicted.planes)


def test_a_disk_blur_is_better_told_by_a_disk_and_its_zero_is_seen(tissue: RGB) -> None:
    spectrum = np.fft.rfft2(tissue[..., 1].astype(float))
    radius = np.hypot(np.fft.fftfreq(224, MPP)[:, None], np.fft.rfftfreq(224, MPP)[None])
    blurred = np.fft.irfft2(spectrum * disk_transfer(radius, 1.0), s=(224, 224))
    fit = fit_pair(tissue[..., 1], np.clip(blurred.round(), 0, 255).astype(np.uint8), MPP)
    assert fit.radius_um == pytest.approx(1.0, rel=0.03)
    assert _mean_square(fit, fit.disk.planes) < _mean_square(fit, fit.gaussian.planes)
    assert fit.measured_reversal[0].zero == pytest.approx(0.61, rel=0.03)


def test_gain_offset_and_a_shift_of_less_than_a_pixel_are_taken_out(tissue: RGB) -> None:
    from scipy.ndimage import shift

    blurred = _defocused(tissue, 2.0, Optics(), noise=0.002)
    moved = shift(blurred.astype(np.float32), (2.4, -1.3, 0), mode="mirror")
    fit = fit_pair(tissue, np.clip(0.7 * moved + 40, 0, 255).astype(np.uint8), MPP)
    assert fit.alignment.shift_px == pytest.approx(np.tile([2.4, -1.3], (3, 1)), abs=0.1)
    assert fit.model.gain == pytest.approx(0.7, abs=0.03)
    assert _mean_square(fit, fit.predicted.planes) < 3.0


def test_a_change_of_scale_is_found() -> None:
    from scipy.ndimage import affine_transform, gaussian_filter

    grain = gaussian_filter(np.random.default_rng(0).standard_normal((640, 640)), 2.0) * 200
    middle = np.array([319.5, 319.5])
    grown = affine_transform(grain, np.eye(2) / 1.004, middle - middle / 1.004, order=3, mode="mirror")
    found = align(grain[None, ..., None].astype(np.float32), grown[None, ..., None].astype(np.float32))
    assert found.scale == pytest.approx(1.004, abs=3e-4)
    assert found.rotation_rad == pytest.approx(0.0, abs=3e-4)


def test_gray_planes_and_several_fields_of_one_pair_are_fitted_together(tissue: RGB) -> None:
    gray = tissue[..., 1]
    fields = np.stack([gray[:112, :112], gray[112:, 112:], gray[:112, 112:]])[..., None]
    blurred = np.stack([_defocused(np.repeat(f, 3, axis=2), 2.0, Optics(), 0.002)[..., 1:2] for f in fields])
    fit = fit_pair(fields, blurred, MPP)
    assert fit.predicted.planes.shape == fit.truth.shape == (3, 96, 96, 1)
    assert fit.model.transfer.z_um == pytest.approx(2.0, rel=0.15)


def test_a_stated_aperture_is_kept(tissue: RGB) -> None:
    blurred = _defocused(tissue, 2.0, Optics(na=0.6))[..., 1]
    fit = fit_pair(tissue[..., 1], blurred, MPP, replace(usual_optics(MPP), na=0.6), free_na=False)
    assert fit.model.transfer.optics.na == 0.6
    assert fit.model.transfer.z_um == pytest.approx(2.0, rel=0.06)


def test_only_the_round_field_of_view_counts() -> None:
    y, x = np.mgrid[:96, :96]
    inside = np.hypot(y - 48, x - 48) < 42
    picture = np.where(inside, 120, 0).astype(np.uint8)[None, ..., None]
    found = field_of_view(picture, picture)
    assert found is not None
    assert found[48, 48]
    assert not found[0, 0]
    assert not (found & ~inside).any()
    assert field_of_view(np.full_like(picture, 90), picture) is None


def test_a_lobe_within_the_noise_is_no_contrast_reversal() -> None:
    frequency = np.linspace(0, 1, 101)
    transfer = disk_transfer(frequency, 1.2)
    sure = reversal(frequency, transfer, np.full(101, 0.01))
    assert sure.zero == pytest.approx(0.508, abs=0.01)
    assert sure.depth == pytest.approx(-0.13, abs=0.01)
    assert reversal(frequency, transfer, np.full(101, 0.5)).zero is None
    assert reversal(frequency, gaussian_transfer(frequency, 0.5)).zero is None


def test_the_search_explains_partly_coherent_light() -> None:
    frequency = np.linspace(0.01, 2.0, 80)
    power = np.ones((1, 80)) / (0.05 + frequency)
    transfer = PlaneTransfer(1.5, 0.0, Optics(na=0.7, condenser=0.5, refraction=-0.3)).at(frequency, 1)
    blurred = power * (transfer**2 + 1e-3)
    spectra = RadialSpectra(frequency, np.full(80, 400.0), power, blurred, power * transfer, gain=1.0)
    found, ideal = fit_plane_transfer(spectra, Optics(na=0.75))[:2]
    assert ideal.transfer.optics.condenser == 1.0
    assert found.deviation < 0.05 * ideal.deviation
    assert found.transfer.optics.condenser < 0.8


def test_planes_of_other_tissue_sizes_or_colours_are_refused(tissue: RGB) -> None:
    other = np.ascontiguousarray(np.random.default_rng(9).permutation(tissue.reshape(-1, 3)).reshape(tissue.shape))
    with pytest.raises(UserError, match="same tissue"):
        fit_pair(tissue, other, MPP)
    with pytest.raises(UserError, match="224 x 224, the other 200 x 224"):
        fit_pair(tissue, tissue[:, :200], MPP)
    with pytest.raises(UserError, match="gray"):
        fit_pair(tissue, tissue[..., :1], MPP)
    with pytest.raises(UserError, match="empty"):
        fit_pair(tissue, np.full_like(tissue, 200), MPP)
    with pytest.raises(UserError, match="too small"):
        fit_pair(tissue[:40, :40], tissue[:40, :40], MPP)
