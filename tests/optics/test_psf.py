from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy.ndimage import gaussian_filter

from focusviewer.optics import Camera, Optics, Section, defocus_image, image_section, otf, psf
from focusviewer.optics.psf import radial_otf


def analytic_in_focus(frequency: np.ndarray, na: float, wavelength: float) -> np.ndarray:
    """The textbook transfer function of a circular pupil in focus."""
    s = np.clip(frequency * wavelength / (2 * na), 0, 1)
    return 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2))


def test_the_transfer_function_in_focus_is_the_textbook_one() -> None:
    frequency = np.linspace(0, 3, 40)
    assert np.allclose(radial_otf(frequency, 0.0, 0.7, 0.54), analytic_in_focus(frequency, 0.7, 0.54), atol=0.003)


@pytest.mark.parametrize("z_um", [1.0, 2.5])
def test_the_quadrature_agrees_with_a_fourier_transform_of_the_pupil(z_um: float) -> None:
    size, step, na, wavelength = 512, 0.1, 0.75, 0.54
    frequency = np.fft.fftfreq(size, step)
    squared = (frequency[:, None] ** 2 + frequency[None] ** 2) * wavelength**2
    phase = 2 * np.pi * z_um * np.sqrt(np.maximum(1 - squared, 0)) / wavelength
    pupil = (squared <= na**2) * np.exp(1j * phase)
    transfer = np.fft.fft2(np.abs(np.fft.ifft2(pupil)) ** 2).real
    transfer /= transfer[0, 0]
    assert np.allclose(transfer[0, :140], radial_otf(frequency[:140], z_um, na, wavelength), atol=0.01)


def test_defocus_reverses_contrast_somewhere() -> None:
    assert radial_otf(np.linspace(0, 2, 200), 3.0, 0.7, 0.54).min() < -0.01


def test_the_point_spread_function_sums_to_one_and_widens() -> None:
    near, far = psf(65, 0.25, 0.0), psf(65, 0.25, 3.0)
    assert np.allclose(near.sum(axis=(0, 1)), 1, atol=1e-4)
    assert near[32, 32].min() > 4 * far[32, 32].max()


def test_the_transfer_function_fits_an_rfft(rng: np.random.Generator) -> None:
    image = rng.random((30, 47)).astype(np.float32)
    transfer = otf((30, 47), 0.25, 1.0)
    blurred = scipy.fft.irfft2(scipy.fft.rfft2(image) * transfer[1], s=image.shape)
    assert blurred.mean() == pytest.approx(image.mean(), rel=1e-4)
    assert blurred.std() < 0.5 * image.std()


@pytest.mark.parametrize("domain", ["intensity", "density"])
def test_more_defocus_blurs_more_and_keeps_glass_white(domain: str) -> None:
    image = np.ones((64, 64, 3), np.float32)
    image[24:40, 24:40] = 0.3
    spread = [float(np.abs(np.diff(defocus_image(image, z, 0.25, domain=domain), axis=0)).max()) for z in (0, 1, 2, 4)]  # type: ignore[arg-type]
    assert spread == sorted(spread, reverse=True)
    assert defocus_image(np.ones((40, 40, 3), np.float32), 3.0, 0.25, domain=domain).min() > 0.999  # type: ignore[arg-type]


def test_defocus_in_focus_changes_nothing(rng: np.random.Generator) -> None:
    # What a lens can pass, that is: beyond its cut-off an image holds nothing but noise.
    image = gaussian_filter(rng.random((48, 50, 3)), (1.5, 1.5, 0)).astype(np.float32)
    assert np.allclose(defocus_image(image, 0.0, 0.25), image, atol=0.002)


def test_a_thick_section_shows_each_slab_sharpest_at_its_own_depth() -> None:
    density = np.zeros((2, 64, 64, 3), np.float32)
    density[0, 16:20, 16:20] = 1.0
    density[1, 44:48, 44:48] = 1.0
    section = Section(density, np.array([0.0, 4.0], np.float32), 0.25)
    low, high = image_section(section, 0.0, Optics()), image_section(section, 4.0, Optics())
    assert low[18, 18].mean() < high[18, 18].mean()
    assert high[46, 46].mean() < low[46, 46].mean()


def test_the_camera_is_reproducible_and_noisy_as_told() -> None:
    light = np.full((200, 200, 3), 0.5, np.float32)
    shots = [Camera(noise=0.02).capture(light, np.random.default_rng(7)) for _ in range(2)]
    assert np.array_equal(shots[0], shots[1])
    assert shots[0].std() == pytest.approx(0.02 * 255, rel=0.1)


def test_a_spot_far_out_of_focus_grows_in_proportion() -> None:
    def half_light_um(z_um: float) -> float:
        spot = psf(640, 0.5, z_um)[..., 1]
        y, x = np.mgrid[:640, :640] - 320
        radius = np.hypot(y, x).ravel() * 0.5
        order = np.argsort(radius)
        return float(radius[order][np.searchsorted(np.cumsum(spot.ravel()[order]), 0.5)])

    # Rays decide here, and they spread as a cone.
    assert half_light_um(50.0) == pytest.approx(2.5 * half_light_um(20.0), rel=0.03)
