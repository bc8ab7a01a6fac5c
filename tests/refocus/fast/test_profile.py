"""The fast engine with the measured lens of a scanner."""

from __future__ import annotations

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.metrics import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.optics.profile import ModelError, OpticsProfile
from focusviewer.refocus import get_engine

MPP = 0.25
LENS = Optics(na=0.5)


def tissue() -> RGB:
    rng = np.random.default_rng(5)
    f = np.hypot(np.fft.fftfreq(160)[:, None], np.fft.fftfreq(160)[None])
    gray = np.fft.ifft2(np.fft.fft2(rng.standard_normal((160, 160))) / np.maximum(f, 0.01) ** 1.8).real
    gray = 140 + 35 * (gray - gray.mean()) / gray.std()
    return np.asarray(np.clip(gray[..., None] * [1.0, 0.8, 1.05], 0, 255) + 0.5, dtype=np.uint8)


def test_at_a_known_distance_the_right_lens_restores_more_than_the_standard_one() -> None:
    engine, truth = get_engine("fast"), tissue()
    light = defocus_image(truth.astype(np.float32) / 255, 2.0, MPP, LENS)
    light += 0.002 * np.random.default_rng(6).standard_normal(light.shape)
    scan = np.asarray(np.clip(light * 255, 0, 255) + 0.5, dtype=np.uint8)
    rows = ((0.02, 0.02),)
    profile = OpticsProfile(
        "any", MPP, LENS, (0.1, 2.0), (ModelError(2.0, rows, rows),), None, None, "pair", "a test", "2026-11-30"
    )
    known = [np.full(scan.shape[:2], 2.0, np.float32)]
    figures = []
    for given in (None, profile):
        encoded = engine.encode([scan], MPP, focus_maps=known, profile=given)
        assert encoded.profile is given
        figures.append(psnr(engine.render(encoded, 2.0), truth))
    assert figures[1] > figures[0] + 2
