"""The small network that says, for each place, which hypothesis of the operator bank fits.

It never makes pixels: its output is a probability for each hypothesis at quarter resolution, and the picture is the
mixture of physical operators with these weights.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from focusviewer.refocus.fast.operators import BLUR_GRID_UM, HYPOTHESES, NOISE_RATIOS, OperatorBank
from focusviewer.refocus.fast.parallel import each

CELL = 4
"""Image pixels per cell of the weight maps."""

_ENERGY_OF: tuple[tuple[float, int], ...] = (
    (0.5, 1),
    (0.75, 1),
    (1.0, 1),
    (1.5, 1),
    (2.0, 1),
    (2.5, 1),
    (3.0, 1),
    (3.5, 1),
    (4.25, 1),
)
_ENERGY_OF += ((0.75, 0), (1.5, 0), (3.0, 0))
FEATURES = len(_ENERGY_OF) + CELL * CELL + 5

WINDOW, STRIDE = 64, 16
"""Side and spacing of the windows whose spectra the selector sees, in pixels of about half a micron."""

RINGS = 26
_BAND_ROWS = 32
_LAST_RING = 0.95  # cycles per um
SPECTRUM = RINGS + 2


def luminance(images: Tensor) -> Tensor:
    """Mean of the colours: (B, 3, H, W) to (B, 1, H, W)."""
    return images.mean(1, keepdim=True)


def features(images: Tensor, filtered: Tensor, bank: OperatorBank) -> Tensor:
    """What the selector sees, at quarter resolution.

    Parameters
    ----------
    images : float32 (B, 3, H, W), 0..1; H and W multiples of CELL
    filtered : float32 (B, J, H, W)
        The image through each basis filter, the mean of its colours.

    Returns
    -------
    float32 (B, FEATURES, H / 4, W / 4): log energy that some hypotheses would add; the luminance's pixels relative to
    their neighbourhood; brightness, saturation, contrast at two sizes, pixel size.
    """
    height, width = images.shape[2:]
    gray = luminance(images)
    levels = len(NOISE_RATIOS)
    rows = [1 + levels * BLUR_GRID_UM.index(blur) + level for blur, level in _ENERGY_OF]
    mixing = torch.from_numpy(bank.seen[rows])
    energy = torch.log(_mixed_power(filtered, mixing) + 1e-6)
    pool = nn.functional.avg_pool2d
    mean = nn.functional.interpolate(
        pool(gray, 4 * CELL, CELL, (3 * CELL) // 2, count_include_pad=False), (height, width)
    )
    detail = gray - mean
    spread = torch.log(pool(detail.square(), CELL) + 1e-5)
    wide = nn.functional.avg_pool2d(spread, 9, 1, 4, count_include_pad=False)
    scale = torch.exp(-0.5 * nn.functional.interpolate(wide, (height, width)))
    pixels = nn.functional.pixel_unshuffle(detail * scale, CELL).clamp(-4, 4)
    saturation = pool(images.amax(1, keepdim=True) - images.amin(1, keepdim=True), CELL)
    size = torch.full_like(saturation, 4.0 * (bank.mpp - 0.25))
    return torch.cat(
        [0.3 * energy + 2.0, pixels, pool(gray, CELL), saturation, 0.3 * spread + 2, 0.3 * wide + 2, size], 1
    )


def _mixed_power(filtered: Tensor, mixing: Tensor) -> Tensor:
    """Mean square in each cell of the mixtures (K, J) of filtered images (B, J, H, W): float32 (B, K, h, w)."""
    count, _, height, width = filtered.shape
    power = torch.empty(count, len(mixing), height // CELL, width // CELL)

    def band(top: int) -> None:
        # A few rows at a time stay in the processor's cache, and what is mixed takes no memory.
        with torch.inference_mode():
            rows = filtered[:, :, top : top + _BAND_ROWS].flatten(2)
            squares = (mixing @ rows).square_().view(count, len(mixing), -1, CELL, width)
            cells = squares.sum(3).view(count, len(mixing), -1, width // CELL, CELL).sum(-1)
            power[:, :, top // CELL : top // CELL + cells.shape[2]] = cells / CELL**2

    each(band, range(0, height, _BAND_ROWS))
    return power


def spectra(images: Tensor, mpp: float) -> Tensor:
    """Power of the luminance in rings of spatial frequency, in windows of about 32 um.

    The zeros of the lens's transfer show in it, and these tell the distance from focus.

    Parameters
    ----------
    images : float32 (B, 3, H, W), 0..1
    mpp : float
        Pixel size, um.

    Returns
    -------
    float32 (B, SPECTRUM, h, w), one column for each ``STRIDE * shrinking(mpp)`` pixels: log power of the rings relative
    to their mean; that mean; the pixel size.
    """
    factor = shrinking(mpp)
    gray = nn.functional.avg_pool2d(luminance(images), factor, ceil_mode=True, count_include_pad=False)
    before = (WINDOW - STRIDE) // 2
    for axis in (2, 3):
        index = _mirrored(gray.shape[axis], before, -(-gray.shape[axis] // STRIDE) * STRIDE + 2 * before)
        gray = gray.index_select(axis, index)
    windows = gray.unfold(2, WINDOW, STRIDE).unfold(3, WINDOW, STRIDE)[:, 0]
    hann = torch.hann_window(WINDOW)
    windows = (windows - windows.mean((-2, -1), keepdim=True)) * (hann[:, None] * hann)
    waves = torch.view_as_real(torch.fft.rfft2(windows))
    power = waves.square().sum(-1).flatten(-2) @ _rings(factor * mpp)
    power = torch.log(power / WINDOW**2 + 1e-6)
    level = power.mean(-1, keepdim=True)
    size = torch.full_like(level, 4.0 * (mpp - 0.25))
    return torch.cat([power - level, 0.3 * level + 2, size], -1).permute(0, 3, 1, 2)


def shrinking(mpp: float) -> int:
    """By how many pixels an image is averaged before its spectra are taken."""
    return max(1, round(0.5 / mpp))


@lru_cache(maxsize=8)
def _rings(pixel_um: float) -> Tensor:
    """Mean over each ring: float32 (WINDOW * (WINDOW // 2 + 1), RINGS); rings past the last frequency repeat it."""
    radius = torch.hypot(torch.fft.fftfreq(WINDOW, pixel_um)[:, None], torch.fft.rfftfreq(WINDOW, pixel_um)[None])
    last = 0.48 / pixel_um
    centres = torch.linspace(0.05, _LAST_RING, RINGS).clamp(max=last)
    width = max(_LAST_RING / (RINGS - 1), 1.0 / (WINDOW * pixel_um))
    member = (1 - (radius.flatten()[:, None] - centres).abs() / width).clamp_min(0)
    return member / member.sum(0)


def _mirrored(length: int, before: int, total: int) -> Tensor:
    period = max(2 * (length - 1), 1)
    index = (torch.arange(total) - before) % period
    return torch.minimum(torch.minimum(index, period - index), torch.tensor(length - 1))


class Selector(nn.Module):
    """Dilated convolutions around a coarse context path: features to hypothesis logits (B, K, H / 4, W / 4).

    The context path looks at a quarter of the cells' resolution, because defocus changes slowly over
    a slide and a wide neighbourhood tells it from smooth tissue.
    """

    CONTEXT = 4

    def __init__(self, width: int = 48) -> None:
        super().__init__()

        def layer(dilation: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation), nn.ReLU())

        self.spectral = nn.Sequential(
            nn.Conv2d(SPECTRUM, 96, 1),
            nn.ReLU(),
            nn.Conv2d(96, 64, 1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, width, 3, padding=1),
        )
        self.enter = nn.Sequential(nn.Conv2d(FEATURES, width, 1), nn.ReLU())
        self.near = nn.ModuleList(layer(dilation) for dilation in (1, 2))
        self.context = nn.ModuleList(layer(dilation) for dilation in (1, 2, 4))
        self.join = nn.ModuleList(layer(dilation) for dilation in (1, 1))
        self.leave = nn.Conv2d(width, len(HYPOTHESES), 1)

    def forward(self, cells: Tensor, windows: Tensor) -> Tensor:
        """Logits of the hypotheses for each cell, from :func:`features` and :func:`spectra`."""
        wide = self.spectral(windows)
        step = STRIDE * shrinking(float(windows[0, -1, 0, 0]) / 4.0 + 0.25) / CELL
        spread = nn.functional.interpolate(wide, scale_factor=step, mode="bilinear", align_corners=False)
        hidden = self.enter(cells) + spread[..., : cells.shape[2], : cells.shape[3]]
        for layer in self.near:
            hidden = hidden + layer(hidden)
        wide = nn.functional.avg_pool2d(hidden, self.CONTEXT, ceil_mode=True, count_include_pad=False)
        for layer in self.context:
            wide = wide + layer(wide)
        factor = float(self.CONTEXT)
        spread = nn.functional.interpolate(wide, scale_factor=factor, mode="bilinear", align_corners=False)
        hidden = hidden + spread[..., : hidden.shape[2], : hidden.shape[3]]
        for layer in self.join:
            hidden = hidden + layer(hidden)
        logits: Tensor = self.leave(hidden)
        return logits
