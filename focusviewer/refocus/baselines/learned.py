"""Trained baselines as refocusers: those that interpolate between two planes, those that sharpen one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.weights import unreadable_weights
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.baselines.views import Baseline, nearest_plane, to_rgb

if TYPE_CHECKING:
    from torch import Tensor, nn

TRAINED_MPPS = (0.2, 0.32)
"""Pixel sizes (um) taken for the 0.25 um that the networks learned at."""

MULTIPLE = 8
"""Sides of what the networks are given are multiples of this."""

INTERPOLATORS = ("dfi", "linear-latent")
DEBLURRERS = ("restormer-small", "mprnet-small")


def network(name: str) -> nn.Module:
    """A new network by the name of its baseline."""
    from focusviewer.refocus.baselines.dfi import DfiNet
    from focusviewer.refocus.baselines.linear_latent import LinearLatentNet
    from focusviewer.refocus.baselines.mprnet_small import MprNet
    from focusviewer.refocus.baselines.restormer_small import RestormerNet

    kinds: dict[str, type[nn.Module]] = {
        "dfi": DfiNet,
        "linear-latent": LinearLatentNet,
        "restormer-small": RestormerNet,
        "mprnet-small": MprNet,
    }
    return kinds[name]()


class LearnedBaseline(Baseline):
    """A baseline with a network.

    Parameters
    ----------
    name : str
        Which of them.
    weights : Path
        Its safetensors file.
    """

    mpps = TRAINED_MPPS
    halo_px = 48

    def __init__(self, name: str, weights: Path) -> None:
        self.name = name
        self._weights = weights
        self._net: nn.Module | None = None

    @property
    def net(self) -> nn.Module:
        """The network, read on first use."""
        if self._net is None:
            import torch
            from safetensors.torch import load_file

            try:
                state = {key: tensor.float() for key, tensor in load_file(str(self._weights)).items()}
                net = network(self.name)
                net.load_state_dict(state)
            except Exception as error:
                raise unreadable_weights(self.name, self._weights, error) from error
            self._net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._net

    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.net.parameters())


class Interpolator(LearnedBaseline):
    """Draws what lies between two planes; it cannot go beyond the outermost ones, nor work from one plane."""

    def _all_in_focus_target(self, encoded: Encoded) -> FloatMap:
        """Target map that follows the tissue as far as the planes reach."""
        return np.clip(super()._all_in_focus_target(encoded), encoded.planes_um[0], encoded.planes_um[-1])

    def _draw(self, encoded: Encoded, target: FloatMap) -> RGB:
        zs = encoded.planes_um
        low, high = float(target.min()), float(target.max())
        if len(zs) < 2 or low < zs[0] - 1e-4 or high > zs[-1] + 1e-4:
            raise UserError(
                f"{self.name} only interpolates",
                f"{low:.3g} to {high:.3g} um does not lie between planes at {zs[0]:.3g} and {zs[-1]:.3g} um",
                "Give a plane on each side of the target.",
            )
        result = np.empty((*encoded.shape, 3), np.uint8)
        gap = np.clip(np.searchsorted(zs, target, side="right") - 1, 0, len(zs) - 2)
        for index in np.unique(gap).tolist():
            here = gap == index
            result[here] = self._between(encoded, index, target)[here]
        return result

    def _between(self, encoded: Encoded, index: int, target: FloatMap) -> RGB:
        import torch

        first, second = encoded.planes_um[index : index + 2]
        position = np.clip((target - first) / (second - first), 0, 1)
        planes = [_tensor(encoded.images[i]) for i in (index, index + 1)]
        share = _padded(torch.from_numpy(np.ascontiguousarray(position, np.float32))[None, None])
        gap_um = torch.full((1, 1, 1, 1), second - first)
        return _run(self.net, encoded.shape, *planes, share, gap_um)


class Deblurrer(LearnedBaseline):
    """Sharpens one plane; it knows one target only, best focus, and gives it for whatever is asked for.

    Of several planes it takes the one nearest to the target.
    """

    def _draw(self, encoded: Encoded, target: FloatMap) -> RGB:
        image = encoded.images[nearest_plane(encoded, target)]
        return _run(self.net, encoded.shape, _tensor(image))


def _run(net: Any, shape: tuple[int, int], *inputs: Tensor) -> RGB:
    """What a network makes of padded inputs: uint8 (H, W, 3)."""
    import torch

    with torch.inference_mode():
        picture = net(*inputs)[0, :, : shape[0], : shape[1]]
    return to_rgb(np.ascontiguousarray(picture.permute(1, 2, 0).float().numpy()))


def _tensor(image: RGB) -> Tensor:
    """Pixels as a network takes them: float32 (1, 3, H', W')."""
    import torch

    batch = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))[None].float().div_(255)
    return _padded(batch).contiguous(memory_format=torch.channels_last)


def _padded(batch: Tensor) -> Tensor:
    from torch.nn import functional

    height, width = batch.shape[2:]
    return functional.pad(batch, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
