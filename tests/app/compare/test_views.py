from __future__ import annotations

import pytest

from focusviewer.app.compare.views import Link, contents, pixel_sizes, second_document
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.view import View
from tests.app.fakes import FakeSlide


def document(name: str, size=(3000, 2000), **options) -> Document:
    made = Document.of(FakeSlide(name, size, **options))
    made.view.resize(800, 600)
    made.view.go_to(size[0] / 2, size[1] / 2, 1.0)
    return made


def test_the_second_picture_can_show_planes_and_other_slides() -> None:
    stack = document("stack.tif", planes_um=(-1.0, 0.0, 1.0))
    other = document("other.svs")
    keys = [item.key for item in contents(stack, [stack, other])]
    assert keys == ["refocused", "plane 0", "plane 1", "plane 2", "slide fingerprint of other.svs"]
    assert second_document(stack, "plane 2", []).view.plane == 2
    assert stack.view.plane == 1
    assert second_document(stack, keys[-1], [stack, other]).slide is other.slide


def test_another_slide_is_shown_at_the_same_place_and_magnification() -> None:
    first, second = document("a.svs"), document("b.svs", (1500, 1000), mpp=0.5)
    first.view.go_to(600, 400, 1.0)
    shown = second_document(first, "slide fingerprint of b.svs", [first, second])
    assert (shown.view.cx, shown.view.cy) == (300, 200)
    assert shown.view.scale == 2.0  # a screen pixel is 0.25 um in both


@pytest.mark.parametrize(("units", "scale"), [((1.0, 1.0), 1.0), ((0.25, 0.5), 2.0)])
def test_linked_views_keep_their_distance_both_ways(units, scale) -> None:
    first, second = View(4000, 4000, 800, 600), View(4000, 4000, 800, 600)
    first.go_to(1000, 1000, 1.0)
    second.go_to(1100, 1050, scale)
    link = Link.between(first, second, units)
    first.go_to(1200, 900, 2.0)
    link.move_second(first, second)
    moved = 200 * units[0] / units[1], -100 * units[0] / units[1]
    assert (second.cx, second.cy) == pytest.approx((1100 + moved[0], 1050 + moved[1]))
    assert second.scale == pytest.approx(2 * scale)
    first.go_to(2000, 2000, 4.0)
    link.move_first(first, second)  # the second one leads now
    assert (first.cx, first.cy, first.scale) == pytest.approx((1200, 900, 2.0))


def test_without_a_scale_pixels_are_compared() -> None:
    assert pixel_sizes(document("a.svs"), document("b.svs", mpp=None)) == (1.0, 1.0)
