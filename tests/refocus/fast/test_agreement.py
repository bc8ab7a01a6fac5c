from __future__ import annotations

import numpy as np
import pytest

from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.fast.agreement import DepthEvidence
from focusviewer.refocus.fast.filtering import filter_image
from focusviewer.refocus.fast.operators import operator_bank

DEPTHS = np.arange(-5, 5.01, 0.25, dtype=np.float32)


def planes(zs: tuple[float, ...], depth_um: float, structure: float = 1.0) -> DepthEvidence:
    from scipy.ndimage import gaussian_filter

    bank = operator_bank(0.25)
    evidence = DepthEvidence(DEPTHS, bank)
    rng = np.random.default_rng(2)
    grain = gaussian_filter(rng.standard_normal((96, 96)), 1.0)
    light = np.repeat((0.6 + structure * 0.3 * grain)[..., None], 3, axis=2).clip(0, 1).astype(np.float32)
    for z in zs:
        seen = defocus_image(light, abs(z - depth_um), 0.25, Optics(na=0.7)) + rng.normal(0, 0.003, light.shape)
        image = np.ascontiguousarray(np.moveaxis(seen, -1, 0), dtype=np.float32)
        evidence.add(image.mean(axis=0), filter_image(image, bank, 48).mean(axis=1), z)
    return evidence


@pytest.mark.parametrize(
    ("zs", "depth_um"), [((0.0, 1.0), 2.5), ((0.0, 1.0), -1.5), ((-1.0, 1.0), 0.25), ((-2.0, 0.0, 1.0), 1.75)]
)
def test_planes_agree_best_at_the_depth_of_the_tissue(zs: tuple[float, ...], depth_um: float) -> None:
    found = planes(zs, depth_um).cells((24, 24), 4)
    assert found is not None
    best = DEPTHS[found.mean(axis=(1, 2)).argmin()]
    assert best == pytest.approx(depth_um, abs=0.3)


def test_empty_planes_say_nothing_about_depth() -> None:
    flat, lively = (planes((0.0, 1.0), 2.0, structure).cells((24, 24), 4) for structure in (0.0, 1.0))
    assert flat is not None
    assert lively is not None
    assert float(np.ptp(flat.mean(axis=(1, 2)))) < 0.1 * float(np.ptp(lively.mean(axis=(1, 2))))


def test_one_plane_is_no_evidence() -> None:
    assert planes((0.0,), 1.0).cells((24, 24), 4) is None


def test_maps_fit_views_that_end_within_a_block() -> None:
    evidence = DepthEvidence(DEPTHS, operator_bank(0.25))
    image = np.random.default_rng(0).random((3, 44, 36), dtype=np.float32)
    for z in (0.0, 1.0):
        evidence.add(image.mean(axis=0), filter_image(image, operator_bank(0.25), 48).mean(axis=1), z)
    found = evidence.cells((11, 9), 4)
    assert found is not None
    assert found.shape == (DEPTHS.size, 11, 9)


def test_planes_that_optics_explain_leave_little_unexplained_and_others_much() -> None:
    explained = planes((0.0, 1.0), 2.5)
    assert explained.unexplained() < 0.15
    bent = DepthEvidence(DEPTHS, operator_bank(0.25))
    rng = np.random.default_rng(4)
    for z in (0.0, 1.0):  # nothing in common
        image = rng.random((3, 96, 96), dtype=np.float32)
        bent.add(image.mean(axis=0), filter_image(image, operator_bank(0.25), 48).mean(axis=1), z)
    assert bent.unexplained() > 0.3


def test_one_plane_explains_nothing() -> None:
    assert planes((0.0,), 1.0).unexplained() == 1.0
