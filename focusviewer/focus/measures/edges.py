"""The cumulative probability of blur detection: how wide edges are, against the width at which blur is noticed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.focus.measures.base import Gray, Means, Measure, WindowMeasure

Steps = npt.NDArray[np.intp]

_BLOCK = 64
_BETA = 3.6
_NOTICED = 0.63  # probability at the width of just noticeable blur
_WIDTHS = (3.0, 5.0)  # just noticeable blur, px, for blocks of more and of less contrast than:
_CONTRAST = 50 / 255
_EDGE_SHARE = 0.002  # a block with fewer edge pixels is not looked at
_LEAST_EDGE = 4.0 / 255  # Sobel response below which nothing is an edge (in gray levels per pixel, times 4)
_FLOOR = 1e-3  # where every edge is blurred: less than one edge in a thousand is sharp


def _runs(rising: npt.NDArray[np.bool_]) -> tuple[Steps, Steps]:
    """For every pixel of a line, how many steps to its left and to its right go on rising.

    ``rising[..., x]`` tells whether the step from x to x + 1 does.
    """
    width = rising.shape[-1] + 1
    place = np.arange(width)
    ends = np.concatenate([np.ones((*rising.shape[:-1], 1), bool), ~rising], axis=-1)
    left = place - np.maximum.accumulate(np.where(ends, place, 0), axis=-1)
    ends = np.concatenate([~rising, np.ones((*rising.shape[:-1], 1), bool)], axis=-1)
    first = np.minimum.accumulate(np.where(ends, place, width)[..., ::-1], axis=-1)[..., ::-1]
    return left, first - place


def _edges(windows: Gray) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Vertical edges: thin ridges of the horizontal Sobel response above twice its root mean square."""
    padded = np.pad(windows, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, :, 2:] - padded[:, :, :-2]
    sobel = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    size = np.abs(sobel)
    mean_square = np.square(sobel).mean(axis=(1, 2), keepdims=True)
    edge = size > np.maximum(2 * np.sqrt(mean_square), _LEAST_EDGE)
    edge[:, :, 1:] &= size[:, :, 1:] > size[:, :, :-1]
    edge[:, :, :-1] &= size[:, :, :-1] >= size[:, :, 1:]
    return edge, sobel


def edge_widths(windows: Gray) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Vertical edges and their widths, px: the distance of the extremes on either side (Marziliano et al. 2002).

    Parameters
    ----------
    windows : float32 (n, H, W)

    Returns
    -------
    bool (n, H, W) and float32 (n, H, W); widths mean something at edges only.
    """
    edge, sobel = _edges(windows)
    steps = np.diff(windows, axis=2)
    up_left, up_right = _runs(steps > 0)
    down_left, down_right = _runs(steps < 0)
    width = np.where(sobel > 0, up_left + up_right, down_left + down_right)
    return edge, width.astype(np.float32)


def _cpbd(windows: Gray) -> Means:
    """Share of the edges on which blur is not noticed: P = 1 - exp(-|w / w_JNB|^3.6) <= 0.63 [2.19].

    Narvekar and Karam, *A no-reference image blur metric based on the cumulative probability of blur detection*, 2011.
    """
    edge, width = edge_widths(windows)
    side = windows.shape[1] // _BLOCK * _BLOCK
    shape = (len(windows), side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK)
    gray, edge, width = (part[:, :side, :side].reshape(shape) for part in (windows, edge, width))
    low_contrast = np.ptp(gray, axis=(2, 4), keepdims=True) <= _CONTRAST
    noticeable = np.where(low_contrast, _WIDTHS[1], _WIDTHS[0])
    counted = edge & (edge.mean(axis=(2, 4), keepdims=True) > _EDGE_SHARE)
    sharp = counted & (1 - np.exp(-((width / noticeable) ** _BETA)) <= _NOTICED + 1e-3)
    counts = counted.sum(axis=(1, 2, 3, 4))
    return np.asarray(np.maximum(sharp.sum(axis=(1, 2, 3, 4)) / np.maximum(counts, 1), _FLOOR))


EDGE_MEASURES: tuple[Measure, ...] = (
    WindowMeasure("cpbd", "share of edges on which no blur would be noticed [2.19]", _cpbd),
)
