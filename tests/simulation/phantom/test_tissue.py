from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import laplace

from focusviewer.optics import image_section
from focusviewer.simulation.phantom.layout import KINDS, Frame
from focusviewer.simulation.phantom.tissue import Bubble, TissuePhantom, bubble_density, phantom_section


def sharpness(image: np.ndarray) -> float:
    return float(np.var(laplace(image[..., 1])))


def test_section_has_the_promised_form() -> None:
    section = phantom_section(3, 160, 120, slabs=3, thickness_um=3.0)
    assert section.density.shape == (3, 120, 160, 3)
    assert section.density.dtype == np.float32
    assert section.density.min() >= 0
    assert np.allclose(section.z_um, (-1.0, 0.0, 1.0))
    assert section.mpp == 0.25


def test_the_same_seed_gives_the_same_section_and_another_seed_another() -> None:
    first, again, other = (phantom_section(seed, 96, 96, slabs=2).density for seed in (11, 11, 12))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("stain", ["he", "ihc"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_stain_draws_tissue(kind: str, stain: str) -> None:
    density = phantom_section(5, 400, 400, slabs=2, kind=kind, stain=stain).density
    assert np.isfinite(density).all()
    assert density.min() >= 0
    assert density.sum(axis=0).std() > 0.02


def test_unknown_kind_and_stain_are_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        phantom_section(1, 64, 64, kind="bone")
    with pytest.raises(ValueError, match="stain"):
        phantom_section(1, 64, 64, stain="pas")
    with pytest.raises(ValueError, match="pixel"):
        TissuePhantom(1, 0, 64)


def test_windows_agree_with_the_whole() -> None:
    phantom = TissuePhantom(8, 400, 300, slabs=2, kind="gland")
    whole = phantom.density(0, 0, 400, 300)
    part = phantom.density(131, 77, 150, 120)
    difference = np.abs(part - whole[:, :, 77:197, 131:281])
    assert difference.max() < 1e-4


def test_defocus_lowers_sharpness_step_by_step() -> None:
    section = phantom_section(2, 384, 384, kind="gland", thickness_um=2.7)
    levels = [sharpness(image_section(section, z)) for z in (0.0, 1.0, 2.0, 4.0)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 5 * levels[-1]


def test_structures_lie_at_different_depths() -> None:
    section = phantom_section(4, 256, 256, kind="tumour", slabs=5)
    top, bottom = section.density[0, ..., 0], section.density[-1, ..., 0]
    assert np.corrcoef(top.ravel(), bottom.ravel())[0, 1] < 0.8


def test_focused_phantom_has_detail_at_the_pixel_scale() -> None:
    image = image_section(phantom_section(2, 256, 256, kind="tumour"), 0.0)[..., 1]
    detail = image[:, 1:-1] - (image[:, 2:] + image[:, :-2]) / 2
    assert detail.std() > 0.004


def test_haematoxylin_makes_nuclei_bluer_than_collagen() -> None:
    density = phantom_section(4, 300, 300, kind="tumour", slabs=2).density.sum(axis=0)
    red, green = density[..., 0], density[..., 1]
    dark, pale = red > np.quantile(red, 0.9), red < np.quantile(red, 0.4)
    assert (red / (green + 1e-3))[dark].mean() > 1.5 * (red / (green + 1e-3))[pale].mean()


def test_bubble_is_a_dark_ring() -> None:
    ring = bubble_density(Bubble(200, 200, 120), Frame(0, 0, 400, 400, 0.25))
    assert ring[200, 300:340].max() > 0.5
    assert ring[200, 200] < 0.1
    assert ring[5, 5] < 0.02
