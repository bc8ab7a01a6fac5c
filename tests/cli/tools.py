"""What the tests of the command line share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import Encoded, Refocuser


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on stdout; nothing else may be there."""

        def refuse(name: str) -> float:
            raise AssertionError(f"{name} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


def tissue_like(height: int, width: int, seed: int = 0) -> RGB:
    """Purple grains on pink: enough texture and colour to be taken for tissue."""
    rng = np.random.default_rng(seed)
    grain = np.kron(rng.random((-(-height // 4), -(-width // 4), 1)), np.ones((4, 4, 1)))[:height, :width]
    pixels = np.array([225, 160, 200]) - grain * np.array([110, 110, 60])
    return np.asarray(pixels.round(), dtype=np.uint8)


class AddingEngine(Refocuser):
    """Adds 10 grey levels for each micron of the target, so that a test can tell what was asked of each pixel."""

    name = "adding"

    def __init__(self) -> None:
        self.encoded: list[tuple[int, ...]] = []
        self.halo_px = 16

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        height, width = images[0].shape[:2]
        self.encoded.append((len(images), height, width))
        return Encoded((height, width), mpp, tuple(planes_um), np.full((height, width), 1.5, np.float32), images[0])

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        added = np.broadcast_to(np.asarray(target_um, np.float32) * 10, encoded.shape)
        return np.asarray(np.clip(encoded.state + added[..., None].round(), 0, 255), np.uint8)
