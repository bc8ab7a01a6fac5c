from __future__ import annotations

import numpy as np
import pytest

from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.confidence import confidence

MPP = 0.25


def tissue(seed: int = 0, size: int = 160) -> np.ndarray:
    """Irregular blobs on the left, empty glass on the right: float32 (size, size, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fine, coarse = (gaussian_filter(rng.standard_normal((size, size)), s) for s in (1.2, 5.0))
    density = np.clip(fine / fine.std() * 0.2 + coarse / coarse.std() * 0.2 + 0.4, 0, 1)
    density[:, size // 2 :] = 0.02
    return (10 ** -(density[..., None] * np.array([0.6, 0.9, 0.4]))).astype(np.float32)


def recorded(light: np.ndarray, noise: float = 0.002) -> np.ndarray:
    return Camera(noise=noise).capture(light, np.random.default_rng(1))


def encoded(blur_um: float, planes: tuple[float, ...] = (0.0,), pure: bool = False) -> Encoded:
    return Encoded((160, 160), MPP, planes, np.full((160, 160), blur_um, np.float32), None, (), pure)


@pytest.fixture(scope="module")
def blurred() -> np.ndarray:
    return recorded(defocus_image(tissue(), 2.0, MPP, Optics(na=0.7)))


def test_the_truth_explains_its_own_blurred_scan(blurred: np.ndarray) -> None:
    found = confidence(encoded(2.0), [blurred], recorded(tissue(), 0.0), 2.0)
    assert found.reblur_db >= 38
    assert found.map.shape == (160, 160)
    assert found.map.min() > 0.95


def test_detail_that_was_made_up_is_found_where_it_is(blurred: np.ndarray) -> None:
    made = recorded(tissue(), 0.0)
    made[20:60, 20:60] = np.where(np.indices((40, 40)).sum(axis=0)[..., None] // 8 % 2, 40, 200)
    found = confidence(encoded(2.0), [blurred], made, 2.0)
    assert found.map[30:50, 30:50].max() < 0.3
    assert found.map[110:, :60].min() > 0.9
    assert found.reblur_db < 30


def test_a_wrong_depth_is_no_explanation(blurred: np.ndarray) -> None:
    right, wrong = (confidence(encoded(z), [blurred], recorded(tissue(), 0.0), z).reblur_db for z in (2.0, 0.75))
    assert wrong < right - 6


def test_added_defocus_is_judged_the_other_way_round() -> None:
    sharp, made = recorded(tissue()), recorded(defocus_image(tissue(), 2.0, MPP, Optics(na=0.7)), 0.0)
    assert confidence(encoded(0.0), [sharp], made, -2.0).reblur_db > 38
    assert confidence(encoded(0.0), [sharp], made, -1.0).reblur_db < 38


def test_the_scan_itself_needs_no_explanation(blurred: np.ndarray) -> None:
    found = confidence(encoded(2.0), [blurred], blurred, 0.0)
    assert (found.reblur_db, found.residual_energy, found.background_change) == (99.0, 0.0, 0.0)
    assert np.all(found.map == 1.0)


def test_filters_of_the_scan_leave_little_that_noise_leaves_all_of(rng: np.random.Generator) -> None:
    scan = recorded(tissue(), 0.0)
    filtered = recorded(defocus_image(tissue(), 1.0, MPP), 0.0)
    noisy = np.clip(scan + rng.normal(0, 20, scan.shape), 0, 255).astype(np.uint8)
    assert confidence(encoded(0.0), [scan], filtered, -1.0).residual_energy < 0.1
    assert confidence(encoded(0.0), [scan], noisy, -1.0).residual_energy > 0.7
    assert confidence(encoded(0.0, pure=True), [scan], filtered, -1.0).residual_energy == 0.0


def test_what_changes_in_empty_glass_is_told_in_gray_levels(blurred: np.ndarray) -> None:
    made = blurred.copy()
    made[:, :40] //= 2
    assert confidence(encoded(2.0), [blurred], made, 2.0).background_change == 0.0
    made[80, 130, 1] -= 9  # a speck
    assert confidence(encoded(2.0), [blurred], made, 2.0).background_change == 0.0
    made[60:100, 110:, 1] -= 9
    assert confidence(encoded(2.0), [blurred], made, 2.0).background_change == 9.0


def test_it_is_judged_against_the_nearest_plane(blurred: np.ndarray) -> None:
    sharp = recorded(tissue())
    planes = encoded(2.0, (0.0, 2.0))
    assert confidence(planes, [blurred, sharp], recorded(tissue(), 0.0), 1.9).reblur_db > 45


def test_target_maps_and_sloping_depths_are_followed() -> None:
    slope = np.broadcast_to(np.linspace(0.5, 3.0, 160, dtype=np.float32), (160, 160))
    levels = [defocus_image(tissue(), z, MPP, Optics(na=0.7)) for z in np.arange(0.5, 3.26, 0.25)]
    position = (slope - 0.5) / 0.25
    scan = sum(np.clip(1 - np.abs(position - i), 0, 1)[..., None] * level for i, level in enumerate(levels))
    state = Encoded((160, 160), MPP, (0.0,), np.ascontiguousarray(slope), None)
    assert confidence(state, [recorded(scan)], recorded(tissue(), 0.0), np.ascontiguousarray(slope)).reblur_db > 36


def cells(seed: int = 0, size: int = 160) -> np.ndarray:
    """Pink tissue with smooth dark nuclei, and bare glass on the right: float32 (size, size, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    spots = np.zeros((size, size))
    spots[rng.integers(8, size - 8, 40), rng.integers(8, size // 2 - 8, 40)] = 1
    nuclei = np.clip(gaussian_filter(spots, 3.0) * 50, 0, 0.5)
    density = nuclei + 0.12
    density[:, size // 2 :] = 0.02
    return (10 ** -(gaussian_filter(density, 0.8)[..., None] * np.array([0.6, 0.9, 0.4]))).astype(np.float32)


@pytest.fixture(scope="module")
def scanned() -> np.ndarray:
    return recorded(defocus_image(cells(), 1.0, MPP, Optics(na=0.7)), 0.004)


def sharpened(image: np.ndarray, sigma: float, amount: float) -> np.ndarray:
    """Unsharp masking, which draws halos at edges and raises grain elsewhere."""
    from scipy.ndimage import gaussian_filter

    light = image.astype(np.float32)
    made = light + amount * (light - gaussian_filter(light, (sigma, sigma, 0)))
    return np.clip(made + 0.5, 0, 255).astype(np.uint8)


def test_halos_are_not_borne_out_although_blurring_back_takes_them_away(scanned: np.ndarray) -> None:
    gently, much = (confidence(encoded(1.0), [scanned], sharpened(scanned, 3.0, a), 1.0) for a in (0.3, 4.0))
    assert gently.beyond < 0.02
    assert gently.not_borne_out < 0.02
    assert much.beyond > 0.2
    assert much.not_borne_out >= much.beyond - 0.01


def test_raised_grain_of_even_tissue_and_of_glass_is_found(scanned: np.ndarray) -> None:
    even = recorded(np.full((160, 160, 3), 0.7, np.float32), 0.01)
    assert confidence(encoded(1.0), [even], sharpened(even, 1.0, 5.0), 1.0).beyond > 0.9
    ringing = scanned.copy()
    rings = 8 * np.sin(np.arange(80) * 1.2)[None, :, None]
    ringing[:, 80:] = np.clip(scanned[:, 80:] + rings, 0, 255).astype(np.uint8)
    found = confidence(encoded(1.0), [scanned], ringing, 1.0)
    assert found.trust[:, 100:].max() < 0.5
    assert found.trust[:, :40].min() > 0.9  # a window away from the rings


def test_the_truth_of_tissue_with_nuclei_is_believed(scanned: np.ndarray) -> None:
    found = confidence(encoded(1.0), [scanned], recorded(cells(), 0.0), 1.0)
    assert found.not_borne_out < 0.05


def test_what_another_plane_shows_is_no_overshoot(scanned: np.ndarray) -> None:
    sharp, strong = recorded(cells()), sharpened(scanned, 3.0, 4.0)
    both = Encoded((160, 160), MPP, (0.0, 1.0), np.full((160, 160), 1.0, np.float32), None)
    alone = confidence(encoded(1.0), [scanned], strong, 1.0).beyond
    assert confidence(both, [scanned, strong], strong, 0.5).beyond == 0.0
    assert confidence(both, [scanned, sharp], strong, 0.5).beyond <= alone


def test_a_blur_on_purpose_goes_beyond_nothing(scanned: np.ndarray) -> None:
    made = recorded(defocus_image(cells(), 3.0, MPP, Optics(na=0.7)), 0.0)
    assert confidence(encoded(1.0), [scanned], made, -2.0).beyond < 0.01
