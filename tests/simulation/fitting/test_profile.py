"""A scanner's optics from its own planes: found where planes tell them, and no more parameters than they tell."""

from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB, DoubleArray
from focusviewer.core.errors import UserError
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.simulation.fitting.profile import FittedOptics, PlanePair, fit_optics, sharpest_plane

MPP = 0.25


def usual(frequency: DoubleArray, z_um: float) -> DoubleArray:
    return np.full_like(frequency, 0.3)


@pytest.fixture(scope="module")
def tissue() -> RGB:
    """Structure at all scales, in colour: uint8 (160, 352, 3)."""
    rng = np.random.default_rng(3)
    height, width = 160, 352
    spectrum = np.fft.rfft2(rng.standard_normal((3, height, width)))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    grain = np.fft.irfft2(spectrum / np.maximum(radius, 0.01) ** 1.2, s=(height, width))
    grain = grain / grain.std(axis=(1, 2), keepdims=True)
    return np.asarray(np.clip(150 + 28 * np.moveaxis(grain, 0, -1), 0, 255), np.uint8)


def plane(image: RGB, z_um: float, optics: Optics, seed: int) -> RGB:
    light = defocus_image(np.asarray(image / 255, np.float32), z_um, MPP, optics)
    return Camera(noise=0.004).capture(light, np.random.default_rng(seed))[None]


def stack(tissue: RGB, optics: Optics, *distances_um: float) -> FittedOptics:
    sharp = plane(tissue, 0.0, optics, 0)
    pairs = [
        PlanePair(sharp, plane(tissue, z_um, optics, 1 + index), 1 if z_um > 0 else -1, abs(z_um))
        for index, z_um in enumerate(distances_um)
    ]
    return fit_optics(pairs, MPP, usual)


def test_known_distances_tell_the_aperture(tissue: RGB) -> None:
    found = stack(tissue, Optics(na=0.5), -2.0, 2.0)
    assert found.optics.na == pytest.approx(0.5, abs=0.05)
    assert found.z_um == (2.0, 2.0) and len(found.errors) == 1 and found.errors[0].z_um == 2.0
    assert found.gain_db > found.standard_gain_db + 0.3
    unexplained = np.array(found.errors[0].unexplained)
    assert unexplained[:, 2].max() < 0.2 < np.median(unexplained[:, -6:])  # beyond the lens there is noise alone


def test_axial_colour_is_found_with_its_sign(tissue: RGB) -> None:
    found = stack(tissue, Optics(na=0.7, chromatic_shift_um=(0.6, 0.0, -0.6)), -1.5, 1.5)
    red, green, blue = found.optics.chromatic_shift_um
    assert red == pytest.approx(0.6, abs=0.25) and green == 0 and blue == pytest.approx(-0.6, abs=0.25)


def test_a_pair_that_the_standard_lens_explains_gets_no_other(tissue: RGB) -> None:
    lens = Optics(na=0.7)
    found = fit_optics([PlanePair(plane(tissue, 0, lens, 0), plane(tissue, 1.5, lens, 1))], MPP, usual)
    assert found.optics == lens and found.z_um[0] == pytest.approx(1.5, abs=0.15)


def test_gray_planes_have_one_row_and_one_wavelength(tissue: RGB) -> None:
    lens = Optics(na=0.7)
    gray = [plane(tissue, z_um, lens, 2)[..., 1:2] for z_um in (0.0, 1.5)]
    found = fit_optics([PlanePair(gray[0], gray[1])], MPP, usual)
    assert len(found.errors[0].unexplained) == 1 and len(set(found.optics.wavelengths_um)) == 1


def test_planes_of_different_tissue_are_refused(tissue: RGB) -> None:
    other = np.ascontiguousarray(tissue[::-1, ::-1])[None]
    with pytest.raises(UserError, match="same tissue"):
        fit_optics([PlanePair(tissue[None], other)], MPP, usual)


def test_planes_too_small_to_be_judged_are_refused(tissue: RGB) -> None:
    small = tissue[None, :, :200]
    with pytest.raises(UserError, match="too small"):
        fit_optics([PlanePair(small, small)], MPP, usual)


def test_an_empty_half_is_refused(tissue: RGB) -> None:
    half = tissue.copy()
    half[:, 176:] = 240
    with pytest.raises(UserError, match="empty"):
        fit_optics([PlanePair(half[None], half[None])], MPP, usual)


def test_the_sharpest_plane_is_found(tissue: RGB) -> None:
    planes = np.stack([plane(tissue, z_um, Optics(na=0.7), 4) for z_um in (2.0, 0.0, -1.0)])
    assert sharpest_plane(planes) == 1
