"""Engines with the measured optics of a scanner: what they gain, and what stays as it is without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.metrics import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.optics.profile import ModelError, OpticsProfile
from focusviewer.refocus.fast.belief import as_blurred_by
from focusviewer.refocus.fast.operators import (
    HYPOTHESES,
    SCANNER,
    either_side,
    equal_blur_um,
    operator_bank,
    relative_transfer,
)
from focusviewer.refocus.provenance import provenance
from focusviewer.refocus.wiener.engine import WienerRefocuser
from focusviewer.refocus.wiener.filters import measured_transfer
from focusviewer.slides import Level, SlideInfo

MPP = 0.25
FREQUENCY = np.linspace(0, 2, 200, dtype=np.float32)
WIDE = Optics(na=0.9, chromatic_shift_um=(0.5, 0.0, -0.5))


def measured(optics: Optics, noise_to_signal: float = 0.02) -> OpticsProfile:
    rows = ((noise_to_signal, noise_to_signal),)
    error = ModelError(2.0, rows, rows)
    return OpticsProfile("any", MPP, optics, (0.1, 2.0), (error,), None, None, "pair", "a test", "2026-11-30")


@pytest.fixture(scope="module")
def tissue() -> RGB:
    rng = np.random.default_rng(5)
    f = np.hypot(np.fft.fftfreq(192)[:, None], np.fft.fftfreq(192)[None])
    noise = np.fft.fft2(rng.standard_normal((192, 192))) / np.maximum(f, 0.01) ** 1.5
    gray = np.fft.ifft2(noise).real
    gray = 140 + 35 * (gray - gray.mean()) / gray.std()
    return np.asarray(np.clip(gray[..., None] * [1.0, 0.8, 1.05], 0, 255) + 0.5, dtype=np.uint8)


def blurred(image: RGB, z_um: float, optics: Optics) -> RGB:
    light = defocus_image(image.astype(np.float32) / 255, z_um, MPP, optics)
    light += 0.002 * np.random.default_rng(6).standard_normal(light.shape)
    return np.asarray(np.clip(light * 255, 0, 255) + 0.5, dtype=np.uint8)


def restored(scans: list[RGB], planes_um: tuple[float, ...], depth_um: float, profile: OpticsProfile | None) -> RGB:
    engine = WienerRefocuser()
    maps = [
        np.full(scan.shape[:2], abs(depth_um - z_um), np.float32) for scan, z_um in zip(scans, planes_um, strict=True)
    ]
    encoded = engine.encode(scans, MPP, planes_um, focus_maps=maps, profile=profile)
    assert encoded.profile is profile
    return engine.render(encoded, depth_um)


def test_the_right_lens_restores_more_than_the_standard_one(tissue: RGB) -> None:
    lens = Optics(na=0.5)
    scan = blurred(tissue, 2.5, lens)
    with_profile = psnr(restored([scan], (0.0,), 2.5, measured(lens)), tissue)
    assert with_profile > psnr(restored([scan], (0.0,), 2.5, None), tissue) + 0.5
    assert with_profile > psnr(scan, tissue) + 0.5


def test_more_model_error_changes_less() -> None:
    changes = [
        float(np.abs(measured_transfer(FREQUENCY, 2.0, 0.0, measured(SCANNER, ratio)) - 1)[1, 1:30].max())
        for ratio in (0.01, 0.3)
    ]
    assert changes[0] > changes[1] + 0.5


def test_several_planes_tell_the_side_of_focus(tissue: RGB) -> None:
    planes_um = (0.0, 1.5)  # the tissue at -1: both planes above it
    scans = [blurred(tissue, z_um + 1.0, WIDE) for z_um in planes_um]
    both = psnr(restored(scans, planes_um, -1.0, measured(WIDE, 0.005)), tissue)
    flipped = Optics(na=0.9, chromatic_shift_um=(-0.5, 0.0, 0.5))
    assert both > psnr(restored(scans, planes_um, -1.0, measured(flipped, 0.005)), tissue) + 0.3


def test_one_plane_takes_the_mean_of_both_sides() -> None:
    assert np.array_equal(either_side(FREQUENCY, 1.5, SCANNER), relative_transfer(FREQUENCY, 1.5, SCANNER))
    mean = (relative_transfer(FREQUENCY, 1.5, WIDE) + relative_transfer(FREQUENCY, -1.5, WIDE)) / 2
    assert np.allclose(either_side(FREQUENCY, 1.5, WIDE), mean)
    seen = slice(1, 40)  # where the lens passes clearly, nothing is changed when nothing is asked for
    kept = measured_transfer(FREQUENCY, 1.0, 1.0, measured(SCANNER))[1, seen]
    assert np.allclose(kept[np.abs(relative_transfer(FREQUENCY, 1.0, SCANNER)[1, seen]) > 0.3], 1, atol=0.01)


def test_without_a_profile_there_is_one_bank_and_no_other() -> None:
    assert operator_bank(MPP) is operator_bank(MPP, SCANNER)
    bank = operator_bank(MPP)
    assert bank.optics == SCANNER and np.array_equal(bank.seen, bank.coefficients[:, 0])


def test_a_wider_lens_blurs_as_much_nearer_to_focus() -> None:
    read = np.array([0.0, 1.0, 2.0, 3.0])
    assert np.array_equal(equal_blur_um(read, SCANNER), read.astype(np.float32))
    wide, narrow = (equal_blur_um(read, Optics(na=na)) for na in (0.9, 0.5))
    assert wide[0] == 0 and np.all(wide[1:] < read[1:]) and np.all(narrow[1:] > read[1:])
    assert np.all(np.diff(wide) >= 0)


def test_belief_moves_with_the_lens_and_stays_whole() -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(len(HYPOTHESES)), 6).T.reshape(-1, 2, 3).astype(np.float32)
    assert as_blurred_by(SCANNER, weights) is weights
    assert np.allclose(as_blurred_by(Optics(na=0.9), weights).sum(axis=0), 1, atol=1e-5)


def test_partly_coherent_light_counts() -> None:
    partly = relative_transfer(FREQUENCY, 1.5, Optics(na=0.7, condenser=0.6))
    assert np.abs(partly - relative_transfer(FREQUENCY, 1.5, SCANNER)).max() > 0.05
    bent = Optics(na=0.7, condenser=0.6, refraction=0.4)
    assert not np.allclose(relative_transfer(FREQUENCY, 1.5, bent), relative_transfer(FREQUENCY, -1.5, bent))


def test_files_say_which_optics_they_were_made_with() -> None:
    engine, profile = WienerRefocuser(), measured(WIDE)
    source = SlideInfo(Path("slide"), "TIFF", None, (Level(8, 8, 1.0),), fingerprint="f")
    facts = provenance(engine, source, [0], [0.0], 2.0, MPP, (0, 0, 9, 9), profile)
    assert facts["optics_profile"]["digest"] == profile.digest and "NA 0.90" in facts["optics_profile"]["optics"]
    assert "optics_profile" not in provenance(engine, source, [0], [0.0], 0.0, MPP, (0, 0, 9, 9), profile)
    assert "optics_profile" not in provenance(engine, source, [0], [0.0], 2.0, MPP, (0, 0, 9, 9))


def test_an_assumed_distance_is_filtered_with_the_measured_lens_too(tissue: RGB) -> None:
    engine, profile = WienerRefocuser(), measured(Optics(na=0.5))
    known = [np.full(tissue.shape[:2], 1.0, np.float32)]
    plain, lens = (engine.encode([tissue], MPP, (0.0,), known, one) for one in (None, profile))
    made = [engine.render(engine.assume(view, 2.0), 2.0) for view in (plain, lens)]
    assert not np.array_equal(*made)
    said = engine.encode([tissue], MPP, (0.0,), [known[0] * 2], profile)
    assert np.array_equal(made[1], engine.render(said, 2.0))
