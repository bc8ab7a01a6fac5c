"""The radiance engine with random weights: what must hold whatever the network draws."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.optics.camera import Camera
from focusviewer.refocus import registry
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.radiance import depth as depths
from focusviewer.refocus.radiance.diagnostics import attention_maps, render_layers
from focusviewer.refocus.radiance.engine import FindDepth, RadianceRefocuser
from focusviewer.refocus.radiance.glass import tissue_gate
from focusviewer.refocus.radiance.grain import draws_out, grain_gate
from focusviewer.refocus.radiance.network import RadianceConfig, RadianceNet, save_radiance
from focusviewer.refocus.radiance.tiles import tiles

FloatMap = np.ndarray
TILE = 192


def weights_file(folder: Path, **changes: object) -> Path:
    """A small network that draws something everywhere."""
    torch.manual_seed(3)
    net = RadianceNet(RadianceConfig(4, 2, 2, 4, **changes))  # type: ignore[arg-type]
    torch.nn.init.normal_(net.head.weight, std=0.02)
    path = folder / "radiance.safetensors"
    save_radiance(net, path)
    return path


def flat_depth(z_um: float) -> FindDepth:
    return lambda images, mpp, planes_um: np.full(images[0].shape[:2], z_um, np.float32)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> RadianceRefocuser:
    path = weights_file(tmp_path_factory.mktemp("weights"))
    return RadianceRefocuser(path, flat_depth(1.0), device="cpu", tile_px=TILE)


def tissue(size: tuple[int, int] = (96, 128), seed: int = 0) -> RGB:
    """Structure everywhere, no glass."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((*size, 3)).astype(np.float32)
    smooth = gaussian_filter(noise, (2, 2, 0))
    return np.clip(130 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def difference(a: RGB, b: RGB) -> FloatMap:
    return np.abs(a.astype(float) - b)


@pytest.mark.parametrize("count", [1, 3, 16])
def test_acquired_planes_come_back_bit_for_bit(engine: RadianceRefocuser, count: int) -> None:
    planes = [tissue((40, 56), seed) for seed in range(count)]
    zs = [0.5 * index - 1 for index in range(count)]
    encoded = engine.encode(planes, 0.25, zs)
    for plane, z_um in zip(planes, zs, strict=True):
        assert np.array_equal(engine.render(encoded, z_um), plane)
    as_map = np.full(encoded.shape, zs[-1], np.float32)
    assert np.array_equal(engine.render(encoded, as_map), planes[-1])


def test_between_and_beyond_the_planes_the_network_draws(engine: RadianceRefocuser) -> None:
    plane = tissue()
    drawn = engine.render(engine.encode([plane], 0.25), 2.0)
    assert drawn.shape == plane.shape
    assert difference(drawn, plane).mean() > 1


def test_planes_may_come_in_any_order(engine: RadianceRefocuser) -> None:
    planes, zs, order = [tissue(seed=seed) for seed in range(3)], (-1.0, 0.5, 2.0), (2, 0, 1)
    straight = engine.render(engine.encode(planes, 0.25, zs), 1.1)
    mixed = engine.encode([planes[i] for i in order], 0.25, [zs[i] for i in order])
    assert np.array_equal(straight, engine.render(mixed, 1.1))


def test_a_target_map_that_is_constant_equals_the_one_focus(engine: RadianceRefocuser) -> None:
    encoded = engine.encode([tissue(seed=1), tissue(seed=2)], 0.25, (0.0, 2.0))
    as_map = engine.render(encoded, np.full(encoded.shape, 1.3, np.float32))
    assert np.array_equal(engine.render(encoded, 1.3), as_map)


def test_each_part_of_a_stepped_map_is_refocused_by_itself(engine: RadianceRefocuser) -> None:
    encoded = engine.encode([tissue((64, 192))], 0.25)
    target = np.zeros(encoded.shape, np.float32)
    target[:, 96:] = 2.0
    mixed = engine.render(encoded, target)
    assert np.array_equal(mixed[:, :96], encoded.state.images[0][:, :96])
    assert difference(mixed[:, 144:], engine.render(encoded, 2.0)[:, 144:]).mean() < 0.5


def test_the_picture_moves_smoothly_with_the_target(engine: RadianceRefocuser) -> None:
    encoded = engine.encode([tissue((48, 48))], 0.25)
    zs = np.concatenate([np.arange(-0.02, 0.03, 0.01), np.arange(0.47, 0.53, 0.01)])
    series = [engine.render(encoded, float(z)).astype(int) for z in zs]
    steps = [np.abs(a - b).max() for index, (a, b) in enumerate(itertools.pairwise(series)) if index != 4]
    assert max(steps) <= 3
    assert np.abs(series[0] - series[-1]).max() > 3


def test_tiles_leave_no_seams(engine: RadianceRefocuser, tmp_path: Path) -> None:
    plane = tissue((200, 420), 5)
    whole = RadianceRefocuser(weights_file(tmp_path), flat_depth(1.0), device="cpu", tile_px=1024)
    pictures = [one.render(one.encode([plane], 0.25), 2.5).astype(float) for one in (engine, whole)]
    assert len(engine.encode([plane], 0.25).state.tiles) > 2
    assert difference(pictures[1], plane).mean() > 1
    assert difference(*pictures).mean() < 0.2
    # A border would be a column at which the two pictures begin to differ.
    error = (pictures[0] - pictures[1]).mean(axis=(0, 2))
    assert np.abs(np.diff(error)).max() < 1.0


def test_the_view_goes_on_beyond_its_borders_without_a_bend(engine: RadianceRefocuser) -> None:
    """A picture that rises evenly goes on rising, so that what is drawn at its borders is what a larger view draws."""
    wide = np.repeat(np.arange(20, 180, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    narrow = np.ascontiguousarray(wide[:, 32:-32])
    view = engine.encode([narrow], 0.25).state
    assert np.array_equal(view.scaled[0][view.inner], narrow)
    assert (np.diff(view.scaled[0].astype(int), axis=1) == 1).all()
    drawn, expected = (
        engine._residual(part, np.full(part.depth.shape, 2.5, np.float32), lambda features: features)
        for part in (view, engine.encode([wide], 0.25).state)
    )
    assert drawn.shape == (3, 64, 96)
    assert np.abs(drawn - expected[:, :, 32:-32]).max() < 0.05 * np.abs(drawn).max()


def test_views_too_large_to_keep_their_features_look_the_same(
    engine: RadianceRefocuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = tissue((64, 96))
    kept = engine.encode([plane], 0.25)
    monkeypatch.setattr("focusviewer.refocus.radiance.engine._KEPT_BYTES", 0)
    made_again = engine.encode([plane], 0.25)
    assert kept.state.features is not None
    assert made_again.state.features is None
    assert np.array_equal(engine.render(kept, 1.5), engine.render(made_again, 1.5))


def test_glass_stays_as_it_is_beside_tissue_that_changes(engine: RadianceRefocuser) -> None:
    glass = Camera(noise=0.006).capture(np.full((128, 192, 3), 0.93, np.float32), np.random.default_rng(0))
    glass[:, :64] = tissue((128, 64))
    rendered = engine.render(engine.encode([glass], 0.25), 2.0)
    assert np.array_equal(rendered[:, 100:], glass[:, 100:])
    assert difference(rendered[:, :64], glass[:, :64]).mean() > 1


def grainy(sigma_px: float) -> RGB:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(2).standard_normal((96, 96, 1)), (sigma_px, sigma_px, 0))
    return np.clip(120 + 3 * noise / noise.std(), 0, 255).astype(np.uint8).repeat(3, axis=2)


def test_grain_is_told_from_blurred_tissue() -> None:
    assert grain_gate([grainy(0.0)]).max() < 0.05
    assert np.percentile(grain_gate([grainy(0.6)]), 90) < 0.1  # spread over its neighbours
    assert grain_gate([tissue((96, 96))]).min() == 1
    assert grain_gate([grainy(0.0), tissue((96, 96))]).min() == 1


def test_grain_is_not_drawn_out_but_may_be_smoothed(engine: RadianceRefocuser) -> None:
    plane = grainy(0.5)
    plane[:, :48] = tissue((96, 48))
    encoded = engine.encode([plane], 0.25)  # the tissue is selector_depth at 1 um
    nearer, farther = engine.render(encoded, 1.0), engine.render(encoded, -3.0)
    assert difference(nearer, plane)[:, 72:].mean() < 0.1
    assert difference(nearer, plane)[:, :30].mean() > 1
    assert difference(farther, plane)[:, 72:].mean() > 0.5


def test_targets_nearer_than_every_plane_draw_detail_out() -> None:
    depth = np.full((1, 1), 1.0, np.float32)
    found = [float(draws_out((0.0, 4.0), depth, np.float32([[z]]))[0, 0]) for z in (-1.0, 0.0, 0.25, 1.0, 1.9, 3.0)]
    assert found == pytest.approx([0, 0, 0.5, 1, 0.2, 0], abs=1e-6)


def test_a_view_of_glass_alone_is_left_alone(engine: RadianceRefocuser) -> None:
    glass = Camera(noise=0.006).capture(np.full((64, 64, 3), 0.9, np.float32), np.random.default_rng(1))
    encoded = engine.encode([glass], 0.25)
    assert encoded.state.tiles == []
    assert np.array_equal(engine.render(encoded, 3.0), glass)


def test_dark_smooth_places_are_not_taken_for_glass() -> None:
    smooth = np.full((64, 64, 3), 240, np.uint8)
    smooth[:, :32] = (150, 60, 140)
    gate = tissue_gate([smooth])
    assert gate[:, :24].min() == 1
    assert gate[:, 56:].max() == 0


@pytest.mark.parametrize("mpp", [0.17, 0.5])
def test_other_pixel_sizes_are_scaled_for_the_network_only(engine: RadianceRefocuser, mpp: float) -> None:
    plane = tissue((50, 70))
    encoded = engine.encode([plane], mpp)
    rows, columns = encoded.state.inner
    assert (rows.stop - rows.start, columns.stop - columns.start) == (round(50 * mpp / 0.25), round(70 * mpp / 0.25))
    assert np.array_equal(engine.render(encoded, 0.0), plane)
    assert difference(engine.render(encoded, 2.0), plane).mean() > 0.5


@pytest.mark.parametrize("shape", [(9, 40), (5, 6), (33, 17)])
def test_small_views_of_odd_size(engine: RadianceRefocuser, shape: tuple[int, int]) -> None:
    encoded = engine.encode([tissue(shape)], 0.25)
    assert engine.render(encoded, engine.all_in_focus_target(encoded)).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("planes", "mpp", "zs"),
    [(1, 0.7, (0.0,)), (1, 0.14, (0.0,)), (2, 0.25, (0.0,)), (0, 0.25, ()), (17, 0.25, tuple(range(17)))],
)
def test_what_it_cannot_do_is_said(engine: RadianceRefocuser, planes: int, mpp: float, zs: tuple[float, ...]) -> None:
    with pytest.raises(UserError):
        engine.encode([np.zeros((32, 32, 3), np.uint8)] * planes, mpp, zs)


def test_maps_and_planes_that_do_not_fit_are_refused(engine: RadianceRefocuser) -> None:
    image = tissue((32, 32))
    with pytest.raises(UserError, match="target map"):
        engine.render(engine.encode([image], 0.25), np.zeros((16, 16), np.float32))
    with pytest.raises(UserError, match="size"):
        engine.encode([image, tissue((32, 40))], 0.25, (0.0, 1.0))
    with pytest.raises(UserError, match="focus maps"):
        engine.encode([image], 0.25, focus_maps=[np.zeros((16, 16), np.float32)])


def test_known_focus_maps_replace_the_estimate(engine: RadianceRefocuser) -> None:
    maps = [np.full((32, 40), value, np.float32) for value in (3.0, 1.0)]
    encoded = engine.encode([tissue((32, 40)), tissue((32, 40))], 0.25, (0.0, 2.0), maps)
    assert encoded.best_z_um == pytest.approx(3.0)
    stepped = np.repeat(np.float32([[0.5, 2.5]]), 20, axis=1).repeat(32, axis=0)
    assert np.array_equal(engine.encode([tissue((32, 40))], 0.25, (0.0,), [stepped]).blur_um, stepped)


def test_depth_is_believed_from_a_few_of_many_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, ...]] = []

    class Fast:
        def encode(self, images: list[RGB], mpp: float, planes_um: tuple[float, ...]) -> Encoded:
            asked.append(tuple(planes_um))
            return Encoded((40, 50), mpp, tuple(planes_um), np.full((40, 50), 2.0, np.float32), None)

    monkeypatch.setattr(depths, "_fast", Fast)
    zs = [0.5 * index - 3 for index in range(16)]
    assert depths.selector_depth([tissue((40, 50))] * 16, 0.25, zs) == pytest.approx(np.full((40, 50), -1.0))
    assert len(asked[0]) == 5
    assert {zs[0], zs[-1]} < set(asked[0])


@pytest.mark.parametrize("true_um", [-1.5, 0.4, 2.9])
def test_one_plane_that_misjudges_moves_the_depth_little(true_um: float) -> None:
    zs = (-2.0, 0.0, 2.0, 4.0)
    distances = [np.full((3, 4), abs(true_um - z), np.float32) for z in zs]
    distances[3][:] = 0.5
    assert depths.combine(distances, zs) == pytest.approx(np.full((3, 4), true_um), abs=0.25)


def test_one_plane_has_its_tissue_on_the_positive_side() -> None:
    assert depths.combine([np.full((2, 2), 1.5, np.float32)], [-1.0]) == pytest.approx(np.full((2, 2), 0.5))


def test_a_focus_model_tells_depth_too() -> None:
    sharp = tissue((256, 300))
    depth = depths.model_depth([sharp], 0.25, (0.5,))
    assert depth.shape == (256, 300)
    assert depth.min() >= 0.5


@pytest.mark.parametrize(("size", "side"), [((100, 500), 192), ((97, 1000), 1024), ((700, 333), 224)])
def test_weights_of_all_tiles_sum_to_one(size: tuple[int, int], side: int) -> None:
    total = np.zeros(size)
    for tile in tiles(size, side):
        assert tile.rows[0] % 32 == tile.columns[0] % 32 == 0
        total[tile.part] += tile.weights()
    assert np.allclose(total, 1)


def test_attention_maps_follow_the_target_and_sum_to_one(engine: RadianceRefocuser) -> None:
    encoded = engine.encode([tissue((96, 300))], 0.25)
    near, far = (attention_maps(engine, encoded, z) for z in (0.0, 3.0))
    assert [part.shape for part in near] == [(2, 96, 300), (2, 48, 150), (2, 24, 75)]
    assert all(np.allclose(part.sum(axis=0), 1, atol=1e-5) for part in near)
    assert np.abs(near[0] - far[0]).max() > 1e-3


def test_the_first_layer_alone_draws_another_picture(engine: RadianceRefocuser) -> None:
    encoded = engine.encode([tissue()], 0.25)
    whole, first = engine.render(encoded, 2.0), render_layers(engine, encoded, 2.0, [0])
    assert np.array_equal(render_layers(engine, encoded, 2.0, [0, 1]), whole)
    assert difference(first, whole).mean() > 0.1
    with pytest.raises(ValueError, match="layers"):
        render_layers(engine, encoded, 2.0, [2])


def test_unreadable_weights_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match="weights of radiance") as told:
        RadianceRefocuser(tmp_path / "bad.safetensors", flat_depth(0)).encode([tissue((16, 16))], 0.25)
    assert "\n" not in str(told.value)


def test_the_registry_lists_it_and_says_when_weights_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.core.registry.find_weights", lambda file: None)
    entry = next(entry for entry in registry.engines() if entry.name == "radiance")
    assert entry.trained
    assert not entry.available
    with pytest.raises(UserError, match=r"radiance\.safetensors"):
        registry.get_engine("radiance")
