"""Passes images through the basis filters of the operator bank."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.psf import Optics
from focusviewer.refocus.fast.operators import RANK, SCANNER, OperatorBank, operator_bank
from focusviewer.refocus.fast.parallel import each

HalfArray = npt.NDArray[np.float16]


def filter_image(image: FloatArray, bank: OperatorBank, pad_px: int) -> FloatArray:
    """Filter one image by every basis filter.

    Parameters
    ----------
    image : float32 (3, H, W)
    pad_px : int
        Reflected border that is added before and cut off after.

    Returns
    -------
    float32 (J, 3, H, W)
    """
    filtered = np.empty((RANK, *image.shape), np.float32)

    def keep(index: int, colour: int, layer: FloatArray) -> None:
        filtered[index, colour] = layer

    _filter_each(image, bank, pad_px, keep)
    return filtered


def filter_layers(image: FloatArray, bank: OperatorBank, pad_px: int) -> tuple[HalfArray, FloatArray]:
    """As :func:`filter_image`, in half the memory: what writing costs is what filtering costs.

    Returns
    -------
    layers : float16 (J, 3, H, W)
    gray : float32 (J, H, W)
        Their mean over the colours, from the unrounded values.
    """
    import torch

    layers = np.empty((RANK, *image.shape), np.float16)
    gray = np.empty((RANK, *image.shape[1:]), np.float32)

    def keep(index: int, colour: int, layer: FloatArray) -> None:
        # numpy rounds to half precision several times as slowly
        torch.from_numpy(layers[index, colour]).copy_(torch.from_numpy(layer))
        # the colours of one filter come one after the other, from one thread
        if colour == 0:
            gray[index] = layer
        else:
            gray[index] += layer
        if colour == 2:
            gray[index] *= np.float32(1 / 3)

    _filter_each(image, bank, pad_px, keep)
    return layers, gray


def _filter_each(
    image: FloatArray, bank: OperatorBank, pad_px: int, keep: Callable[[int, int, FloatArray], None]
) -> None:
    """Filter an image by every basis filter, one after the other on each thread; every layer is handed on at once."""
    height, width = image.shape[1:]
    size = (
        scipy.fft.next_fast_len(height + 2 * pad_px, real=True),
        scipy.fft.next_fast_len(width + 2 * pad_px, real=True),
    )
    filters = _filters(bank.mpp, size, bank.optics)
    rows, cols = _reflected(height, pad_px, size[0]), _reflected(width, pad_px, size[1])
    spectrum = scipy.fft.rfft2(_continued(_continued(image, rows, pad_px, 1), cols, pad_px, 2), axes=(1, 2))

    def one(index: int) -> None:
        product = np.empty_like(spectrum[0])
        for colour in range(3):  # one at a time stays in the cache
            _multiply(spectrum[colour], filters[index, colour], product)
            columns = scipy.fft.ifft(product, axis=0, overwrite_x=True)
            # Rows of the border are not wanted, and need no second transform.
            whole = scipy.fft.irfft(columns[pad_px : pad_px + height], n=size[1], axis=1)
            keep(index, colour, whole[:, pad_px : pad_px + width])

    each(one, range(len(filters)))


def _multiply(spectrum: npt.NDArray[np.complex64], numbers: FloatArray, product: npt.NDArray[np.complex64]) -> None:
    """Multiply ``rfft2`` of an image by a filter, number by number: a complex product takes eight times as long."""
    whole, result = spectrum.view(np.float32), product.view(np.float32)
    upper = len(numbers)
    np.multiply(whole[:upper], numbers, out=result[:upper])
    np.multiply(whole[upper:], numbers[len(whole) - upper : 0 : -1], out=result[upper:])


def _continued(image: FloatArray, index: npt.NDArray[np.int64], before: int, axis: int) -> FloatArray:
    """Mirror an image beyond its ends along one axis, one end fading into the other.

    The transform takes the end for the neighbour of the beginning; a step between them would ring far into the image.
    """
    length = image.shape[axis]
    whole = image.take(index, axis=axis)
    after = index.size - before - length
    steps = np.arange(after)
    ahead = _reflected(length, before + after, before + after + length)[:after]  # what comes before the beginning
    fade = (0.5 - 0.5 * np.cos(np.pi * (steps + 0.5) / after)).astype(np.float32)
    tail = (slice(None),) * axis + (slice(before + length, None),)
    shape = (-1,) + (1,) * (image.ndim - 1 - axis)
    # Only the further half of the border is faded, the nearer half stays a mirror image.
    weight = np.clip(2 * fade - 1, 0, 1).reshape(shape)
    whole[tail] += weight * (image.take(ahead, axis=axis) - whole[tail])
    return whole


@lru_cache(maxsize=2)
def _filters(mpp: float, size: tuple[int, int], optics: Optics = SCANNER) -> FloatArray:
    """Basis filters with every number twice, for real and imaginary parts: float32 (J, 3, H // 2 + 1, W + 2 or 1)."""
    return np.repeat(operator_bank(mpp, optics).filters(size), 2, axis=-1)


def _reflected(length: int, before: int, total: int) -> npt.NDArray[np.int64]:
    """Indices that continue a line by mirroring it at its ends, again and again where it is short."""
    period = max(2 * (length - 1), 1)
    index = (np.arange(total) - before) % period
    return np.minimum(np.minimum(index, period - index), length - 1)
