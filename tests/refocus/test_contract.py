"""What every refocusing engine and baseline keeps to, whatever it does inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.registry import ModelEntry
from focusviewer.refocus.base import SAME_Z_UM, Encoded, Refocuser, acquired_plane
from focusviewer.refocus.baselines.learned import INTERPOLATORS
from focusviewer.refocus.piecewise import PiecewiseEngine
from focusviewer.refocus.registry import ENGINES

SHAPE = (70, 93)
ZS = (-1.0, 0.5, 2.0)
MPP = 0.25
TISSUE_UM = 0.25


def stack() -> list[RGB]:
    """Planes at ZS of tissue that lies at TISSUE_UM: alike, but not the same."""
    rng = np.random.default_rng(8)
    density = gaussian_filter(rng.standard_normal(SHAPE), 1.5)
    light = 10 ** -(np.clip(density / density.std() * 0.2 + 0.3, 0, 1)[..., None] * np.array([0.6, 0.9, 0.4]))
    return [
        np.round(255 * gaussian_filter(light, (0.6 * abs(z - TISSUE_UM), 0.6 * abs(z - TISSUE_UM), 0))).astype(np.uint8)
        for z in ZS
    ]


PLANES = stack()
MAPS = [np.full(SHAPE, abs(z - TISSUE_UM), np.float32) for z in ZS]


@pytest.fixture(scope="module", params=[*(entry.name for entry in ENGINES.every_entry()), "patchwork"])
def engine(request: pytest.FixtureRequest) -> Refocuser:
    if request.param == "patchwork":
        return PiecewiseEngine(ENGINES.get("fast"), 48)
    return _entry(request.param).build()


def _entry(name: str) -> ModelEntry[Refocuser]:
    entry = ENGINES.entry(name)
    if not entry.available:
        pytest.skip(f"the weights of {name} are not in this checkout")
    return entry


def encode(engine: Refocuser, order: tuple[int, ...] = (0, 1, 2)) -> Encoded:
    return engine.encode([PLANES[i] for i in order], MPP, [ZS[i] for i in order], [MAPS[i] for i in order])


def test_acquired_planes_come_back_bit_for_bit_and_are_copies(engine: Refocuser) -> None:
    encoded = encode(engine)
    for index, z_um in enumerate(ZS):
        for target in (z_um, np.float32(z_um), np.float64(z_um + SAME_Z_UM / 2)):
            made = engine.render(encoded, target)
            assert np.array_equal(made, PLANES[index])
            assert not np.shares_memory(made, PLANES[index])


def test_planes_may_come_in_any_order(engine: Refocuser) -> None:
    ordered, shuffled = encode(engine), encode(engine, (2, 0, 1))
    assert shuffled.planes_um == ordered.planes_um == ZS
    assert np.array_equal(shuffled.blur_um, ordered.blur_um)
    assert np.array_equal(engine.render(shuffled, 1.25), engine.render(ordered, 1.25))
    assert np.array_equal(engine.render(shuffled, ZS[2]), PLANES[2])


def test_what_is_known_of_a_view_fits_it(engine: Refocuser) -> None:
    encoded = encode(engine)
    assert encoded.shape == SHAPE and encoded.mpp == MPP
    assert encoded.blur_um.shape == SHAPE and encoded.blur_um.dtype == np.float32
    assert all(np.array_equal(kept, plane) for kept, plane in zip(encoded.images, PLANES, strict=True))
    target = engine.all_in_focus_target(encoded)
    assert target.shape == SHAPE and target.dtype == np.float32 and np.isfinite(target).all()


@pytest.mark.parametrize("wanted", [0.1, 1, np.float32(1.9)])
def test_pictures_between_planes_are_drawn(engine: Refocuser, wanted: float) -> None:
    made = engine.render(encode(engine), wanted)
    assert made.shape == (*SHAPE, 3) and made.dtype == np.uint8
    assert made.std() > 5


def test_a_target_map_is_drawn_and_must_fit(engine: Refocuser) -> None:
    encoded = encode(engine)
    ramp = np.linspace(ZS[0], ZS[-1], SHAPE[1], dtype=np.float32)[None].repeat(SHAPE[0], 0)
    for target in (ramp, ramp.astype(np.float64), engine.all_in_focus_target(encoded)):
        made = engine.render(encoded, target)
        assert made.shape == (*SHAPE, 3) and made.dtype == np.uint8
    with pytest.raises(UserError, match="target map does not fit"):
        engine.render(encoded, ramp[:, 1:])


@pytest.mark.parametrize("wanted", [ZS[0] - 1.5, ZS[-1] + 1.5])
def test_beyond_the_planes_is_drawn_or_refused_with_a_reason(engine: Refocuser, wanted: float) -> None:
    encoded = encode(engine)
    if engine.name in INTERPOLATORS:
        with pytest.raises(UserError, match="only interpolates"):
            engine.render(encoded, wanted)
        return
    assert engine.render(encoded, wanted).shape == (*SHAPE, 3)


@pytest.mark.parametrize("target", [float("nan"), float("inf"), np.full(SHAPE, np.nan, np.float32)])
def test_a_target_that_is_no_number_is_refused(engine: Refocuser, target: float | FloatMap) -> None:
    with pytest.raises(UserError, match="not a number"):
        engine.render(encode(engine), target)


def assumed(engine: Refocuser, encoded: Encoded, distance_um: float, z_um: float) -> RGB:
    taken = engine.assume(encoded, distance_um)
    assert taken.planes_um == encoded.planes_um and taken.likely_um is None
    np.testing.assert_allclose(taken.blur_um, distance_um, atol=1e-5)
    return engine.render(taken, z_um)


def test_one_plane_may_be_taken_to_lie_at_any_distance(engine: Refocuser) -> None:
    if engine.name in INTERPOLATORS:
        pytest.skip("it draws nothing from one plane")
    encoded = engine.encode(PLANES[:1], MPP, (0.5,))
    before = engine.render(encoded, 2.0)
    assert np.array_equal(assumed(engine, encoded, 0.0, 0.5), PLANES[0])  # bit for bit
    sharper = [assumed(engine, encoded, distance, 0.5 + distance) for distance in (1.0, 3.0)]
    assert all(made.shape == (*SHAPE, 3) and made.dtype == np.uint8 for made in sharper)
    softer = assumed(engine, encoded, 0.0, -2.5)
    if encoded.operators_only:
        assert not np.array_equal(*sharper)
        assert (
            np.abs(np.diff(softer.astype(int), axis=1)).mean() < np.abs(np.diff(PLANES[0].astype(int), axis=1)).mean()
        )
    assert np.array_equal(engine.render(encoded, 2.0), before)  # the view itself stays as it was encoded


@pytest.mark.parametrize("distance", [-0.5, 9.0, float("nan")])
def test_a_distance_that_cannot_be_is_refused(engine: Refocuser, distance: float) -> None:
    with pytest.raises(UserError, match="Cannot assume"):
        engine.assume(engine.encode(PLANES[:1], MPP), distance)


def test_several_planes_tell_where_the_tissue_lies(engine: Refocuser) -> None:
    with pytest.raises(UserError, match="3 planes tell"):
        engine.assume(encode(engine), 1.0)


BAD: list[tuple[str, Callable[[], dict[str, Any]]]] = [
    ("um per pixel", lambda: {"mpp": 0.9}),
    ("um per pixel", lambda: {"mpp": 0.05}),
    ("um per pixel", lambda: {"mpp": float("nan")}),
    ("0 planes with 0 z", lambda: {"images": [], "planes_um": ()}),
    ("3 planes with 2 z", lambda: {"planes_um": ZS[:2]}),
    ("17 planes with 17 z", lambda: {"images": PLANES[:1] * 17, "planes_um": range(17)}),
    ("differ in size", lambda: {"images": [*PLANES[:2], PLANES[2][1:]]}),
    ("float64", lambda: {"images": [plane / 255 for plane in PLANES]}),
    (r"\(70, 93\)", lambda: {"images": [plane[..., 0] for plane in PLANES]}),
    (r"\(70, 93, 4\)", lambda: {"images": [np.concatenate([plane, plane[..., :1]], 2) for plane in PLANES]}),
    (r"\(0, 93, 3\)", lambda: {"images": [plane[:0] for plane in PLANES]}),
    ("position of a plane", lambda: {"planes_um": (0.0, float("nan"), 1.0)}),
    ("maps do not fit", lambda: {"focus_maps": MAPS[:2]}),
    ("maps do not fit", lambda: {"focus_maps": [values[1:] for values in MAPS]}),
]


@pytest.mark.parametrize(("words", "wrong"), BAD)
def test_what_does_not_fit_together_is_refused(
    engine: Refocuser, words: str, wrong: Callable[[], dict[str, Any]]
) -> None:
    given: dict[str, Any] = {"images": PLANES, "mpp": MPP, "planes_um": ZS, "focus_maps": None, **wrong()}
    with pytest.raises(UserError, match=words):
        engine.encode(**given)


@pytest.mark.parametrize("entry", ENGINES.every_entry(), ids=lambda entry: entry.name)
def test_entries_say_of_engines_what_these_say_of_themselves(entry: ModelEntry[Refocuser]) -> None:
    engine = _entry(entry.name).build()
    assert engine.name == entry.name
    assert engine.is_slow == entry.is_slow == ENGINES.is_slow(entry.name)
    assert (engine.parameters() > 0) == entry.trained
    assert 0 < engine.mpps[0] < engine.mpps[1] and engine.max_planes >= 1 and engine.halo_px >= 0
    assert engine.max_z_um > 0 and engine.version


def test_no_engine_goes_around_the_checks(engine: Refocuser) -> None:
    for method in ("encode", "render", "assume", "all_in_focus_target"):
        assert getattr(type(engine), method) is getattr(Refocuser, method)


def test_only_what_was_acquired_is_called_acquired() -> None:
    assert acquired_plane((0.0, 1 / 3), round(1 / 3, 6)) == 1
    assert acquired_plane((0.0, 1 / 3), 0.33) is None
    assert acquired_plane((0.0, 1 / 3), 1e-5) is None
