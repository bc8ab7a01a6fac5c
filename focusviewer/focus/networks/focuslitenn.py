"""FocusLiteNN: one 7x7 convolution, max and min over the window, one linear layer. Imports torch.

Wang et al., *FocusLiteNN: High efficiency focus quality assessment for digital pathology*, MICCAI 2020, and Zhongling
Wang, *Image Quality Assessment and Refocusing with Applications in Whole Slide Imaging*, PhD thesis, University of
Waterloo, 2024, equations 3.4 and 3.5: ``y = <w1, max(x)> + <w2, min(x)>``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load as load_safetensors
from safetensors.torch import save
from torch import Tensor, nn

from focusviewer.core.arrays import RGB
from focusviewer.core.files import write_safetensors
from focusviewer.core.threads import one_core
from focusviewer.core.weights import unreadable_weights
from focusviewer.focus.base import FocusModel, ReadPart, ScoreGrid
from focusviewer.focus.networks.strips import Wanted, strips
from focusviewer.focus.networks.weights import scale_prefix

KERNEL, STEP = 7, 5
WINDOW_CELLS, STRIDE_CELLS = 47, 26
PADDING = 1
"""The network's padding of one pixel, filled from the neighbouring image."""

_OVERLAP = WINDOW_CELLS - STRIDE_CELLS  # cells of a window that the next one shares
_GROUPS = {1: (2, 8), 2: (2, 4)}
"""Neighbouring cells (rows, columns) computed as the channels of one output, for 1 and 2 kernels: processors work on
16 channels at a time, and few kernels would leave most of them idle."""


class FocusLiteNNModule(nn.Module):
    """The network as it is trained.

    Parameters
    ----------
    kernels : int
        Number N of convolution kernels: 1, 2 or 10 in the paper.
    """

    def __init__(self, kernels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, kernels, KERNEL, stride=STEP)
        self.head = nn.Linear(2 * kernels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score whole crops.

        Parameters
        ----------
        image : float32 (B, 3, H, W)
            RGB in [0, 1]; 237x237 is one window of 235 with its padding of real pixels.

        Returns
        -------
        float32 (B,), focus levels of 0.25 um when trained on them.
        """
        cells = self.conv(image)
        pooled = torch.cat([cells.amax(dim=(2, 3)), cells.amin(dim=(2, 3))], dim=1)
        score: Tensor = self.head(pooled)[:, 0]
        return score

    def export_state(self, prefix: str) -> dict[str, Tensor]:
        """Tensors of the weights file under ``prefix``, for instance ``mpp0.25/``."""
        return {
            f"{prefix}conv.weight": self.conv.weight.detach().clone().contiguous(),
            f"{prefix}conv.bias": _bias(self.conv.bias),
            f"{prefix}head.weight": self.head.weight.detach()[0].clone().contiguous(),
            f"{prefix}head.bias": _bias(self.head.bias),
        }


def _bias(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias.detach().clone()


def save_weights(
    path: Path, modules: Mapping[float, FocusLiteNNModule], metadata: Mapping[str, str] | None = None
) -> None:
    """Write one weights file with a network for each pixel size (um)."""
    state: dict[str, Tensor] = {}
    for mpp, module in modules.items():
        state |= module.export_state(scale_prefix(mpp))
    write_safetensors(path, save(state, dict(metadata or {})))


class _Weights:
    """One scale's weights, ready for uint8 pixels in the memory order they come in."""

    def __init__(self, tensors: Mapping[str, np.ndarray], prefix: str) -> None:
        self.conv = torch.from_numpy(tensors[f"{prefix}conv.weight"].astype(np.float32) / 255)
        self.conv = self.conv.contiguous(memory_format=torch.channels_last)
        self.bias = torch.from_numpy(tensors[f"{prefix}conv.bias"].astype(np.float32))
        head = torch.from_numpy(tensors[f"{prefix}head.weight"].astype(np.float32)).reshape(-1)
        kernels = self.conv.shape[0]
        self.group = _GROUPS.get(kernels, (1, 1))
        self.grouped = _grouped(self.conv, *self.group)
        self.grouped_bias = self.bias.repeat(self.group[0] * self.group[1])
        if self.conv.shape[1:] != (3, KERNEL, KERNEL) or head.numel() != 2 * kernels:
            raise ValueError(f"tensors under {prefix} have unexpected shapes")
        self.on_max, self.on_min = head[:kernels], head[kernels:]
        self.offset = float(tensors[f"{prefix}head.bias"].reshape(-1)[0])
        self.count = sum(tensors[f"{prefix}{name}"].size for name in _TENSORS)


def _grouped(kernel: Tensor, down: int, across: int) -> Tensor:
    """Kernels that give ``down`` by ``across`` neighbouring cells at once: each is the given one, moved by its step."""
    count, height, width = kernel.shape[0], KERNEL + STEP * (down - 1), KERNEL + STEP * (across - 1)
    result = torch.zeros(down, across, count, 3, height, width)
    for row in range(down):
        for col in range(across):
            result[row, col, :, :, STEP * row : STEP * row + KERNEL, STEP * col : STEP * col + KERNEL] = kernel
    return result.reshape(-1, 3, height, width).contiguous(memory_format=torch.channels_last)


_TENSORS = ("conv.weight", "conv.bias", "head.weight", "head.bias")


class FocusLiteNN(FocusModel):
    """FocusLiteNN as a focus model, in levels of 0.25 um.

    Windows of a map overlap by 105 px and start 26 cells of the convolution apart, so one convolution of the
    image serves them all, and its pooling is shared too: a window is the maximum (minimum) of two blocks of 21
    cells and the 5 between them.

    Parameters
    ----------
    name : str
        Registry name.
    weights : Path
        safetensors file with ``mpp0.25/`` and ``mpp0.5/`` tensors.

    Raises
    ------
    UserError
        If the weights cannot be read.
    """

    absolute = True
    window_px = WINDOW_CELLS * STEP
    stride_px = STRIDE_CELLS * STEP
    halo_px = PADDING
    block_windows = 96
    strips = True

    def __init__(self, name: str, weights: Path) -> None:
        self.name = name
        try:
            data = weights.read_bytes()
            tensors = load_safetensors(data)
            prefixes = {key.partition("/")[0] for key in tensors}
            self._scales = {
                float(prefix.removeprefix("mpp")): _Weights(tensors, f"{prefix}/") for prefix in sorted(prefixes)
            }
        except Exception as error:
            raise unreadable_weights(name, weights, error) from error
        self.mpps = tuple(sorted(self._scales))
        self.version = f"1-{hashlib.sha256(data).hexdigest()[:8]}"

    def parameters(self) -> int:
        """Trained parameters of one network (one is stored for each pixel size)."""
        return self._scales[self.mpps[0]].count

    def start_thread(self) -> None:
        """Keep the calling thread to one core; every worker scores its own piece."""
        one_core()

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        pads = ((PADDING, PADDING), (PADDING, PADDING), (0, 0))
        return self.score_with_halo(np.pad(image, pads, mode="edge"), mpp)

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window of an image that has one more pixel on every side."""
        return self.score_piece(lambda top, bottom, left, right: image[top:bottom, left:right], image.shape[:2], mpp)

    def score_piece(
        self, read: ReadPart, size: tuple[int, int], mpp: float | None = None, wanted: Wanted | None = None
    ) -> ScoreGrid:
        """Score the windows of a piece with one more pixel on every side; see :meth:`FocusModel.score_piece`."""
        mpp = self.mpps[0] if mpp is None else mpp
        weights = self._scales[min(self.mpps, key=lambda scale: abs(np.log(scale / mpp)))]
        rows, cols = ((side - 2 * PADDING - self.window_px) // self.stride_px + 1 for side in size)
        if rows < 1 or cols < 1:
            raise ValueError(f"image {size} is smaller than a window of {self.window_px} px")
        if wanted is None:
            wanted = np.ones((rows, cols), bool)
        with torch.inference_mode():
            high, low = _pooled_cells(read, weights, wanted)
            scores = (high @ weights.on_max + low @ weights.on_min + weights.offset).numpy()
        return ScoreGrid(scores, self.window_px, self.stride_px)


def _pooled_cells(read: ReadPart, weights: _Weights, wanted: Wanted) -> tuple[Tensor, Tensor]:
    """Maximum and minimum of the convolution over every wanted window: float32 (rows, cols, N) each.

    The convolution runs over strips of one stride, so that its input and output stay in the processor's cache:
    converting a whole block to float first takes several times as long.
    """
    rows, cols = wanted.shape
    cells = torch.zeros((STRIDE_CELLS, STRIDE_CELLS * cols + _OVERLAP, weights.conv.shape[0]))
    scratch = torch.empty(0)
    high, low = _RowPool(torch.amax), _RowPool(torch.amin)
    window = WINDOW_CELLS * STEP + 2 * PADDING
    for row, (strip, runs) in enumerate(strips(read, wanted, window, STRIDE_CELLS * STEP, _SHARED)):
        pixels = torch.from_numpy(strip)
        count = STRIDE_CELLS if row < rows else _OVERLAP
        for first, last in runs:
            start, stop = STRIDE_CELLS * first, STRIDE_CELLS * last + WINDOW_CELLS
            part = pixels[: STEP * (count - 1) + KERNEL, STEP * start : STEP * (stop - 1) + KERNEL]
            floats, scratch = _as_floats(part, weights, stop - start, scratch)
            cells[:count, start:stop] = _cells(floats, weights, stop - start)
        high.add(cells[:count])
        low.add(cells[:count])
    return high.windows(cols), low.windows(cols)


_SHARED = KERNEL - STEP
"""Rows of pixels that neighbouring strips share."""


def _as_floats(pixels: Tensor, weights: _Weights, count: int, scratch: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels as floats, as wide as whole groups of cells are; and the memory they lie in, to be used again."""
    across = weights.group[1]
    height, width = pixels.shape[0], STEP * (-(-count // across) * across - 1) + KERNEL
    size = height * width * 3
    if scratch.numel() < size:
        scratch = torch.empty(size)
    floats = scratch[:size].view(height, width, 3)
    floats[:, : pixels.shape[1]].copy_(pixels)
    floats[:, pixels.shape[1] :] = 0
    return floats, scratch


def _cells(pixels: Tensor, weights: _Weights, count: int) -> Tensor:
    """Convolve a strip (H, W, 3): float32 (rows, count, N)."""
    down, across = weights.group
    rows = (pixels.shape[0] - KERNEL) // STEP + 1
    image = pixels.permute(2, 0, 1)[None]
    if rows % down:  # the last strip
        cells = nn.functional.conv2d(image, weights.conv, weights.bias, stride=STEP)
        return cells[0].permute(1, 2, 0)[:, :count]
    step = (STEP * down, STEP * across)
    cells = nn.functional.conv2d(image, weights.grouped, weights.grouped_bias, stride=step)
    groups = cells[0].permute(1, 2, 0)  # rows, columns, channels: the order it has in memory
    parts = groups.reshape(rows // down, -1, down, across, weights.conv.shape[0])
    return parts.transpose(1, 2).reshape(rows, -1, weights.conv.shape[0])[:, :count]


class _RowPool:
    """Pools strips of cells, one stride of rows each, and joins them to windows.

    A strip is reduced to a body (the rows its window shares with the window above) and a gap (the rest); a window
    is body, gap and the next body. Columns are joined in the same way.
    """

    def __init__(self, reduce: Callable[[Tensor, int], Tensor]) -> None:
        self._reduce = reduce
        self._bodies: list[Tensor] = []
        self._gaps: list[Tensor] = []

    def add(self, cells: Tensor) -> None:
        """Take the next strip: (26, C, N), or (21, C, N) for the last."""
        self._bodies.append(self._reduce(cells[:_OVERLAP], 0))
        if cells.shape[0] > _OVERLAP:
            self._gaps.append(self._reduce(cells[_OVERLAP:], 0))

    def windows(self, cols: int) -> Tensor:
        """Pooled windows: (rows, cols, N)."""
        bodies = torch.stack(self._bodies)
        rows = self._reduce(torch.stack([bodies[:-1], torch.stack(self._gaps), bodies[1:]]), 0)
        kernels = rows.shape[2]
        strips = rows[:, : cols * STRIDE_CELLS].reshape(-1, cols, STRIDE_CELLS, kernels)
        last = self._reduce(rows[:, cols * STRIDE_CELLS :], 1)[:, None]
        body = torch.cat([self._reduce(strips[:, :, :_OVERLAP], 2), last], dim=1)
        gap = self._reduce(strips[:, :, _OVERLAP:], 2)
        return self._reduce(torch.stack([body[:, :-1], gap, body[:, 1:]]), 0)
