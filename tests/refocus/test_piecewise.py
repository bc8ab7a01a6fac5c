from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from focusviewer.core.errors import CancelledError
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.piecewise import PiecewiseEngine


class Shifting(Refocuser):
    """Adds ten times the target to the picture, and estimates its blur from it."""

    name, halo_px = "shifting", 16

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def _encode(self, images, mpp, planes_um, focus_maps) -> Encoded:
        shape = images[0].shape[:2]
        self.sizes.append(shape)
        return Encoded(shape, mpp, tuple(planes_um), images[0][..., 0].astype(np.float32) / 100, list(images))

    def _render(self, encoded: Encoded, target_um):
        shift = 10 * np.broadcast_to(np.asarray(target_um, np.float32), encoded.shape)[..., None]
        return np.clip(encoded.state[0] + shift, 0, 255).astype(np.uint8)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 200, (230, 310, 3), np.uint8)


def test_pieces_make_the_same_picture_as_the_whole(picture) -> None:
    inner = Shifting()
    pieces, whole = PiecewiseEngine(inner, 128), Shifting()
    encoded, reference = pieces.encode([picture], 0.25), whole.encode([picture], 0.25)
    assert len(inner.sizes) > 4
    assert max(max(size) for size in inner.sizes) <= 128 + 2 * inner.halo_px
    np.testing.assert_allclose(encoded.blur_um, reference.blur_um, atol=1e-5)
    target = np.linspace(0, 4, 310, dtype=np.float32)[None].repeat(230, 0)
    for wanted in (0.0, 2.0, target):
        made, right = pieces.render(encoded, wanted), whole.render(reference, wanted)
        assert np.abs(made.astype(int) - right).max() <= 1
    assert np.array_equal(pieces.render(encoded, 0.0), picture)
    np.testing.assert_allclose(pieces.all_in_focus_target(encoded), reference.blur_um, atol=1e-5)


def test_progress_is_told_and_work_stops_at_the_next_piece(picture) -> None:
    inner = Shifting()
    pieces, stop, told = PiecewiseEngine(inner, 128), threading.Event(), []

    def report(fraction: float) -> None:
        told.append(fraction)
        if len(told) == 2:
            stop.set()

    with pieces.watched(stop, report), pytest.raises(CancelledError):
        pieces.encode([picture], 0.25)
    assert len(inner.sizes) == 2
    assert told == sorted(told)
    assert 0 < told[-1] < 1
    assert pieces.encode([picture], 0.25).shape == (230, 310)  # and can be used again


def test_an_assumed_distance_reaches_every_piece_with_progress(picture) -> None:
    class Assuming(Shifting):
        def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
            return replace(encoded, blur_um=np.full(encoded.shape, distance_um, np.float32), notes=("As you say.",))

        def _render(self, encoded: Encoded, target_um):
            return np.clip(encoded.state[0] + 10 * encoded.blur_um[..., None], 0, 255).astype(np.uint8)

    inner, told = Assuming(), []
    pieces = PiecewiseEngine(inner, 128)
    encoded = pieces.encode([picture], 0.25)
    studied = len(inner.sizes)
    with pieces.watched(threading.Event(), told.append):
        assumed = pieces.assume(encoded, 3.0)
    assert len(inner.sizes) == studied and told[-1] == 1.0
    assert assumed.notes == ("As you say.",) and (assumed.blur_um == 3).all()
    assert np.abs(pieces.render(assumed, 3.0).astype(int) - picture - 30).max() <= 1
