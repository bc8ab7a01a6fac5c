from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from focusviewer.core.errors import UserError
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.refocus import engines, get_engine
from focusviewer.refocus.fast import engine as fast
from focusviewer.refocus.fast import filtering
from focusviewer.refocus.fast.belief import believe
from focusviewer.refocus.fast.engine import REFRACTS_ASSUMED, FastRefocuser, _upsampled_rows
from focusviewer.refocus.fast.operators import HYPOTHESES
from focusviewer.refocus.fast.selector import Selector
from focusviewer.refocus.sources import AUTO_PLANES


def texture(seed: int = 0, size: int = 160) -> np.ndarray:
    """Dark irregular blobs on a light ground: float32 (size, size, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fine = gaussian_filter(rng.standard_normal((size, size)), 1.0)
    coarse = gaussian_filter(rng.standard_normal((size, size)), 5.0)
    density = np.clip(fine / fine.std() * 0.2 + coarse / coarse.std() * 0.2 + 0.3, 0, 1)
    return (10 ** -(density[..., None] * np.array([0.6, 0.9, 0.4]))).astype(np.float32)


def engine_that_believes(tmp_path: Path, hypothesis: int) -> FastRefocuser:
    """An engine whose selector always gives one hypothesis."""
    selector = Selector(8)
    for parameter in selector.parameters():
        torch.nn.init.zeros_(parameter)
    selector.leave.bias.data[hypothesis] = 30.0
    path = tmp_path / "selector.safetensors"
    save_file(selector.state_dict(), str(path))
    return FastRefocuser(path)


def engine_that_knows_nothing(tmp_path: Path) -> FastRefocuser:
    """An engine whose selector finds all hypotheses alike."""
    selector = Selector(8)
    for parameter in selector.parameters():
        torch.nn.init.zeros_(parameter)
    path = tmp_path / "selector.safetensors"
    save_file(selector.state_dict(), str(path))
    return FastRefocuser(path)


def pixels(image: np.ndarray) -> np.ndarray:
    return (image * 255 + 0.5).astype(np.uint8)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean((a.astype(float) - b.astype(float)) ** 2))


@pytest.fixture
def believes_2um(tmp_path: Path) -> FastRefocuser:
    index = next(i for i, guess in enumerate(HYPOTHESES) if guess.blur_um == 2.0)
    return engine_that_believes(tmp_path, index)


def test_z_zero_returns_the_scan_bit_for_bit(believes_2um: FastRefocuser, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (63, 70, 3), dtype=np.uint8)
    assert np.array_equal(believes_2um.render(believes_2um.encode([image], 0.25), 0.0), image)


def test_turning_to_the_tissue_sharpens_and_away_blurs(believes_2um: FastRefocuser) -> None:
    sharp = texture()
    blurred = pixels(defocus_image(sharp, 2.0, 0.25, Optics(na=0.7)))
    encoded = believes_2um.encode([blurred], 0.25)
    best = believes_2um.render(encoded, 2.0)
    assert encoded.best_z_um == pytest.approx(2.0, abs=0.01)
    assert error(best, pixels(sharp)) < 0.5 * error(blurred, pixels(sharp))
    assert believes_2um.render(encoded, -2.0).std() < blurred.std() < best.std()


def test_all_in_focus_target_is_the_best_uniform_one_on_a_flat_section(believes_2um: FastRefocuser) -> None:
    blurred = pixels(defocus_image(texture(), 2.0, 0.25))
    encoded = believes_2um.encode([blurred], 0.25)
    both = [believes_2um.render(encoded, t) for t in (2.0, believes_2um.all_in_focus_target(encoded))]
    assert np.abs(both[0].astype(int) - both[1]).max() <= 1


def test_a_target_map_refocuses_each_part_by_itself(believes_2um: FastRefocuser) -> None:
    blurred = pixels(defocus_image(texture(), 2.0, 0.25))
    encoded = believes_2um.encode([blurred], 0.25)
    target = np.zeros(encoded.shape, np.float32)
    target[:, 80:] = 2.0
    mixed = believes_2um.render(encoded, target)
    assert np.abs(mixed[:, :72].astype(int) - blurred[:, :72]).max() <= 1
    assert error(mixed[:, 88:], believes_2um.render(encoded, 2.0)[:, 88:]) < 1.0


def test_the_focus_turns_smoothly(believes_2um: FastRefocuser) -> None:
    encoded = believes_2um.encode([pixels(defocus_image(texture(), 2.0, 0.25))], 0.25)
    series = [believes_2um.render(encoded, float(z)).astype(float) for z in np.arange(-1, 3.01, 0.1)]
    steps = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(series)]
    assert max(steps) < 2.5


def test_glass_stays_as_it_is(believes_2um: FastRefocuser) -> None:
    rng = np.random.default_rng(0)
    glass = Camera(noise=0.0).capture(np.full((96, 96, 3), 0.93, np.float32), rng)
    encoded = believes_2um.encode([glass], 0.25)
    for z in (-2.0, 1.0, 3.0):
        assert np.abs(believes_2um.render(encoded, z).astype(int) - glass).max() <= 1


def test_acquired_planes_come_back_as_they_are_and_gaps_lie_between(tmp_path: Path) -> None:
    engine = engine_that_believes(tmp_path, 0)
    sharp = texture(3)
    planes = [pixels(defocus_image(sharp, abs(z), 0.25)) for z in (-2.0, 0.0, 2.0)]
    encoded = engine.encode(planes, 0.25, (-2.0, 0.0, 2.0))
    for plane, z in zip(planes, (-2.0, 0.0, 2.0), strict=True):
        assert np.array_equal(engine.render(encoded, z), plane)
    between = engine.render(encoded, 1.0)
    assert planes[2].std() < between.std() <= planes[1].std() + 1


def test_planes_may_come_in_any_order(tmp_path: Path) -> None:
    engine = engine_that_believes(tmp_path, 0)
    planes = [pixels(defocus_image(texture(4), z, 0.25)) for z in (2.0, 0.0)]
    encoded = engine.encode(planes, 0.25, (2.0, 0.0))
    assert np.array_equal(engine.render(encoded, 2.0), planes[0])


def test_known_focus_maps_replace_the_estimate(tmp_path: Path) -> None:
    engine = engine_that_believes(tmp_path, 0)
    blurred = pixels(defocus_image(texture(5), 1.5, 0.25))
    encoded = engine.encode([blurred], 0.25, focus_maps=[np.full(blurred.shape[:2], 1.5, np.float32)])
    assert encoded.best_z_um == pytest.approx(1.5, abs=0.01)
    assert engine.render(encoded, 1.5).std() > blurred.std()


@pytest.mark.parametrize(
    ("planes", "mpp", "zs"),
    [(1, 1.2, (0.0,)), (1, 0.05, (0.0,)), (2, 0.25, (0.0,)), (0, 0.25, ())],
)
def test_what_it_cannot_do_is_said(believes_2um: FastRefocuser, planes: int, mpp: float, zs: tuple[float, ...]) -> None:
    with pytest.raises(UserError):
        believes_2um.encode([np.zeros((32, 32, 3), np.uint8)] * planes, mpp, zs)


def test_planes_of_unequal_size_are_refused(believes_2um: FastRefocuser) -> None:
    with pytest.raises(UserError, match="size"):
        believes_2um.encode([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 40, 3), np.uint8)], 0.25, (0.0, 1.0))


def test_a_target_map_of_the_wrong_size_is_refused(believes_2um: FastRefocuser) -> None:
    encoded = believes_2um.encode([np.zeros((32, 32, 3), np.uint8)], 0.25)
    with pytest.raises(UserError, match="target map"):
        believes_2um.render(encoded, np.zeros((16, 16), np.float32))


def test_the_registry_lists_and_builds_the_engine() -> None:
    assert "fast" in [entry.name for entry in engines()]
    assert get_engine("fast").parameters() > 10_000
    with pytest.raises(UserError, match="fast"):
        get_engine("magic")


@pytest.mark.parametrize("rows", [slice(0, 48), slice(48, 96), slice(96, 132)])
def test_a_band_of_maps_equals_the_same_rows_of_the_whole(rows: slice, rng: np.random.Generator) -> None:
    cells = torch.from_numpy(rng.random((3, 33, 20), dtype=np.float32))
    whole = torch.nn.functional.interpolate(cells[None], (132, 80), mode="bilinear", align_corners=False)[0]
    assert torch.allclose(_upsampled_rows(cells, rows, 80), whole[:, rows], atol=1e-6)


def test_several_planes_tell_the_side_of_focus(tmp_path: Path) -> None:
    weights = np.zeros((len(HYPOTHESES), 4, 4), np.float32)
    near, far = (next(i for i, guess in enumerate(HYPOTHESES) if guess.blur_um == blur) for blur in (1.0, 3.0))
    below, above = weights.copy(), weights.copy()
    below[near], above[far] = 1, 1
    depth = believe([below, above], [0.0, 2.0]).mean_depth()
    assert depth.mean() == pytest.approx(-1.0, abs=0.4)


@pytest.mark.parametrize("shape", [(9, 40), (40, 9), (5, 6)])
def test_views_of_a_few_cells_take_target_maps(believes_2um: FastRefocuser, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 180, np.uint8)
    encoded = believes_2um.encode([image], 0.25)
    assert believes_2um.render(encoded, believes_2um.all_in_focus_target(encoded)).shape == image.shape


def test_unreadable_weights_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "selector.safetensors"
    path.write_bytes(b"cut off")
    with pytest.raises(UserError, match="weights of fast") as told:
        FastRefocuser(path).encode([np.zeros((32, 32, 3), np.uint8)], 0.25)
    assert "\n" not in str(told.value)


def test_many_planes_keep_few_filtered_images_and_the_same_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_that_believes(tmp_path, 0)
    zs = (-2.0, -1.0, 0.5, 2.0)
    planes = [pixels(defocus_image(texture(6, 96), abs(z), 0.25)) for z in zs]
    whole = engine.render(engine.encode(planes, 0.25, zs), 0.0)
    monkeypatch.setattr(fast, "KEPT_PLANES", 1)
    encoded = engine.encode(planes, 0.25, zs)
    assert np.array_equal(engine.render(encoded, 0.0), whole)
    assert len(encoded.state.layers._kept) == 1


def test_planes_that_the_program_chooses_are_filtered_once_for_all_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_that_believes(tmp_path, 0)
    zs = tuple(float(index) for index in range(AUTO_PLANES))
    encoded = engine.encode(stack_of(zs), 0.25, zs)
    monkeypatch.setattr(filtering, "filter_layers", lambda *given: pytest.fail("filtered again"))
    targets = np.broadcast_to(np.linspace(0, zs[-1], 160, dtype=np.float32), (160, 160))
    first, again = engine.render(encoded, targets), engine.render(encoded, targets)
    assert np.array_equal(first, again)


def stack_of(zs: tuple[float, ...], seed: int = 7) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    light = [defocus_image(texture(seed), abs(z), 0.25, Optics(na=0.7)) for z in zs]
    return [Camera(noise=0.003).capture(part, rng) for part in light]


@pytest.mark.parametrize("zs", [(-1.0, 1.0), (0.75, 2.0), (-2.0, -1.0, 1.5), (1.0, 2.0, 3.0)])
def test_planes_around_or_beside_focus_beat_the_nearest_one(tmp_path: Path, zs: tuple[float, ...]) -> None:
    """With a selector that knows nothing: the depth comes from comparing the planes."""
    engine = engine_that_knows_nothing(tmp_path)
    planes = stack_of(zs)
    encoded = engine.encode(planes, 0.25, zs)
    truth = pixels(texture(7))
    made = engine.render(encoded, 0.0)
    assert error(made, truth) < 0.8 * min(error(plane, truth) for plane in planes)
    assert float(np.median(np.abs(encoded.blur_um + zs[0]))) < 0.3


def test_two_planes_around_a_gap_beat_their_mixture(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    low, truth, high = stack_of((0.5, 1.25, 2.0))
    made = engine.render(engine.encode([low, high], 0.25, (0.5, 2.0)), 1.25)
    assert error(made, truth) < error((low.astype(float) + high) / 2, truth)


def test_planes_that_tell_nothing_are_shown_by_their_nearness(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    flat = [np.full((64, 64, 3), value, np.uint8) for value in (100, 140)]
    encoded = engine.encode(flat, 0.25, (0.0, 2.0))
    means = [float(engine.render(encoded, z).mean()) for z in (0.1, 0.5, 1.0, 1.5, 1.9)]
    assert means == sorted(means)
    assert means[0] < 105
    assert means[2] == pytest.approx(120, abs=1)
    assert means[-1] > 135


def test_the_picture_turns_smoothly_into_an_acquired_plane(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    planes = stack_of((-1.0, 1.0))
    encoded = engine.encode(planes, 0.25, (-1.0, 1.0))
    assert np.abs(engine.render(encoded, 0.98).astype(int) - planes[1]).mean() < 1.0
    target = np.full(encoded.shape, 1.0, np.float32)
    target[:, 80:] = -1.0
    map_made = engine.render(encoded, target)
    assert np.array_equal(map_made[:, :72], planes[1][:, :72])
    assert np.array_equal(map_made[:, 88:], planes[0][:, 88:])


def test_planes_at_one_place_are_no_harm(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    planes = stack_of((0.5, 0.5))
    encoded = engine.encode(planes, 0.25, (0.5, 0.5))
    assert np.isfinite(encoded.blur_um).all()
    for z in (-1.0, 0.5, 2.0):
        assert engine.render(encoded, z).mean() == pytest.approx(planes[0].mean(), abs=1)


def smear(rim_px: float = 3) -> np.ndarray:
    """Cells on glass with rims brighter than it: uint8 (128, 128, 3)."""
    y, x = np.mgrid[:128, :128]
    distance = np.minimum.reduce([np.hypot(y - cy, x - cx) - 14 for cy, cx in [(30, 30), (80, 90), (100, 40)]])
    view = np.where(distance < 0, 0.5, np.where(distance < rim_px, 1.0, 0.88))
    return np.repeat((view * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_one_plane_of_a_specimen_that_refracts_is_left_as_scanned(believes_2um: FastRefocuser) -> None:
    view = smear()
    encoded = believes_2um.encode([view], 0.25)
    assert "left as scanned" in encoded.notes[0]
    for z in (-1.0, 1.0, 2.0):
        assert np.array_equal(believes_2um.render(encoded, z), view)


def test_a_specimen_that_refracts_is_worked_on_when_somebody_says_its_distance(believes_2um: FastRefocuser) -> None:
    scan = smear()
    assumed = believes_2um.assume(believes_2um.encode([scan], 0.25), 2.0)
    assert assumed.notes == (REFRACTS_ASSUMED,)
    assert not np.array_equal(believes_2um.render(assumed, 2.0), scan)


def test_planes_of_a_specimen_that_refracts_are_mixed_by_their_nearness(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    planes = [smear(3), np.roll(smear(5), 1, axis=1)]  # no blur makes one of the other
    encoded = engine.encode(planes, 0.25, (0.0, 2.0))
    assert encoded.notes
    made = engine.render(encoded, 0.5).astype(float)
    assert np.abs(made - (0.75 * planes[0] + 0.25 * planes[1])).max() <= 1


def test_bright_rims_do_not_matter_where_blur_explains_both_planes(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    light = smear().astype(np.float32) / 255
    planes = [pixels(defocus_image(light, z, 0.25, Optics(na=0.7))) for z in (0.5, 2.0)]
    encoded = engine.encode(planes, 0.25, (0.5, 2.0))
    assert not encoded.notes
    assert error(engine.render(encoded, 0.0), smear()) < 0.8 * error(planes[0], smear())


def test_the_gap_between_two_planes_is_closer_to_the_truth_than_either_and_their_mixture(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    low, truth, high = stack_of((-1.0, 0.0, 1.0), seed=8)
    made = engine.render(engine.encode([low, high], 0.25, (-1.0, 1.0)), 0.0)
    assert error(made, truth) < 0.5 * min(error(plane, truth) for plane in (low, high, (low / 2 + high / 2)))


def test_glass_of_two_planes_keeps_its_brightness(tmp_path: Path) -> None:
    engine = engine_that_knows_nothing(tmp_path)
    glass = [
        Camera(noise=0.0).capture(np.full((96, 96, 3), 0.93, np.float32), np.random.default_rng(i)) for i in (0, 1)
    ]
    encoded = engine.encode(glass, 0.25, (0.0, 1.5))
    for z in (-2.0, 0.6, 4.0):
        assert np.abs(engine.render(encoded, z).astype(int) - glass[0]).max() <= 1
