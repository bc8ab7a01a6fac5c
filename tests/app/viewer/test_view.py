from __future__ import annotations

import math

import pytest

from focusviewer.app.viewer import scales
from focusviewer.app.viewer.view import View, snap_scale, step_scale


@pytest.fixture
def view() -> View:
    made = View(4000, 3000, 1000, 800)
    made.go_to(2000, 1500, 0.5)
    return made


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 2.7])
def test_zooming_keeps_the_slide_point_under_the_cursor(view: View, scale: float) -> None:
    before = view.to_slide(700, 250)
    view.zoom_at(700, 250, scale)
    after = view.to_slide(700, 250)
    # the picture lies on whole screen pixels, so the point may move by half of one
    assert abs(after[0] - before[0]) * scale <= 1.01
    assert abs(after[1] - before[1]) * scale <= 1.01


def test_screen_and_slide_positions_are_inverse(view: View) -> None:
    x, y = view.to_slide(123, 456)
    assert view.to_screen(x, y) == pytest.approx((123, 456))


def test_panning_never_loses_the_slide(view: View) -> None:
    view.pan_by(-1e6, 1e6)
    assert (view.cx, view.cy) == (4000, 0)


def test_every_step_of_a_drag_moves_the_picture_by_as_much() -> None:
    view = View(4000, 3000, 961, 801)  # odd sizes put the middle between two screen pixels
    view.go_to(2000, 1500, 1.0)
    left, top = view.origin
    for step in range(1, 6):
        view.pan_by(1, 1)
        assert view.origin == (left + step, top + step)


def test_fit_shows_the_whole_slide_and_little_more(view: View) -> None:
    view.fit()
    x0, y0, x1, y1 = view.rect()
    assert x0 <= 0
    assert y0 <= 0
    assert x1 >= 4000
    assert y1 >= 3000
    assert min(x1 - x0 - 4000, y1 - y0 - 3000) < 200


def test_scale_stays_within_its_limits(view: View) -> None:
    view.zoom_at(500, 400, 1e9)
    assert view.scale == view.scale_limits[1]
    view.zoom_at(500, 400, 1e-9)
    assert view.scale == view.scale_limits[0]


def test_three_notches_double_the_scale_and_land_on_powers_of_two() -> None:
    scale = 0.3
    for _ in range(3):
        scale = step_scale(scale, 1)
    assert scale == pytest.approx(0.5)  # the first notch goes to the next rung of the ladder
    assert step_scale(step_scale(1.0, 3), -3) == pytest.approx(1.0)
    assert step_scale(1.0, 3) == pytest.approx(2.0)


def test_small_touchpad_steps_are_not_rounded_away() -> None:
    assert 1.0 < step_scale(1.0, 0.1) < step_scale(1.0, 0.3) < step_scale(1.0, 1)


def test_scales_close_to_a_power_of_two_show_the_scans_own_pixels() -> None:
    assert snap_scale(0.998) == 1.0
    assert snap_scale(0.9) == 0.9


def test_presets_are_magnifications_where_the_scale_is_known() -> None:
    assert scales.preset_scale(5, 0.25) == 1.0  # 40x at 0.25 um
    assert scales.preset_scale(4, 0.499) == 1.0  # 20x, within 3 % of the scan's own
    assert scales.preset_text(4, 0.499) == "20×"


def test_presets_are_pixel_ratios_where_it_is_not() -> None:
    assert [scales.preset_text(i, None) for i in (0, 5, 6)] == ["1:32", "1:1", "2:1"]


@pytest.mark.parametrize(("longest", "expected"), [(160, 100), (199.99, 100), (200, 200), (4.9, 2), (0.07, 0.05)])
def test_scale_bar_has_a_round_length(longest: float, expected: float) -> None:
    assert scales.nice_length(longest) == pytest.approx(expected)


def test_lengths_are_microns_then_millimetres() -> None:
    assert scales.length_text(500) == "500 µm"
    assert scales.length_text(2000) == "2 mm"


@pytest.mark.parametrize("place", [(math.nan, 1.0, 1.0), (1.0, math.inf, 1.0), (1.0, 1.0, math.nan)])
def test_what_is_no_number_is_no_place(view: View, place: tuple[float, float, float]) -> None:
    before = (view.cx, view.cy, view.scale)
    with pytest.raises(ValueError, match="no place"):
        view.go_to(*place)
    assert (view.cx, view.cy, view.scale) == before
