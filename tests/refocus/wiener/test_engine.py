"""The textbook filter: what it does to blur, to what is in focus, and on real planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.metrics import psnr, ssim
from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus import get_engine
from focusviewer.refocus.blur_map import view_blur_um
from focusviewer.refocus.fast.operators import lens_transfer
from focusviewer.refocus.wiener import engine as module
from focusviewer.refocus.wiener.engine import WienerRefocuser, regularisation, transfer

MPP = 0.25
FREQUENCY = np.linspace(0, 2, 200, dtype=np.float32)


@pytest.fixture(scope="module")
def tissue() -> RGB:
    """A texture with the spectrum of tissue: power falls with the third power of frequency."""
    rng = np.random.default_rng(5)
    f = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None])
    noise = np.fft.fft2(rng.standard_normal((256, 256))) / np.maximum(f, 0.01) ** 1.5
    gray = np.fft.ifft2(noise).real
    gray = 140 + 35 * (gray - gray.mean()) / gray.std()
    return np.asarray(np.clip(gray[..., None] * [1.0, 0.8, 1.05], 0, 255) + 0.5, dtype=np.uint8)


def blurred(image: RGB, z_um: float, noise: float = 0.002) -> RGB:
    rng = np.random.default_rng(6)
    light = defocus_image(image.astype(np.float32) / 255, z_um, MPP, Optics(na=0.7))
    return np.asarray(np.clip((light + noise * rng.standard_normal(light.shape)) * 255, 0, 255) + 0.5, dtype=np.uint8)


def reading(monkeypatch: pytest.MonkeyPatch, z_um: float) -> None:
    """Let the focus measure read a distance."""
    monkeypatch.setattr(module, "view_blur_um", lambda image, mpp, name: z_um)


@pytest.mark.parametrize("z_um", [2.0, 3.0])
def test_blur_at_the_right_distance_is_reduced(tissue: RGB, monkeypatch: pytest.MonkeyPatch, z_um: float) -> None:
    reading(monkeypatch, z_um)
    scan = blurred(tissue, z_um)
    engine = WienerRefocuser()
    encoded = engine.encode([scan], MPP)
    made = engine.render(encoded, engine.all_in_focus_target(encoded))
    assert psnr(made, tissue) > psnr(scan, tissue) + 0.3
    assert ssim(made, tissue) > ssim(scan, tissue) + 0.02


def test_the_knob_sharpens_towards_the_tissue_and_blurs_away_from_it(
    tissue: RGB, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading(monkeypatch, 2.0)
    scan = blurred(tissue, 2.0)
    engine = WienerRefocuser()
    encoded = engine.encode([scan], MPP)
    figures = [psnr(engine.render(encoded, z), tissue) for z in (0.0, 0.5, 1.0)]
    assert figures == sorted(figures)
    assert psnr(engine.render(encoded, -1.5), tissue) < psnr(scan, tissue)


def test_a_view_in_focus_is_left_as_scanned(tissue: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, 0.1)
    engine = WienerRefocuser()
    encoded = engine.encode([tissue], MPP)
    made = engine.render(encoded, engine.all_in_focus_target(encoded))
    assert np.abs(made.astype(int) - tissue).max() <= 1
    assert encoded.notes == ("In focus as scanned.",)


def test_a_filter_to_where_the_tissue_is_changes_nothing_and_far_blur_is_restored_gently() -> None:
    passed = np.abs(lens_transfer(FREQUENCY, 1.5)) > 0.2
    assert np.allclose(transfer(FREQUENCY, 1.5, 1.5)[passed], 1.0, atol=0.01)
    near, far = transfer(FREQUENCY, 1.0, 0.0), transfer(FREQUENCY, 3.0, 0.0)
    assert 1.2 < near.max() < 2.5
    assert 1.2 < far.max() < 2.5
    assert [regularisation(z) for z in (0.5, 1.2, 1.79, 1.8, 4.0)] == [0.1, 0.3, 0.3, 1.0, 1.0]


def test_several_planes_say_on_which_side_the_tissue_lies(tissue: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    planes = {z: blurred(tissue, abs(z - 0.5)) for z in (-1.0, 2.0)}
    monkeypatch.setattr(module, "view_blur_um", lambda image, mpp, name: 1.5)
    engine = WienerRefocuser()
    encoded = engine.encode(list(planes.values()), MPP, tuple(planes))
    assert encoded.best_z_um == pytest.approx(0.5, abs=0.05)
    assert ssim(engine.render(encoded, 0.5), tissue) > ssim(planes[-1.0], tissue) + 0.02


def test_bare_glass_stays_as_scanned(tissue: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    reading(monkeypatch, 2.0)
    scan = np.full((256, 512, 3), 242, np.uint8)
    scan[:, :200] = blurred(tissue, 2.0)[:, :200]
    scan = np.asarray(scan + np.random.default_rng(1).integers(-1, 2, scan.shape), dtype=np.uint8)
    engine = WienerRefocuser()
    made = engine.render(engine.encode([scan], MPP), 2.0)
    assert np.array_equal(made[:, 300:], scan[:, 300:])
    assert not np.array_equal(made[:, :200], scan[:, :200])


def test_real_planes_out_of_focus_gain_structure(data_dir: Path) -> None:
    from skimage.io import imread

    stack = data_dir / "stacks" / "test" / "urjc-adipose-1"
    engine = get_engine("wiener")
    sharp = _pixels(imread(next(stack.glob("z10.*"))))
    for name in ("z06", "z12", "z14"):
        scan = _pixels(imread(next(stack.glob(f"{name}.*"))))
        assert view_blur_um(scan, MPP, module.READER) > 1.0
        encoded = engine.encode([scan], MPP)
        made = engine.render(encoded, engine.all_in_focus_target(encoded))
        assert ssim(made, sharp) > ssim(scan, sharp) + 0.03


def _pixels(image: np.ndarray) -> RGB:
    return np.ascontiguousarray(np.dstack([image] * 3) if image.ndim == 2 else image[..., :3])
