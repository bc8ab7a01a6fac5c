from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.optics import Optics, image_section
from focusviewer.simulation.sections.lift import (
    EOSIN,
    HAEMATOXYLIN,
    LiftConfig,
    compact_part,
    find_structures,
    lift_patch,
    nuclear_amount,
    otsu,
    stain_vectors,
)
from focusviewer.simulation.sections.slab_imager import SlabImager


@pytest.fixture(scope="module")
def nuclei() -> np.ndarray:
    """Haematoxylin at each pixel: twelve round nuclei of 6 um, two of which touch."""
    y, x = np.mgrid[:160, :160]
    amount = np.zeros((160, 160), np.float32)
    places = [(20 + 38 * row, 22 + 40 * column) for row in range(4) for column in range(3)] + [(58, 46)]
    for cy, cx in places:
        amount = np.maximum(amount, np.clip(12.5 - np.hypot(y - cy, x - cx), 0, 1))
    return gaussian_filter(amount, 1.0).astype(np.float32)


@pytest.fixture(scope="module")
def picture(nuclei: np.ndarray) -> np.ndarray:
    """The nuclei in eosinophilic ground, as light: float32 (160, 160, 3)."""
    fibres = 0.25 + 0.08 * gaussian_filter(np.random.default_rng(3).standard_normal((160, 160)), 1.5)
    density = 0.7 * nuclei[..., None] * HAEMATOXYLIN + fibres[..., None] * EOSIN
    return (10.0**-density).astype(np.float32)


def density_of(light: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(-np.log10(light), -1, 0), dtype=np.float32)


def test_stains_are_found_in_a_picture(picture: np.ndarray) -> None:
    first, second = stain_vectors(density_of(picture))
    # Nuclei lie in ground of their own, so that their extreme direction is near haematoxylin, not on it.
    assert first @ HAEMATOXYLIN / np.linalg.norm(HAEMATOXYLIN) > 0.97
    assert second @ EOSIN / np.linalg.norm(EOSIN) > 0.99


def test_one_stain_gives_one_direction(nuclei: np.ndarray) -> None:
    density = (nuclei + 0.1)[None] * HAEMATOXYLIN[:, None, None]
    assert stain_vectors(density).shape == (1, 3)
    assert stain_vectors(np.zeros((3, 32, 32), np.float32)).shape == (2, 3)  # nothing to find: the usual ones


def test_nuclear_stain_is_where_the_nuclei_are(picture: np.ndarray, nuclei: np.ndarray) -> None:
    amount = nuclear_amount(density_of(picture))
    assert np.corrcoef(amount.ravel(), nuclei.ravel())[0, 1] > 0.97


def test_each_nucleus_is_a_structure_of_its_own(picture: np.ndarray) -> None:
    labels = find_structures(nuclear_amount(density_of(picture)), 0.25)
    assert labels[20, 22] != labels[20, 62] != labels[58, 62]
    assert labels[58, 22] != labels[58, 47]  # these two touch
    assert labels[20, 22] == labels[26, 27] > 0
    assert labels[40, 2] == 0
    assert 12 <= len(np.unique(labels[labels > 0])) <= 15


def test_structures_take_what_stands_out_of_the_ground(picture: np.ndarray) -> None:
    density = density_of(picture)
    labels = find_structures(nuclear_amount(density), 0.25)
    compact = compact_part(density, labels)
    assert compact.min() >= 0
    assert (compact <= density + 1e-6).all()
    assert not compact[:, labels == 0].any()
    assert compact[0, 20, 22] == pytest.approx(0.7 * HAEMATOXYLIN[0], rel=0.1)


def test_slabs_add_up_to_the_picture(picture: np.ndarray) -> None:
    section = lift_patch(picture, 0.25, np.random.default_rng(1), LiftConfig(4.0, 5))
    assert section.density.shape == (5, 160, 160, 3)
    assert section.density.min() >= 0
    assert section.through_lens
    np.testing.assert_allclose(section.z_um, [-1.6, -0.8, 0.0, 0.8, 1.6], atol=1e-6)
    np.testing.assert_allclose(10.0 ** -section.density.sum(axis=0), picture, atol=1e-4)


def test_the_plane_in_focus_looks_like_the_picture_and_others_do_not(picture: np.ndarray) -> None:
    section = lift_patch(picture, 0.25, np.random.default_rng(1), LiftConfig(2.7, 4))

    def psnr(z_um: float) -> float:
        error = (image_section(section, z_um, Optics()) - picture)[16:-16, 16:-16]
        return float(-10 * np.log10(np.square(error).mean()))

    assert psnr(0.0) > 33
    assert psnr(0.0) > psnr(2.0) + 5
    assert psnr(0.0) > psnr(-2.0) + 5


def test_structures_come_into_focus_one_after_the_other(picture: np.ndarray) -> None:
    section = lift_patch(picture, 0.25, np.random.default_rng(2), LiftConfig(5.0, 6))
    imager = SlabImager.of(section)
    planes = np.linspace(-3, 3, 13)
    seen = np.stack([imager.image(float(z))[0] for z in planes])
    best = set()
    for cy, cx in [(20, 62), (20, 102), (96, 22), (96, 62), (134, 62), (134, 102)]:
        edges = np.square(np.diff(seen[:, cy - 16 : cy + 16, cx - 16 : cx + 16], axis=2)).mean(axis=(1, 2))
        best.add(int(np.argmax(edges)))
    assert len(best) >= 3


def test_depths_follow_from_the_generator(picture: np.ndarray) -> None:
    first, again, other = (lift_patch(picture, 0.25, np.random.default_rng(seed)).density for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_otsu_parts_two_groups() -> None:
    values = np.concatenate([np.full(300, 0.1), np.full(100, 0.9)]).astype(np.float32)
    assert 0.1 < otsu(values) < 0.9


def test_an_empty_picture_can_be_lifted() -> None:
    section = lift_patch(np.full((48, 48, 3), 0.96, np.float32), 0.25, np.random.default_rng(0))
    assert np.isfinite(section.density).all()
    np.testing.assert_allclose(10.0 ** -section.density.sum(axis=0), 0.96, atol=1e-4)
