from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import FloatMap
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.evidence.unevenness import left_out

GLASS, TISSUE = 240, 120


def view(depth_um: FloatMap, glass: slice | None = None, planes_um: tuple[float, ...] = (0.0,)) -> Encoded:
    """A view whose tissue an engine takes to lie at these depths; some of its columns may be bare glass."""
    grain = np.random.default_rng(0).integers(-40, 40, depth_um.shape)
    pixels = np.repeat((TISSUE + grain).astype(np.uint8)[..., None], 3, axis=2)
    if glass is not None:
        pixels[:, glass] = GLASS
    images = (pixels,) * len(planes_um)
    return Encoded(depth_um.shape, 0.25, planes_um, depth_um - np.float32(planes_um[0]), None, images=images)


def halves(left_um: float, right_um: float, share: float = 0.5) -> FloatMap:
    depth = np.full((300, 500), left_um, np.float32)
    depth[:, round(500 * (1 - share)) :] = right_um
    return depth


def test_a_half_blurred_view_is_offered_all_in_focus() -> None:
    found = left_out([view(halves(0.0, 2.0))], 0.0)
    assert found is not None
    assert found.share == pytest.approx(0.5, abs=0.07)
    assert found.distance_um == pytest.approx(2.0, abs=0.1)
    assert "50%" in found.text().replace(f"{found.share:.0%}", "50%")
    assert "2.0 µm" in found.text("µm")


@pytest.mark.parametrize(
    ("depth", "z_um"),
    [
        (halves(0.0, 0.0), 0.0),  # sharp
        (halves(2.5, 2.5), 2.5),  # evenly blurred, and Auto stands there
        (halves(2.5, 2.5), 0.0),  # evenly blurred: another focus will do, not one for each place
        (halves(0.0, 0.8), 0.0),  # too near to be seen
        (halves(0.0, 2.0, 0.2), 0.0),  # too little of it
    ],
)
def test_a_view_that_one_focus_serves_is_not(depth: FloatMap, z_um: float) -> None:
    assert left_out([view(depth)], z_um) is None


def test_bare_glass_has_no_focus_to_be_left_out_of() -> None:
    depth = halves(0.0, 3.0)
    assert left_out([view(depth, glass=slice(240, 500))], 0.0) is None
    bare = view(depth, glass=slice(0, 500))
    assert left_out([bare], 0.0) is None


def test_depths_are_on_the_axis_of_the_planes_and_several_places_count_together() -> None:
    planes = (-2.0, 0.0, 2.0)
    assert left_out([view(halves(-1.0, -1.0), planes_um=planes)], -1.0) is None
    places = [view(halves(z, z), planes_um=planes) for z in (-1.0, 1.5)]
    found = left_out(places, -1.0)
    assert found is not None
    assert found.distance_um == pytest.approx(2.5, abs=0.01)


def test_the_fast_engine_sees_that_half_of_a_simulated_section_is_blurred() -> None:
    from focusviewer.optics import Camera, Optics, defocus_image
    from focusviewer.refocus import get_engine
    from tests.refocus.fast.test_engine import texture

    light = np.clip(texture(3, 512), 0, 1)
    blurred = defocus_image(light, 3.0, 0.25, Optics(na=0.7))
    mixed = np.concatenate([light[:, :256], blurred[:, 256:]], axis=1)
    scan, evenly = (Camera(noise=0.003).capture(x, np.random.default_rng(0)) for x in (mixed, light))
    engine = get_engine("fast")
    assert left_out([engine.encode([scan], 0.25)], 0.0) is not None
    assert left_out([engine.encode([evenly], 0.25)], 0.0) is None
