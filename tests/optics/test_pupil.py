from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import j0, j1, jv

from focusviewer.optics import Optics, psf
from focusviewer.optics.psf import channel_otf, otf, radial_otf
from focusviewer.optics.pupil import Mount, Pupil, aberration
from focusviewer.optics.transfer import cutoff, transfer_table

FREQUENCY = np.linspace(0, 3, 60)
WATERY = Mount(section_index=1.36)


def green(optics: Optics, z_um: float = 0.0, depth_um: float = 0.0) -> np.ndarray:
    return channel_otf(FREQUENCY, z_um, optics, 1, depth_um)


@pytest.mark.parametrize("z_um", [0.0, 1.0, -2.5])
def test_matched_indices_give_the_plain_scalar_transfer_function(z_um: float) -> None:
    matched = Optics(na=0.7, mount=Mount(coverslip_um=160, design_coverslip_um=160, section_index=1.0))
    plain = radial_otf(FREQUENCY, z_um, 0.7, 0.54)
    np.testing.assert_allclose(green(matched, z_um, depth_um=20.0), plain, atol=2e-3)


def test_an_immersion_that_is_off_its_design_aberrates() -> None:
    oil = Optics(na=1.3, refractive_index=1.515)
    bent = replace(oil, mount=Mount(section_index=1.515, design_immersion_index=1.525, working_distance_um=200))
    right = replace(oil, mount=Mount(section_index=1.515, design_immersion_index=1.515, working_distance_um=200))
    np.testing.assert_allclose(green(right), green(oil), atol=2e-3)
    assert green(bent).sum() < 0.97 * green(oil).sum()


def test_a_coverslip_that_is_too_thick_aberrates_as_the_textbook_says() -> None:
    # Primary spherical aberration of a plate: W040 = t (n^2 - 1) NA^4 / (8 n^3), here at a small aperture.
    na, thicker_um, index = 0.1, 10.0, 1.523
    mount = Mount(coverslip_um=170 + thicker_um, coverslip_index=index, design_coverslip_index=index)
    shift, path = aberration(mount, 0.0, na, 1.0)
    rho2 = np.linspace(0, 1, 200)
    bent = sum(c * rho2**power for power, c in enumerate(path)) - shift * np.sqrt(1 - na**2 * rho2)
    quadratic = np.polyfit(rho2, bent, 2)
    assert quadratic[0] == pytest.approx(thicker_um * (index**2 - 1) * na**4 / (8 * index**3), rel=0.02)


def test_best_focus_moves_with_depth_as_refraction_says() -> None:
    # Tissue at depth d seems to lie at d n_immersion / n_section for small apertures.
    shift, _ = aberration(Mount(section_index=1.5), 12.0, 0.1, 1.0)
    assert shift == pytest.approx(12.0 / 1.5, rel=0.01)


def test_spherical_aberration_grows_with_depth_and_z_stays_best_focus() -> None:
    optics = Optics(na=0.75, mount=WATERY)
    area = [green(optics, 0.0, depth).clip(0).sum() for depth in (0, 15, 30, 60)]
    assert area == sorted(area, reverse=True)
    assert area[-1] < 0.85 * area[0]
    around = [green(optics, z, 30.0).clip(0).sum() for z in (-0.6, 0.0, 0.6)]
    assert around[1] == max(around)


def test_an_aberrated_system_looks_different_on_both_sides_of_focus() -> None:
    bent = Optics(mount=Mount(coverslip_um=185))
    assert np.abs(green(bent, 1.5) - green(bent, -1.5)).max() > 0.05
    assert not bent.symmetric
    plain = Optics()
    np.testing.assert_array_equal(green(plain, 1.5), green(plain, -1.5))


@pytest.mark.parametrize(
    "optics",
    [Optics(), Optics(mount=WATERY), Optics(vectorial=True), Optics(condenser=0.5), Optics(refraction=0.4)],
    ids=["plain", "mount", "vectorial", "condenser", "refraction"],
)
def test_energy_is_kept_and_nothing_passes_beyond_the_cut_off(optics: Optics) -> None:
    for z_um in (0.0, 2.0):
        assert green(optics, z_um, 5.0)[0] == pytest.approx(1, abs=1e-5)
        assert psf(96, 0.25, z_um, optics, 5.0).sum(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=1e-4)
    limit = cutoff(Pupil(0.75, 0.54, 0.0), optics.condenser)
    assert limit == pytest.approx(0.75 * (1 + min(1, optics.condenser)) / 0.54)
    transfer = green(optics)
    assert not transfer[limit < FREQUENCY].any()
    assert (transfer[0.95 * limit > FREQUENCY] > 0).all()


def test_the_first_dark_ring_is_where_airy_put_it() -> None:
    mpp, na = 0.02, 0.5
    profile = psf(256, mpp, 0.0, Optics(na=na))[128, 128:, 1]
    ring_um = mpp * (1 + int(np.argmax(np.diff(profile) > 0)))
    assert ring_um == pytest.approx(0.61 * 0.54 / na, abs=1.5 * mpp)


def test_polarisation_does_not_matter_at_small_apertures() -> None:
    small = Optics(na=0.2)
    for z_um in (0.0, 12.0):
        np.testing.assert_allclose(green(replace(small, vectorial=True), z_um), green(small, z_um), atol=0.006)
    large = Optics(na=0.95)
    assert np.abs(green(replace(large, vectorial=True)) - green(large)).max() > 0.02


@pytest.mark.parametrize("z_um", [0.0, 0.8])
def test_the_vectorial_transfer_function_is_that_of_the_debye_integrals(z_um: float) -> None:
    # |I0|^2 + 2 |I1|^2 + |I2|^2 after Richards and Wolf (1959), then a Hankel transform.
    na, wavelength = 0.9, 0.54
    k = 2 * np.pi / wavelength
    theta = (np.arange(250) + 0.5) / 250 * np.arcsin(na)
    r = (np.arange(1500) + 0.5) * 0.008
    sine, cosine = np.sin(theta), np.cos(theta)
    wave = np.sqrt(cosine) * sine * np.exp(1j * k * z_um * cosine)
    u = k * r[:, None] * sine
    parts = (j0(u) @ (wave * (1 + cosine)), j1(u) @ (wave * sine), jv(2, u) @ (wave * (1 - cosine)))
    spot = np.abs(parts[0]) ** 2 + 2 * np.abs(parts[1]) ** 2 + np.abs(parts[2]) ** 2
    frequency = np.linspace(0, 0.9 * 2 * na / wavelength, 12)
    hankel = j0(2 * np.pi * frequency[:, None] * r) @ (spot * r)
    grid, table = transfer_table(Pupil(na, wavelength, z_um), vectorial=True)
    np.testing.assert_allclose(np.interp(frequency, grid, table), hankel / hankel[0], atol=0.012)


@pytest.mark.parametrize("z_um", [0.0, 1.7])
def test_a_condenser_as_wide_as_the_objective_makes_light_incoherent(z_um: float) -> None:
    pupil = Pupil(0.7, 0.54, z_um, spherical_waves=0.1)
    grid, incoherent = transfer_table(pupil)
    # The same formula as for smaller condensers, just short of where the other one takes over.
    nearly, weak = transfer_table(pupil, condenser=0.9999)
    np.testing.assert_allclose(np.interp(grid, nearly, weak), incoherent, atol=0.004)


def test_weak_object_transfer_agrees_with_images_summed_over_the_source() -> None:
    # A weak absorbing grating, imaged coherently from each point of the condenser; intensities add.
    na, wavelength, condenser, z_um, amount = 0.6, 0.54, 0.5, 1.2, 0.004
    size, step = 64, 0.2
    cycles = 7
    x = np.arange(size) * step
    thing = 1 - amount * np.cos(2 * np.pi * cycles / (size * step) * x)
    axis = np.linspace(-condenser, condenser, 61)
    source = [(p, q) for p in axis for q in axis if p * p + q * q <= condenser**2]
    pupil = Pupil(na, wavelength, z_um)
    carriers = np.fft.fftfreq(size, step) * wavelength / na
    total = np.zeros(size)
    for p, q in source:
        rho2 = (carriers + p) ** 2 + q * q
        wave = np.where(rho2 <= 1, np.exp(1j * pupil.phase(rho2)), 0)
        total += np.abs(np.fft.ifft(np.fft.fft(thing) * wave)) ** 2
    contrast = 2 * np.fft.fft(total / len(source))[cycles].real / size
    grid, table = transfer_table(pupil, condenser=condenser)
    expected = np.interp(cycles / (size * step), grid, table)
    assert contrast / (-2 * amount) == pytest.approx(expected, abs=0.02)


def test_a_narrow_condenser_keeps_more_contrast_out_of_focus() -> None:
    wide, narrow = green(Optics(), 2.0), green(Optics(condenser=0.4), 2.0)
    assert narrow[FREQUENCY < 0.4].sum() > 1.1 * wide[FREQUENCY < 0.4].sum()


def test_refraction_tells_the_sides_of_focus_apart_and_vanishes_in_focus() -> None:
    refracting = Optics(condenser=0.7, refraction=0.3)
    np.testing.assert_allclose(green(refracting), green(Optics(condenser=0.7)), atol=1e-4)
    assert np.abs(green(refracting, 1.0) - green(refracting, -1.0)).max() > 0.1


def test_impossible_light_is_refused() -> None:
    with pytest.raises(ValueError, match="light"):
        transfer_table(Pupil(0.7, 0.54, 0.0), condenser=0.0)
    with pytest.raises(ValueError, match="polarisation"):
        otf((16, 16), 0.25, 0.0, Optics(vectorial=True, condenser=0.5))
