"""The small network that says, for each place, which hypothesis of the operator bank fits.

It never makes pixels: its output is a probability for each hypothesis at quarter resolution, and the picture is the
mixture of physical operators with these weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from focusviewer.refocus.operators import HYPOTHESES, OperatorBank

CELL = 4
"""Image pixels per cell of the weight maps."""

FEATURES = (len(HYPOTHESES) - 1) + CELL * CELL + 5


def luminance(images: Tensor) -> Tensor:
    """Mean of the colours: (B, 3, H, W) to (B, 1, H, W)."""
    return images.mean(1, keepdim=True)


def features(images: Tensor, filtered: Tensor, bank: OperatorBank) -> Tensor:
    """What the selector sees, at quarter resolution.

    Parameters
    ----------
    images : float32 (B, 3, H, W), 0..1; H and W multiples of CELL
    filtered : float32 (B, J, 3, H, W)
        The image through each basis filter.

    Returns
    -------
    float32 (B, FEATURES, H / 4, W / 4): log energy that each hypothesis would add; the luminance's pixels relative to
    their neighbourhood; brightness, saturation, contrast at two sizes, pixel size.
    """
    count, _, height, width = images.shape
    gray = luminance(images)
    mixing = torch.from_numpy(bank.coefficients[1:, 0])
    added = (mixing @ filtered.mean(2).flatten(2)).view(count, -1, height, width)
    pool = nn.functional.avg_pool2d
    energy = torch.log(pool(added.square(), CELL) + 1e-6)
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

        self.enter = nn.Sequential(nn.Conv2d(FEATURES, width, 1), nn.ReLU())
        self.near = nn.ModuleList(layer(dilation) for dilation in (1, 2))
        self.context = nn.ModuleList(layer(dilation) for dilation in (1, 2, 4))
        self.join = nn.ModuleList(layer(dilation) for dilation in (1, 1))
        self.leave = nn.Conv2d(width, len(HYPOTHESES), 1)

    def forward(self, cells: Tensor) -> Tensor:
        """Logits of the hypotheses for each cell."""
        hidden = self.enter(cells)
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
