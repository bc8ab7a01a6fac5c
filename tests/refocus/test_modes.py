from __future__ import annotations

import numpy as np
import pytest

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.modes import MODES, RefocusRequest, assumption, encoded_for, focus_text, target_of


class Tilted(Refocuser):
    """Takes the tissue to rise from 0 to 2 um across the view; renders nothing."""

    name = "tilted"

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        height, width = images[0].shape[:2]
        depth = np.linspace(0, 2, width, dtype=np.float32)[None].repeat(height, 0)
        if focus_maps is not None:
            depth = focus_maps[0] + np.float32(planes_um[0])
        return Encoded((height, width), mpp, tuple(planes_um), depth - np.float32(planes_um[0]), images[0])

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        raise AssertionError("nothing is to be rendered")


VIEW = np.full((20, 30, 3), 200, np.uint8)
ENGINE = Tilted()
ONE = ENGINE.encode([VIEW], 0.25)
THREE = ENGINE.encode([VIEW] * 3, 0.25, (-1.0, 0.0, 3.0))


@pytest.mark.parametrize(
    ("encoded", "mode", "z_um"),
    [
        (ONE, "refocus", 2.5),
        (ONE, "extrapolate", 3.0),
        (ONE, "defocus", -2.0),
        (ONE, "defocus", 3.5),
        (ONE, "deblur", 1.25),  # found before
        (ONE, "assume", 3.0),
        (ONE, "assume", -2.0),
        (THREE, "refocus", 1.0),
        (THREE, "interpolate", 1.5),
        (THREE, "interpolate", 3.0),
        (THREE, "extrapolate", -2.0),
        (THREE, "extrapolate", 6.5),
    ],
)
def test_one_focus_is_the_target_as_it_is(encoded: Encoded, mode: str, z_um: float) -> None:
    assert target_of(ENGINE, encoded, RefocusRequest(mode, z_um)) == z_um


@pytest.mark.parametrize(
    ("encoded", "wanted", "words"),
    [
        (THREE, RefocusRequest("interpolate", 3.5), "planes lie from -1 to 3 um"),
        (ONE, RefocusRequest("interpolate", 0.5), "one plane lies at 0 um"),
        (THREE, RefocusRequest("extrapolate", 1.0), "beyond them"),
        (ONE, RefocusRequest("extrapolate", 0.0), "beyond them"),
        (ONE, RefocusRequest("defocus", 0.9), "no defocus"),
        (ONE, RefocusRequest("refocus", 4.5), "reaches 4 um"),
        (THREE, RefocusRequest("refocus", 7.5), "4.5 um away"),
        (ONE, RefocusRequest("refocus", float("nan")), "not a number"),
        (ONE, RefocusRequest("refocus"), "needs a focus"),
        (ONE, RefocusRequest("map"), "No target map"),
        (ONE, RefocusRequest("map", map_um=np.zeros((3, 3), np.float32)), "does not fit"),
        (ONE, RefocusRequest("map", map_um=np.full((20, 30), 5, np.float32)), "reaches 4 um"),
        (ONE, RefocusRequest("sharpen", 1.0), "No mode is called"),
        (ONE, RefocusRequest("assume"), "needs a focus"),
        (ONE, RefocusRequest("assume", 4.5), "reaches 4 um"),
        (THREE, RefocusRequest("assume", 1.0), "3 planes tell where the tissue lies"),
    ],
)
def test_a_mode_that_does_not_apply_is_refused_with_its_reason(
    encoded: Encoded, wanted: RefocusRequest, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        target_of(ENGINE, encoded, wanted)


def test_all_in_focus_follows_the_predicted_depth_or_a_measured_one() -> None:
    predicted = target_of(ENGINE, THREE, RefocusRequest("all-in-focus"))
    np.testing.assert_allclose(predicted[5], np.linspace(0, 2, 30), atol=1e-6)  # type: ignore[index]
    measured = np.full((20, 30), 0.75, np.float32)
    assert target_of(ENGINE, THREE, RefocusRequest("all-in-focus", map_um=measured)) is measured
    assert target_of(ENGINE, THREE, RefocusRequest("map", map_um=measured)) is measured


def test_deblurring_searches_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def best(engine: Refocuser, encoded: Encoded, low: float, high: float) -> float:
        asked.append((low, high))
        return 1.5

    monkeypatch.setattr("focusviewer.refocus.auto.best_z", best)
    assert target_of(ENGINE, THREE, RefocusRequest("deblur")) == 1.5
    assert asked == [(-5.0, 7.0)]


def test_every_mode_has_a_name() -> None:
    wanted = {"refocus", "assume", "deblur", "all-in-focus", "interpolate", "extrapolate", "defocus", "map"}
    assert set(MODES) == wanted


@pytest.mark.parametrize(
    ("z_um", "distance", "said"),
    [
        (3.5, 3.0, "assumed 3.00 um from focus"),
        (0.5, 0.0, "z = +0.50 um"),
        (-1.0, 0.0, "blurred by 1.50 um"),
    ],
)
def test_what_is_assumed_is_told(z_um: float, distance: float, said: str) -> None:
    plane = ENGINE.encode([VIEW], 0.25, (0.5,))
    taken = encoded_for(ENGINE, plane, RefocusRequest("assume", z_um))
    np.testing.assert_array_equal(taken.blur_um, np.full((20, 30), distance))
    assert assumption("assume", plane.planes_um, z_um) == {"assumed_distance_um": distance}
    assert focus_text("assume", z_um, plane.planes_um, "um") == said


def test_other_modes_assume_nothing() -> None:
    assert encoded_for(ENGINE, ONE, RefocusRequest("refocus", 2.0)) is ONE
    assert assumption("refocus", (0.0,), 2.0) == {}
    assert focus_text("refocus", 2.0, (0.0,)) == "z = +2.00 µm"
