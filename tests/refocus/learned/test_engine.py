"""The learned engine: what optics make of the network's picture, whatever the network has learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.metrics import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.auto import best_z
from focusviewer.refocus.learned import engine as module
from focusviewer.refocus.learned.engine import LearnedRefocuser, draw_in_focus, wanted_change
from focusviewer.refocus.learned.network import MOST_ADDED, PICTURES, WienerMixer
from focusviewer.refocus.learned.pictures import LEAST_UM, MOST_UM, assumed_um, wiener_pictures
from focusviewer.refocus.wiener.engine import WienerRefocuser
from focusviewer.refocus.wiener.filters import PictureSpectrum

MPP = 0.25


@pytest.fixture(scope="module")
def tissue() -> RGB:
    grain = gaussian_filter(np.random.default_rng(4).standard_normal((150, 171, 3)), (1.5, 1.5, 0))
    return np.asarray(np.clip(140 + 130 * grain, 0, 255), dtype=np.uint8)


@pytest.fixture(scope="module")
def scan(tissue: RGB) -> RGB:
    light = defocus_image(tissue.astype(np.float32) / 255, 1.5, MPP, Optics(na=0.7))
    return np.asarray(np.clip(light * 255, 0, 255) + 0.5, dtype=np.uint8)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LearnedRefocuser:
    """One that has learned nothing: it begins as the even mixture. The focus measure reads 1.5 um."""
    monkeypatch.setattr("focusviewer.refocus.wiener.engine.view_blur_um", lambda *_: 1.5)
    torch.manual_seed(0)
    save_file({key: value.half().contiguous() for key, value in WienerMixer().state_dict().items()}, tmp_path / "w")
    return LearnedRefocuser(tmp_path / "w")


def test_a_new_network_is_the_even_mixture_of_its_pictures(scan: RGB) -> None:
    spectrum = PictureSpectrum(scan, MPP)
    made = draw_in_focus(WienerMixer().eval(), scan, spectrum, 1.5)
    mean = np.mean([scan, *wiener_pictures(spectrum, 1.5)], axis=0).clip(0, 255)
    assert made.shape == scan.shape
    np.testing.assert_allclose(made, mean, atol=1.5)  # half precision of the pictures


def test_what_is_added_to_the_mixture_is_bounded() -> None:
    net = WienerMixer()
    torch.nn.init.constant_(net.leave.bias, 9.0)
    pictures = torch.rand(1, PICTURES, 3, 16, 16)
    made = net(pictures[:, 0], pictures[:, 1:], torch.tensor([1.0]))
    assert float((made - pictures.mean(1)).detach().abs().max()) <= MOST_ADDED + 1e-5


def test_the_knob_goes_from_the_scan_to_focus_and_beyond(
    engine: LearnedRefocuser, scan: RGB, tissue: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "draw_in_focus", lambda *_: tissue.astype(np.float32))
    encoded = engine.encode([scan], MPP)
    assert encoded.best_z_um == pytest.approx(1.5)
    assert np.array_equal(engine.render(encoded, 0.0), scan)
    near = engine.render(encoded, 0.02).astype(int)
    assert np.abs(near - scan).max() <= 3
    figures = [psnr(engine.render(encoded, z), tissue) for z in (0.0, 0.5, 1.0, 1.5)]
    assert figures == sorted(figures)
    assert psnr(engine.render(encoded, 3.5), tissue) < psnr(engine.render(encoded, 1.5), tissue)
    assert not encoded.operators_only


def test_a_distance_that_is_given_is_taken(engine: LearnedRefocuser, scan: RGB) -> None:
    given = np.full(scan.shape[:2], 2.5, np.float32)
    assert engine.encode([scan], MPP, focus_maps=[given]).best_z_um == pytest.approx(2.5)


def test_the_network_draws_a_view_once(engine: LearnedRefocuser, scan: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = module.draw_in_focus
    monkeypatch.setattr(module, "draw_in_focus", lambda *given: calls.append(1) or real(*given))
    encoded = engine.encode([scan], MPP)
    for z_um in (0.5, 1.0, 2.0):
        engine.render(encoded, z_um)
    assert len(calls) == 1


def test_several_planes_are_left_to_the_joint_operators(
    engine: LearnedRefocuser, scan: RGB, tissue: RGB, tmp_path: Path
) -> None:
    other = WienerRefocuser()
    engine = LearnedRefocuser(tmp_path / "w", lambda: other)
    maps = [np.full(scan.shape[:2], z, np.float32) for z in (1.5, 0)]
    given = [scan, tissue], MPP, (-1.5, 0.0), maps
    encoded, plain = engine.encode(*given), other.encode(*given)
    assert encoded.operators_only
    assert encoded.best_z_um == plain.best_z_um
    for target in (-0.5, 0.25, np.linspace(-1, 1, scan.shape[1], dtype=np.float32)[None].repeat(len(scan), 0)):
        assert np.array_equal(engine.render(encoded, target), other.render(plain, target))


def test_parts_of_a_large_view_meet_without_a_seam(scan: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    net = WienerMixer()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.03)
    tall = np.concatenate([scan, scan[::-1], scan])
    spectrum = PictureSpectrum(tall, MPP)
    whole = draw_in_focus(net.eval(), tall, spectrum, 1.5)
    monkeypatch.setattr(module, "_ROWS", 160)
    np.testing.assert_allclose(draw_in_focus(net, tall, spectrum, 1.5), whole, atol=0.6)


def test_distances_are_assumed_within_limits() -> None:
    assert [assumed_um(z) for z in (0.0, 1.52, 99.0)] == pytest.approx([LEAST_UM, 1.5, MOST_UM])


def test_weights_that_cannot_be_read_are_said_to_be(tmp_path: Path, scan: RGB) -> None:
    (tmp_path / "w").write_bytes(b"no weights")
    with pytest.raises(UserError, match="learned"):
        LearnedRefocuser(tmp_path / "w").encode([scan], MPP)


def test_for_a_distance_that_is_said_optics_alone_answer(
    engine: LearnedRefocuser, scan: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = engine.encode([scan], MPP)
    monkeypatch.setattr(module, "draw_in_focus", lambda *_: pytest.fail("the network was asked"))
    wiener = WienerRefocuser()
    plain = wiener.encode([scan], MPP)
    for z_um in (1.0, 3.0):
        said = engine.assume(encoded, z_um)
        assert said.operators_only
        assert np.array_equal(engine.render(said, z_um), wiener.render(wiener.assume(plain, z_um), z_um))


def test_what_is_sharp_is_left_as_scanned(engine: LearnedRefocuser, monkeypatch: pytest.MonkeyPatch) -> None:
    grain = np.random.default_rng(6).integers(0, 255, (150, 171, 3)).astype(np.uint8)
    monkeypatch.setattr(module, "draw_in_focus", lambda net, scan, *_: scan + np.float32(3))
    encoded = engine.encode([grain], MPP)
    assert encoded.notes == (module.IN_FOCUS,)
    assert best_z(engine, encoded, -4.0, 4.0) == 0.0
    assert np.array_equal(engine.render(encoded, engine.all_in_focus_target(encoded)), grain)


def test_the_best_focus_is_where_the_engine_says(engine: LearnedRefocuser, scan: RGB) -> None:
    encoded = engine.encode([scan], MPP)
    assert best_z(engine, encoded, -4.0, 4.0) == pytest.approx(encoded.best_z_um)
    assert best_z(engine, encoded, -4.0, 1.0) == 1.0


def test_the_change_a_network_wants_is_measured_against_the_detail(scan: RGB) -> None:
    drawn = scan.astype(np.float32)
    assert wanted_change(scan, drawn) == 0
    assert wanted_change(scan, drawn + 4) == pytest.approx(2 * wanted_change(scan, drawn + 2), rel=1e-3)


def test_at_focus_nothing_of_the_drawn_picture_is_lost(engine: LearnedRefocuser, scan: RGB) -> None:
    grain = np.random.default_rng(6).integers(60, 200, scan.shape).astype(np.float32)
    encoded = engine.encode([scan], MPP)
    view = replace(encoded.state, in_focus=module._in_focus(scan, grain, MPP, 1.5))
    made = engine.render(replace(encoded, state=view), 1.5)
    np.testing.assert_allclose(made, grain, atol=1.0)
