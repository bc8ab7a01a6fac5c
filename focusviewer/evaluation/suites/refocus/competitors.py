"""What every engine is compared with: Wiener filters with known or estimated optics, and trained interpolators.

Their figures on one picture do not depend on the engine that is evaluated, so each is computed once and kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.metrics import psnr, ssim

if TYPE_CHECKING:
    from focusviewer.optics import Optics
    from focusviewer.refocus.base import Refocuser

Oracle = Callable[[RGB, "Optics", float, float, float], RGB]
Builder = Callable[[str], "Refocuser"]

BLIND = "wiener-blind"
INTERPOLATORS = ("dfi", "linear-latent")


def built(name: str) -> Refocuser:
    """A baseline by its name in the registry."""
    from focusviewer.refocus import get_engine

    return get_engine(name)


def known_optics(image: RGB, optics: Optics, z_um: float, mpp: float, noise: float) -> RGB:
    """The Wiener filter that is told optics, distance and noise."""
    from focusviewer.refocus.baselines.wiener import oracle_wiener

    return oracle_wiener(image, optics, z_um, mpp, noise)


def competitors_key() -> str:
    """Changes with the weights of the interpolators: stored figures beside them are invalid when they change."""
    from focusviewer.refocus.registry import baselines

    digest = hashlib.sha256()
    for entry in baselines():
        if entry.name in INTERPOLATORS and entry.weights is not None and entry.weights.exists():
            digest.update(entry.name.encode() + entry.weights.read_bytes())
    return digest.hexdigest()[:12]


class Competitors:
    """The other methods on the same cases, kept for all engines of one run.

    Parameters
    ----------
    oracle : callable (image, optics, z_um, mpp, noise) -> image
        Restores with everything known.
    build : callable (name) -> Refocuser
        Builds baselines; one that cannot be built (its weights are missing) is left out.
    """

    def __init__(self, oracle: Oracle = known_optics, build: Builder = built) -> None:
        self._oracle, self._build = oracle, build
        self._engines: dict[str, Refocuser | None] = {}
        self._kept: dict[str, dict[str, float]] = {}

    def engine(self, name: str) -> Refocuser | None:
        """A baseline, or None where it cannot be built."""
        if name not in self._engines:
            try:
                self._engines[name] = self._build(name)
            except UserError:
                self._engines[name] = None
        return self._engines[name]

    def told(self, image: RGB, truth: RGB, optics: Optics, z_um: float, mpp: float, noise: float) -> dict[str, float]:
        """``psnr_oracle`` and ``ssim_oracle``: restored with optics, distance and noise known."""
        key = _key("oracle", image, truth, (optics, z_um, mpp, noise))
        if key not in self._kept:
            self._kept[key] = _pair("oracle", self._oracle(image, optics, z_um, mpp, noise), truth)
        return self._kept[key]

    def blind(self, image: RGB, truth: RGB, mpp: float) -> dict[str, float]:
        """``psnr_blind`` and ``ssim_blind``: a Wiener filter at the distance that it guesses; empty without one."""
        engine = self.engine(BLIND)
        if engine is None:
            return {}
        key = _key("blind", image, truth, mpp)
        if key not in self._kept:
            encoded = engine.encode([image], mpp)
            self._kept[key] = _pair("blind", engine.render(encoded, engine.all_in_focus_target(encoded)), truth)
        return self._kept[key]

    def single(self, image: RGB, truth: RGB, mpp: float, z_um: float) -> dict[str, float]:
        """``psnr_blind`` and ``ssim_blind`` of the blind Wiener filter asked for one focus; empty without one."""
        return self.between(BLIND, "blind", [image], truth, mpp, (0.0,), z_um)

    def between(
        self, name: str, label: str, images: list[RGB], truth: RGB, mpp: float, planes_um: tuple[float, ...],
        z_um: float,
    ) -> dict[str, float]:  # fmt: skip
        """``psnr_<label>`` and ``ssim_<label>`` of a baseline asked for a focus; empty where it cannot be built."""
        engine = self.engine(name)
        if engine is None:
            return {}
        key = _key(name, np.stack(images), truth, (mpp, planes_um, z_um))
        if key not in self._kept:
            made = engine.render(engine.encode(images, mpp, planes_um), z_um)
            self._kept[key] = _pair(label, made, truth)
        return self._kept[key]


def _pair(name: str, image: RGB, truth: RGB) -> dict[str, float]:
    return {f"psnr_{name}": psnr(image, truth), f"ssim_{name}": ssim(image, truth)}


def _key(name: str, image: RGB, truth: RGB, facts: Any) -> str:
    digest = hashlib.blake2b(f"{name}|{facts}".encode(), digest_size=16)
    for pixels in (image, truth):
        digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
