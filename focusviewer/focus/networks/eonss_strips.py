"""EONSS over strips of a slide, its first convolution shared by overlapping windows. Imports torch.

Windows of 235 px start 130 px apart, so most pixels lie in four of them. The first stage (convolution, divisive
normalisation), which is most of the work, runs once over the pixels; each window then pools its own cells, since pairs
of cells fall differently in every other window, and its frame of cells, which sees the zeros that pad a window, is
computed by itself. The scores are those of :class:`~focusviewer.focus.networks.model.NetworkModel`, which cuts every
window out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from focusviewer.core.arrays import RGB
from focusviewer.focus.base import ReadPart, ScoreGrid
from focusviewer.focus.networks.base import MIDDLE_GRAY, PIXEL_GAIN, FocusNetwork
from focusviewer.focus.networks.eonss import DivisiveNormalisation, Eonss
from focusviewer.focus.networks.model import NetworkModel
from focusviewer.focus.networks.spec import NetworkSpec
from focusviewer.focus.networks.strips import Run, Wanted, strips
from focusviewer.focus.networks.weights import load_networks

KERNEL, STEP, PADDING = 5, 2, 2
WINDOW_PX, STRIDE_PX = 235, 130
CHUNK = 4
"""Neighbouring windows that the first stage takes at a time: always so many, as sums differ in their last bits
between sizes."""

BATCH = 32
"""Windows that the later stages take at a time: few enough for the processor's cache."""

_CELLS = 118  # of the first convolution along a window, its frame included
_POOLED = _CELLS // 2
_STRIDE = STRIDE_PX // STEP  # cells between windows
_INNER = _CELLS - 2  # cells along a window that see no padding
_SIDES = 4
_SHARED_PX = KERNEL - STEP
_CHUNK_PX = STRIDE_PX * (CHUNK - 1) + WINDOW_PX
_CHUNK_CELLS = 16 * math.ceil(((_CHUNK_PX - KERNEL) // STEP + 1) / 16)  # what is left over by vectors rounds otherwise
_ZERO = 178  # gray that pixels are counted from: small whole numbers are exact in half precision


class EonssModel(NetworkModel):
    """EONSS as a focus model that shares its first stage between windows; parameters as of NetworkModel."""

    strips = True
    block_windows = 96

    def __init__(self, spec: NetworkSpec, weights: Path) -> None:
        super().__init__(spec, weights)
        plain, _ = load_networks(weights, spec.make)
        self._first = {mpp: _FirstStage(network, self._networks[mpp]) for mpp, network in plain.items()}

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """Score every full window; see :meth:`FocusModel.score_windows`."""
        return self.score_piece(lambda top, bottom, left, right: image[top:bottom, left:right], image.shape[:2], mpp)

    def score_with_halo(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        """The same: a window is scored by its own pixels alone."""
        return self.score_windows(image, mpp)

    def score_piece(
        self, read: ReadPart, size: tuple[int, int], mpp: float | None = None, wanted: Wanted | None = None
    ) -> ScoreGrid:
        """Score the windows of a piece; see :meth:`FocusModel.score_piece`."""
        rows, cols = ((side - WINDOW_PX) // STRIDE_PX + 1 for side in size)
        if rows < 1 or cols < 1:
            raise ValueError(f"image {size} is smaller than a window of {WINDOW_PX} px")
        scale = self.scale_of(mpp)
        wanted = np.ones((rows, cols), bool) if wanted is None else wanted
        with torch.inference_mode():
            rest = _LaterStages(self._networks[scale], wanted.shape)
            for row, first, windows in _pooled_windows(read, self._first[scale], wanted):
                for index in np.flatnonzero(wanted[row, first : first + CHUNK]).tolist():
                    rest.add(row, first + index, windows[index])
            scores = rest.scores()
        return ScoreGrid(scores, WINDOW_PX, STRIDE_PX)


def _pooled_windows(read: ReadPart, stage: _FirstStage, wanted: Wanted) -> Iterator[tuple[int, int, Tensor]]:
    """First-stage output of windows, a chunk at a time: row, first column and (CHUNK, 59, 59, C).

    The tensor is used again for the next chunk.
    """
    above: dict[int, _Strip] = {}
    for row, (pixels, runs) in enumerate(strips(read, wanted, WINDOW_PX, STRIDE_PX, _SHARED_PX)):
        if row == len(wanted):  # the last strip ends with the windows
            pixels = pixels[: WINDOW_PX - STRIDE_PX]
        strip = {}
        for chunk in _chunks(runs):
            left = chunk * CHUNK * STRIDE_PX
            strip[chunk] = stage.strip(pixels[:, left : left + _CHUNK_PX])
            if row and chunk in above and wanted[row - 1, chunk * CHUNK : (chunk + 1) * CHUNK].any():
                yield row - 1, chunk * CHUNK, stage.windows(above[chunk], strip[chunk])
        above = strip


def _chunks(runs: list[Run]) -> list[int]:
    """Numbers of the chunks that runs of windows fall into."""
    return sorted({index // CHUNK for first, last in runs for index in range(first, last + 1)})


class _Strip:
    """Pixels (counted from _ZERO) and first-stage cells of a chunk of a strip: (133, W, 3) and (65, C, channels)."""

    def __init__(self, pixels: Tensor, cells: Tensor) -> None:
        self.pixels, self.cells = pixels, cells


class _FirstStage:
    """Convolution and divisive normalisation of the first stage, for pixels as they come.

    Parameters
    ----------
    plain : FocusNetwork
        The Eonss with its weights in full precision.
    fast : FocusNetwork
        The same, as it is run; tells the precision.
    """

    def __init__(self, plain: FocusNetwork, fast: FocusNetwork) -> None:
        assert isinstance(plain, Eonss) and isinstance(fast, Eonss)
        conv, norm = plain.stages[0], fast.stages[1]
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, DivisiveNormalisation) and conv.bias is not None
        self.norm, self.dtype = norm, next(fast.stages.parameters()).dtype
        kernel, bias = conv.weight.detach() * (PIXEL_GAIN / 255), conv.bias.detach()
        self.full = self._ready(kernel, bias)
        # Cells of the frame see the window's own pixels and zeros: their kernels lack what falls outside. All four
        # are one convolution of four times the channels.
        across, outside = kernel.transpose(2, 3), KERNEL - PADDING
        parts = [side[:, :, PADDING:] if begins else side[:, :, :outside]
                 for side in (kernel, across) for begins in (True, False)]  # fmt: skip
        edges = [self._ready(part, bias) for part in parts]
        joined = torch.zeros((_SIDES, len(kernel), _SIDES, 3, outside, KERNEL), dtype=self.dtype)
        for index, (part, _) in enumerate(edges):
            joined[index, :, index] = part
        joined = joined.flatten(2, 3).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        self.frame = joined, torch.cat([shift for _, shift in edges])
        self._lines = torch.empty((CHUNK, outside, WINDOW_PX, _SIDES, 3), dtype=self.dtype)
        self._rows = torch.empty((_POOLED, _CHUNK_CELLS, len(kernel)), dtype=self.dtype)
        self._pooled = torch.empty((CHUNK, _POOLED, _POOLED, len(kernel)), dtype=self.dtype)

    def _ready(self, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A kernel for whole numbers counted from _ZERO, and its bias."""
        return (
            kernel.to(self.dtype).contiguous(memory_format=torch.channels_last),
            (bias + (_ZERO - 255 * MIDDLE_GRAY) * kernel.sum(dim=(1, 2, 3))).to(self.dtype),
        )

    def strip(self, pixels: RGB) -> _Strip:
        """The first stage over the chunk of a strip; what it lacks at the right and below may be anything."""
        height, width = pixels.shape[:2]
        floats = torch.zeros((STRIDE_PX + _SHARED_PX, STEP * (_CHUNK_CELLS - 1) + KERNEL, 3), dtype=self.dtype)
        floats[:height, :width].copy_(torch.from_numpy(pixels)).sub_(_ZERO)
        cells = self.norm(nn.functional.conv2d(floats.permute(2, 0, 1)[None], *self.full, stride=STEP))
        return _Strip(floats, cells[0].permute(1, 2, 0))

    def windows(self, upper: _Strip, lower: _Strip) -> Tensor:
        """Pooled cells of the chunk of windows that begins with a strip: (CHUNK, 59, 59, C)."""
        # Cells that see no padding: the first and the last are pooled with the frame, the others in pairs.
        rows, above, below = self._rows, upper.cells, lower.cells[: _INNER - _STRIDE]
        middle = _STRIDE // 2 + 1
        rows[0], rows[-1] = above[0], below[-1]
        torch.maximum(above[1::2], above[2::2], out=rows[1:middle])
        torch.maximum(below[:-1:2], below[1:-1:2], out=rows[middle:-1])
        pairs = torch.maximum(rows[:, 1:-1], rows[:, 2:])
        result, ends = self._pooled, _STRIDE * (CHUNK - 1) + 1
        result[:, :, 1:-1] = pairs.unfold(1, _INNER - 3, _STRIDE)[:, :CHUNK, :, ::2].permute(1, 0, 3, 2)
        result[:, :, 0] = rows[:, :ends:_STRIDE].transpose(0, 1)
        result[:, :, -1] = rows[:, _INNER - 1 : _INNER - 1 + ends : _STRIDE].transpose(0, 1)
        frame = self._frame(upper.pixels, lower.pixels)
        for index, part in enumerate((result[:, 0], result[:, -1], result[:, :, 0], result[:, :, -1])):
            torch.maximum(part, frame[:, :, index], out=part)
        return result

    def _frame(self, upper: Tensor, lower: Tensor) -> Tensor:
        """Cells at the windows' top, bottom, left and right, pooled along the side: (CHUNK, 59, 4, C)."""
        lines, thick, rest = self._lines, KERNEL - PADDING, WINDOW_PX - STRIDE_PX
        first, second = (strip.unfold(1, WINDOW_PX, STRIDE_PX)[:, :CHUNK] for strip in (upper, lower))
        lines[..., 0, :] = first[:thick].permute(1, 0, 3, 2)  # from y, window, channel, x
        lines[..., 1, :] = second[rest - thick : rest].permute(1, 0, 3, 2)
        for index, part in ((2, slice(thick)), (3, slice(WINDOW_PX - thick, WINDOW_PX))):
            lines[:, :, :STRIDE_PX, index] = first[:STRIDE_PX, :, :, part].permute(1, 3, 0, 2)
            lines[:, :, STRIDE_PX:, index] = second[:rest, :, :, part].permute(1, 3, 0, 2)
        images = lines.flatten(3).permute(0, 3, 1, 2)
        found = nn.functional.conv2d(images, *self.frame, stride=STEP, padding=(0, PADDING))
        found = found.permute(0, 2, 3, 1).reshape(1, CHUNK * _CELLS, _SIDES, -1)
        cells = self.norm(found.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(CHUNK, _POOLED, 2, _SIDES, -1)
        return torch.maximum(cells[:, :, 0], cells[:, :, 1])


class _LaterStages:
    """All after the first stage, in batches that are always full; keeps where each window's score belongs."""

    def __init__(self, network: FocusNetwork, shape: tuple[int, ...]) -> None:
        assert isinstance(network, Eonss)
        self.network = network
        self._scores = np.full(shape, np.nan, np.float32)
        self._places: list[tuple[int, int]] = []
        kernel = next(network.stages.parameters())
        self._batch = torch.zeros((BATCH, _POOLED, _POOLED, len(kernel)), dtype=kernel.dtype)

    def add(self, row: int, col: int, window: Tensor) -> None:
        """Take the first-stage output (59, 59, C) of a window."""
        self._batch[len(self._places)] = window
        self._places.append((row, col))
        if len(self._places) == BATCH:
            self._run()

    def scores(self) -> np.ndarray:
        """Scores of all windows so far, NaN elsewhere: float32 (rows, cols)."""
        if self._places:
            self._run()
        return self._scores

    def _run(self) -> None:
        found, _ = self.network.scores_and_uncertainty(self.network.after_first(self._batch.permute(0, 3, 1, 2)))
        for place, score in zip(self._places, found.tolist(), strict=False):
            self._scores[place] = score
        self._places.clear()
