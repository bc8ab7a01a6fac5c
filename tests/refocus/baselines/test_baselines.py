from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from focusviewer.core.errors import UserError
from focusviewer.core.files import weights_from
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.refocus import baselines, engines, get_engine
from focusviewer.refocus.baselines.dfi import DfiNet
from focusviewer.refocus.baselines.learned import DEBLURRERS, INTERPOLATORS, network
from focusviewer.refocus.baselines.richardson_lucy import richardson_lucy
from focusviewer.refocus.baselines.unsharp import Unsharp
from focusviewer.refocus.baselines.views import depth_map
from focusviewer.refocus.baselines.wiener import WienerBlind, oracle_wiener
from focusviewer.refocus.blur_map import blur_map

OPTICS = Optics(na=0.7)
NAMES = [entry.name for entry in baselines()]
LEARNED = (*INTERPOLATORS, *DEBLURRERS)


def texture(size: int = 160) -> np.ndarray:
    """Dark irregular blobs on a light ground: float32 (size, size, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(3)
    fine = gaussian_filter(rng.standard_normal((size, size)), 1.0)
    coarse = gaussian_filter(rng.standard_normal((size, size)), 5.0)
    density = np.clip(fine / fine.std() * 0.2 + coarse / coarse.std() * 0.2 + 0.3, 0, 1)
    return (10 ** -(density[..., None] * np.array([0.6, 0.9, 0.4]))).astype(np.float32)


def pixels(light: np.ndarray, noise: float = 0.0) -> np.ndarray:
    return Camera(noise=noise).capture(light, np.random.default_rng(1))


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((image.astype(float) - truth) ** 2) / 255**2))


@pytest.fixture
def random_weights(tmp_path: Path) -> Iterator[Path]:
    """Networks that nobody trained, but that draw something, in place of those that are shipped."""
    folder = tmp_path / "baselines"
    folder.mkdir()
    for name in LEARNED:
        torch.manual_seed(4)
        net = network(name)
        for key, parameter in net.named_parameters():
            if "head" in key or "draw" in key:
                torch.nn.init.normal_(parameter, 0, 0.05)
        save_file({key: value.half() for key, value in net.state_dict().items()}, folder / f"{name}.safetensors")
    with weights_from(tmp_path):
        yield folder


@pytest.mark.parametrize("domain", ["density", "intensity"])
@pytest.mark.parametrize("z_um", [1.0, -2.0, 3.0])
def test_the_oracle_restores_what_it_knows(domain: str, z_um: float) -> None:
    sharp = texture()
    scan = pixels(defocus_image(sharp, z_um, 0.25, OPTICS, domain), 0.002)
    restored = oracle_wiener(scan, OPTICS, z_um, 0.25, 0.002)
    assert psnr(restored, pixels(sharp)) > psnr(scan, pixels(sharp)) + 3


def test_the_oracle_finds_out_what_adds_up() -> None:
    scan = pixels(defocus_image(texture(), 2.0, 0.25, OPTICS, "density"), 0.002)
    found, right, wrong = (oracle_wiener(scan, OPTICS, 2.0, 0.25, 0.002, d) for d in (None, "density", "intensity"))
    assert np.array_equal(found, right)
    assert not np.array_equal(found, wrong)


def test_the_oracle_leaves_a_scan_in_focus_as_it_is(rng: np.random.Generator) -> None:
    scan = rng.integers(0, 256, (41, 50, 3), dtype=np.uint8)
    assert np.array_equal(oracle_wiener(scan, OPTICS, 0.0, 0.25, 0.01), scan)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_the_oracle_makes_nothing_out_of_nothing(value: int) -> None:
    glass = np.full((40, 40, 3), value, np.uint8)
    assert np.abs(oracle_wiener(glass, OPTICS, 2.0, 0.25, 0.004).astype(int) - value).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_returns_planes_as_they_are_and_draws_between(name: str, random_weights: Path) -> None:
    engine = get_engine(name)
    views = [pixels(defocus_image(texture(70)[:61], z, 0.25, OPTICS)) for z in (2.0, 1.0)]
    encoded = engine.encode(views, 0.25, (1.5, -1.5), focus_maps=[np.full((61, 70), z, np.float32) for z in (2.0, 1.0)])
    assert np.array_equal(engine.render(encoded, 1.5), views[0])
    assert np.array_equal(engine.render(encoded, -1.5), views[1])
    between = engine.render(encoded, 0.4)
    assert between.shape == views[0].shape and between.dtype == np.uint8
    assert not any(np.array_equal(between, view) for view in views)
    assert np.unique(between).size > 4
    assert (engine.parameters() > 50_000) == (name in LEARNED)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in INTERPOLATORS])
def test_one_plane_is_enough_for_all_but_interpolators(name: str, random_weights: Path) -> None:
    engine = get_engine(name)
    scan = pixels(texture(64))
    encoded = engine.encode([scan], 0.25)
    assert np.array_equal(engine.render(encoded, 0.0), scan)
    assert engine.render(encoded, engine.all_in_focus_target(encoded)).shape == scan.shape


@pytest.mark.parametrize("name", INTERPOLATORS)
def test_interpolators_do_not_go_beyond_the_planes(name: str, random_weights: Path) -> None:
    engine = get_engine(name)
    scan = pixels(texture(48))
    maps = [np.full((48, 48), blur, np.float32) for blur in (0.5, 1.5)]
    with pytest.raises(UserError, match="only interpolates"):
        engine.render(engine.encode([scan], 0.25, focus_maps=maps[:1]), 1.0)
    encoded = engine.encode([scan, scan], 0.25, (0.0, 1.0), maps)
    with pytest.raises(UserError, match="only interpolates"):
        engine.render(encoded, 1.2)
    assert engine.all_in_focus_target(encoded).min() >= 0.0  # the tissue lies below both planes
    assert engine.render(encoded, engine.all_in_focus_target(encoded)).shape == scan.shape


@pytest.mark.parametrize("name", INTERPOLATORS)
def test_interpolation_is_the_same_from_either_side(name: str, random_weights: Path) -> None:
    engine = get_engine(name)
    low, high = (pixels(defocus_image(texture(48), z, 0.25, OPTICS)) for z in (2.5, 0.5))
    maps = [np.full((48, 48), 1.0, np.float32)] * 2
    one = engine.render(engine.encode([low, high], 0.25, (0.0, 2.0), maps), 0.6)
    other = engine.render(engine.encode([low, high], 0.25, (0.0, -2.0), maps), -0.6)
    assert np.abs(one.astype(int) - other).max() <= 1


def test_each_pair_of_planes_draws_its_own_part_of_a_target_map(random_weights: Path) -> None:
    engine = get_engine("dfi")
    views = [pixels(defocus_image(texture(128)[:32], z, 0.25, OPTICS)) for z in (1.0, 0.0, 2.0)]
    encoded = engine.encode(views, 0.25, (0.0, 1.0, 3.0), [np.ones((32, 128), np.float32)] * 3)
    target = np.full((32, 128), 0.5, np.float32)
    target[:, 64:] = 2.0
    mixed, low, high = (engine.render(encoded, t) for t in (target, np.full_like(target, 0.5), np.full_like(target, 2)))
    assert np.array_equal(mixed[:, :16], low[:, :16])  # a network looks some pixels around each place
    assert np.array_equal(mixed[:, -16:], high[:, -16:])
    assert not np.array_equal(low, high)


def test_dfi_begins_as_the_linear_mix() -> None:
    first, second = torch.rand(2, 1, 3, 16, 16)
    share = torch.full((1, 1, 16, 16), 0.25)
    drawn = DfiNet()(first, second, share, torch.full((1, 1, 1, 1), 2.0))
    assert torch.allclose(drawn, 0.75 * first + 0.25 * second, atol=1e-6)


def test_richardson_lucy_sharpens_and_adds_no_light() -> None:
    sharp = texture()
    scan = pixels(defocus_image(sharp, 1.5, 0.25, OPTICS), 0.002)
    restored = richardson_lucy(scan, OPTICS, 1.5, 0.25)
    assert psnr(restored, pixels(sharp)) > psnr(scan, pixels(sharp)) + 1
    assert restored.std() > scan.std()
    assert restored.mean() == pytest.approx(scan.mean(), abs=0.5)
    black = np.zeros((32, 32, 3), np.uint8)
    black[8:24, 8:24] = 200
    assert richardson_lucy(black, OPTICS, 1.0, 0.25)[:4].max() == 0  # never negative, nor bright where no light is


def test_a_guessed_distance_sharpens_and_turning_away_blurs() -> None:
    sharp = texture(300)
    scan = pixels(defocus_image(sharp, 2.0, 0.25, OPTICS), 0.002)
    for engine in (WienerBlind(), Unsharp()):
        encoded = engine.encode([scan], 0.25, focus_maps=[np.full(scan.shape[:2], 2.0, np.float32)])
        assert psnr(engine.render(encoded, 2.0), pixels(sharp)) > psnr(scan, pixels(sharp))
        assert engine.render(encoded, 2.0).std() > scan.std()
        assert engine.render(encoded, -1.5).std() < scan.std()


def test_guessed_blur_covers_the_view_and_grows_with_defocus() -> None:
    sharp = texture(300)
    near, far = (blur_map(pixels(defocus_image(sharp, z, 0.25, OPTICS)), 0.25) for z in (0.0, 3.0))
    assert near.shape == far.shape == (300, 300)
    assert np.isfinite(far).all() and near.min() >= 0
    assert far.mean() > near.mean() + 0.5


def test_several_planes_tell_where_the_tissue_lies() -> None:
    blurs = [np.full((2, 2), blur, np.float32) for blur in (1.0, 3.0)]
    assert depth_map(blurs, (0.0, 2.0)) == pytest.approx(np.full((2, 2), -1.0))
    assert depth_map(blurs[:1], (0.5,)) == pytest.approx(np.full((2, 2), 1.5))


def test_baselines_are_found_by_name_and_not_offered(random_weights: Path) -> None:
    assert {entry.name for entry in engines()}.isdisjoint(NAMES)
    assert all(entry.available for entry in baselines())
    assert [get_engine(name).name for name in NAMES] == NAMES


def test_damaged_weights_and_other_scales_are_told(random_weights: Path) -> None:
    (random_weights / "dfi.safetensors").write_bytes(b"cut off")
    with pytest.raises(UserError, match="weights of dfi"):
        get_engine("dfi").parameters()
    with pytest.raises(UserError, match="um per pixel"):
        get_engine("mprnet-small").encode([np.zeros((32, 32, 3), np.uint8)], 0.5)


@pytest.mark.parametrize(("planes", "zs"), [(2, (0.0,)), (0, ())])
def test_numbers_of_planes_must_fit(planes: int, zs: tuple[float, ...]) -> None:
    with pytest.raises(UserError):
        Unsharp().encode([np.zeros((32, 32, 3), np.uint8)] * planes, 0.25, zs)


def test_shipped_networks_are_small_and_have_cards() -> None:
    shipped = [entry.weights for entry in baselines() if entry.weights is not None]
    assert shipped
    for weights in shipped:
        assert weights.stat().st_size < 1_000_000
        card = weights.with_suffix(".md").read_text(encoding="utf-8")
        assert all(fact in card for fact in ("Data", "Command", "Hardware", "Figures", "Limits"))
