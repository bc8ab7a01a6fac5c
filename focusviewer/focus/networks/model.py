"""Any focus network as a focus model: windows cut, batched, scored. Imports torch.

Unlike FocusLiteNN, these networks pad inside the window (with zeros), so the features of one window are not those
of the next, and each window is computed by itself: exactly what training saw, whatever the piece of slide it is in.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.core.arrays import RGB
from focusviewer.core.threads import multiplies_bfloat16, one_core
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.focus.networks.base import FocusNetwork, channels_last
from focusviewer.focus.networks.spec import NetworkSpec
from focusviewer.focus.networks.weights import load_networks, parameter_count


class NetworkModel(FocusModel):
    """A network of the catalogue with trained weights.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Path
        safetensors file with tensors under ``mpp0.25/``, and ``mpp0.5/`` where trained for it.

    Raises
    ------
    UserError
        If the weights cannot be read.
    """

    def __init__(self, spec: NetworkSpec, weights: Path) -> None:
        networks, digest = load_networks(weights, spec.make)
        self.spec, self.name, self.absolute = spec, spec.name, spec.absolute
        self.window_px, self.stride_px = spec.window_px, spec.stride_px
        self.mpps = tuple(sorted(networks))
        self.version = f"1-{digest}"
        self._count = parameter_count(next(iter(networks.values())))
        self._networks = {mpp: for_inference(network) for mpp, network in networks.items()}

    def parameters(self) -> int:
        """Trained parameters of one network (one is stored for each pixel size)."""
        return self._count

    def start_thread(self) -> None:
        """Keep the calling thread to one core; every worker scores its own piece."""
        one_core()

    def scale_of(self, mpp: float | None) -> float:
        """Pixel size of the network that is used at ``mpp``: the nearest, the finest when nobody knows."""
        mpp = self.mpps[0] if mpp is None else mpp
        return min(self.mpps, key=lambda scale: abs(np.log(scale / mpp)))

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        rows, cols = ((side - self.window_px) // self.stride_px + 1 for side in image.shape[:2])
        if rows < 1 or cols < 1:
            raise ValueError(f"image {image.shape[:2]} is smaller than a window of {self.window_px} px")
        network = self._networks[self.scale_of(mpp)]
        windows = np.lib.stride_tricks.sliding_window_view(image, (self.window_px, self.window_px), (0, 1))
        windows = windows[:: self.stride_px, :: self.stride_px]  # rows, cols, 3, y, x
        scores = np.empty(rows * cols, np.float32)
        doubts: list[Tensor] = []
        buffer = torch.empty((self.spec.batch, self.window_px, self.window_px, 3))
        for first in range(0, rows * cols, self.spec.batch):
            places = range(first, min(first + self.spec.batch, rows * cols))
            for slot, place in enumerate(places):
                window = windows[place // cols, place % cols].transpose(1, 2, 0)
                buffer[slot] = torch.from_numpy(np.array(window, order="C"))
            # The batch is always full: kernels are chosen by its size, and sums differ in the last bits between them.
            score, doubt = score_pixels(network, buffer.permute(0, 3, 1, 2) / 255)
            scores[first : places.stop] = score[: len(places)].numpy()
            if doubt is not None:
                doubts.append(doubt[: len(places)])
        uncertainty = torch.cat(doubts).numpy().reshape(rows, cols) if doubts else None
        return ScoreGrid(scores.reshape(rows, cols), self.window_px, self.stride_px, uncertainty)


def score_pixels(network: FocusNetwork, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Scores and uncertainties of crops, float (B, 3, H, W) in [0, 1]: float32 (B,) each."""
    with torch.inference_mode():
        dtype = next(network.parameters()).dtype
        return network.scores_and_uncertainty(network(images.to(dtype)))


def for_inference(network: FocusNetwork) -> FocusNetwork:
    """A copy that is fast to run.

    Batch normalisation is folded into convolutions, channels come last, and where the processor multiplies bfloat16
    numbers they are used: two to three times as fast, and scores move by about a hundredth of a level.
    """
    fast = copy.deepcopy(network).eval().requires_grad_(False)
    for module in list(fast.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    channels_last(fast)
    if multiplies_bfloat16():
        fast.to(torch.bfloat16).head.float()
    return fast


def _fold(layers: nn.Sequential) -> None:
    """Replace each convolution that is followed by a batch normalisation by one that does both."""
    for index in range(len(layers) - 1):
        conv, norm = layers[index], layers[index + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[index] = nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
            layers[index + 1] = nn.Identity()
