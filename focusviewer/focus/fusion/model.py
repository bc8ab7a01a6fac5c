"""A fused model as a focus model: scores windows with its members, and fuses their scores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.json_text import from_json_text
from focusviewer.core.weights import unreadable_weights
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.focus.fusion.fuser import Fuser

FORMAT = "1"


class FusionModel(FocusModel):
    """Fusion of several models of the registry.

    Its scores lie in 0..1 and only their order means something; its grids carry the members' scores and weights, and
    the uncertainty.

    Parameters
    ----------
    name : str
        Registry name.
    weights : Path
        safetensors file with tensors for each scale under ``mpp0.25/`` and so on; names of the members, and whether
        ranks are fused, in its metadata.
    get_model : callable (name) -> FocusModel
        Builds the members.

    Raises
    ------
    UserError
        If the weights cannot be read or a member is not available.
    """

    absolute = False

    def __init__(self, name: str, weights: Path, get_model: Callable[[str], FocusModel]) -> None:
        self.name = name
        try:
            self._fusers, members, digest = load_fusers(weights)
        except Exception as error:
            raise unreadable_weights(name, weights, error) from error
        self.members = [get_model(member) for member in members]
        first = self.members[0]
        self.window_px, self.stride_px = first.window_px, first.stride_px
        self.halo_px = max(member.halo_px for member in self.members)
        self.mpps = tuple(sorted(self._fusers))
        versions = hashlib.sha256("/".join(member.version for member in self.members).encode()).hexdigest()
        self.version = f"{FORMAT}-{digest}-{versions[:8]}"

    def parameters(self) -> int:
        """Numbers learned for one scale, reference quantiles not counted."""
        fuser = self._fusers[self.mpps[0]]
        layers = sum(weight.size + bias.size for weight, bias in fuser.layers)
        return int(layers + fuser.response.size + fuser.spread.size + fuser.shape.size + fuser.noise.size)

    def start_thread(self) -> None:
        """Prepare the calling thread for every member."""
        for member in self.members:
            member.start_thread()

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        halo = (self.halo_px, self.halo_px)
        return self.score_with_halo(np.pad(image, (halo, halo, (0, 0)), mode="symmetric"), mpp)

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image with ``halo_px`` more pixels on every side."""
        grids = {}
        for member in self.members:
            spare = self.halo_px - member.halo_px
            inner = image[spare : image.shape[0] - spare, spare : image.shape[1] - spare]
            grids[member.name] = member.score_with_halo(inner, mpp).scores
        shape = next(iter(grids.values())).shape
        mpp = self.mpps[0] if mpp is None else mpp
        fuser = self._fusers[min(self.mpps, key=lambda scale: abs(np.log(scale / mpp)))]
        fused = fuser.fuse(np.stack([scores.ravel() for scores in grids.values()], axis=1))
        weights = {name: fused.weights[:, index].reshape(shape) for index, name in enumerate(grids)}
        return ScoreGrid(
            fused.scores.reshape(shape),
            self.window_px,
            self.stride_px,
            fused.uncertainty.reshape(shape),
            members=grids,
            weights=weights,
        )


def load_fusers(path: Path) -> tuple[dict[float, Fuser], list[str], str]:
    """Read a weights file: a fuser for each pixel size (um), the members, and how its SHA-256 begins.

    Raises
    ------
    OSError, KeyError, ValueError
        If it is missing or damaged.
    """
    from safetensors import safe_open

    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    with safe_open(path, "np") as file:
        facts = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
    scales: dict[str, dict[str, np.ndarray]] = {}
    for key, value in tensors.items():
        prefix, _, own = key.partition("/")
        scales.setdefault(prefix, {})[own] = value
    ranks = facts["ranks"] == "true"
    fusers = {float(prefix.removeprefix("mpp")): Fuser.from_tensors(own, ranks) for prefix, own in scales.items()}
    return fusers, list(from_json_text(facts["members"])), digest
