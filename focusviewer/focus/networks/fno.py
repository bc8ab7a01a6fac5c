"""The Fourier neural operator that tells sharp from blurred 64 px windows. Imports torch.

Architecture of Nazarenko and Krylov, *Neural network method for detecting blur in histological images*,
Programmirovanie 2024, no. 3, section 5 (P, eight Fourier layers with a sigmoid, Q, head); Fourier layer of Li et al.,
*Fourier neural operator for parametric partial differential equations*, ICLR 2021. Only MODES low frequencies are kept,
so the transforms are products with narrow matrices of sines and cosines: the same numbers as a full FFT that throws the
rest away, at a fraction of the cost.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from focusviewer.focus.networks.base import FocusNetwork, normalised

WINDOW = 64
WIDTH = 32  # hidden channels
LAYERS = 8
MODES = 12  # lowest frequencies kept along each axis, of both signs along y
OUT_CHANNELS = 3
POOL, HEAD = 8, 64  # the average pooling of the head, its hidden units

_SIGMOID_SLOPE = 0.25  # at 0: weights start larger by its inverse, or eight layers would let nothing through


class Transforms(nn.Module):
    """Truncated Fourier transforms of ``size`` px squares, as matrices.

    Coefficients are float (..., MODES, 2, 2 * MODES): x frequency, real and imaginary part, y frequency
    (0 .. MODES - 1, then -MODES .. -1).
    """

    across: Tensor
    down: Tensor
    up: Tensor
    back: Tensor

    def __init__(self, size: int = WINDOW, modes: int = MODES) -> None:
        super().__init__()
        self.size, self.modes = size, modes
        place = torch.arange(size, dtype=torch.float64)
        x_phase = 2 * math.pi * place[:, None] * torch.arange(modes)[None] / size
        y_frequency = torch.cat([torch.arange(modes), torch.arange(-modes, 0)])
        y_phase = 2 * math.pi * place[:, None] * y_frequency[None] / size
        cos, sin = y_phase.cos(), y_phase.sin()
        scale = 1 / math.sqrt(size)
        twice = torch.full((modes,), 2.0, dtype=torch.float64)
        twice[0] = 1.0  # every other x frequency stands for its mirror image too
        matrices = {
            "across": torch.cat([x_phase.cos(), -x_phase.sin()], dim=1) * scale,
            # (re + i im)(cos - i sin), as one real matrix on stacked parts; `up` is its conjugate transpose
            "down": torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)], 0) * scale,
            "up": torch.cat([torch.cat([cos.T, sin.T], 1), torch.cat([-sin.T, cos.T], 1)], 0) * scale,
            "back": torch.cat([x_phase.cos() * twice, -x_phase.sin() * twice], dim=1).T * scale,
        }
        for name, matrix in matrices.items():
            self.register_buffer(name, matrix.float().contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float (..., size, size) to coefficients (..., MODES, 2, 2 * MODES)."""
        lead = x.shape[:-2]
        rows = (x @ self.across).reshape(*lead, self.size, 2, self.modes)
        rows = rows.permute(*range(len(lead)), -1 + rows.ndim, -2 + rows.ndim, -3 + rows.ndim)
        spectrum = rows.reshape(*lead, self.modes, 2 * self.size) @ self.down
        return spectrum.reshape(*lead, self.modes, 2, 2 * self.modes)

    def inverse(self, spectrum: Tensor) -> Tensor:
        """Coefficients (..., MODES, 2, 2 * MODES) to float (..., size, size)."""
        lead = spectrum.shape[:-3]
        rows = spectrum.reshape(*lead, self.modes, 4 * self.modes) @ self.up
        rows = rows.reshape(*lead, self.modes, 2, self.size)
        rows = rows.permute(*range(len(lead)), -1 + rows.ndim, -2 + rows.ndim, -3 + rows.ndim)
        return rows.reshape(*lead, self.size, 2 * self.modes) @ self.back


class FourierLayer(nn.Module):
    """``sigmoid(F^-1(R F(x)) + W x)``: R mixes channels at every kept frequency, W at every pixel.

    Parameters
    ----------
    width : int
        Channels, in and out.
    transforms : Transforms
        Shared by the layers of a network.
    """

    def __init__(self, width: int, transforms: Transforms) -> None:
        super().__init__()
        modes = transforms.modes
        self.transforms = [transforms]  # in a list: its buffers belong to the network, not to each layer
        spread = 1 / (_SIGMOID_SLOPE * math.sqrt(width))
        # Real parts of all frequencies (x slow, y fast), then the imaginary parts.
        self.mix = nn.Parameter(torch.randn(2 * modes * 2 * modes, width, width) * spread / math.sqrt(2))
        self.local = nn.Conv2d(width, width, 1)
        nn.init.normal_(self.local.weight, std=spread)
        with torch.no_grad():  # inputs are about 0.5 after the first layer: keep sums in the steep part
            assert self.local.bias is not None
            self.mix[:: modes * 2 * modes] = 0.0  # the mean is left to W
            self.local.bias.copy_(-0.5 * self.local.weight.sum(dim=(1, 2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Float (B, C, S, S), same shape out."""
        spectrum = self.transforms[0](x)  # B, C, kx, part, ky
        batch, width, modes = spectrum.shape[:3]
        stacked = spectrum.permute(2, 4, 0, 3, 1).reshape(modes * 2 * modes, batch, 2 * width)
        mixed = torch.bmm(stacked, self._matrices()).reshape(modes, 2 * modes, batch, 2, width)
        low = self.transforms[0].inverse(mixed.permute(2, 4, 0, 3, 1))
        return torch.sigmoid(low + self.local(x))

    def _matrices(self) -> Tensor:
        """The complex weights as real matrices on stacked parts: (frequencies, 2 C, 2 C)."""
        real, imaginary = self.mix.chunk(2)
        return torch.cat([torch.cat([real, imaginary], 2), torch.cat([-imaginary, real], 2)], 1)


class FourierClassifier(FocusNetwork):
    """The classifier: one logit, positive for blurred."""

    def __init__(self, width: int = WIDTH, layers: int = LAYERS, modes: int = MODES) -> None:
        super().__init__()
        self.transforms = Transforms(WINDOW, modes)
        self.lift = _pixelwise(3, width, width)
        self.layers = nn.Sequential(*(FourierLayer(width, self.transforms) for _ in range(layers)))
        self.project = _pixelwise(width, width, OUT_CHANNELS)
        self.head = nn.Sequential(
            nn.AvgPool2d(POOL),
            nn.Flatten(),
            nn.Linear(OUT_CHANNELS * (WINDOW // POOL) ** 2, HEAD),
            nn.GELU(),
            nn.Linear(HEAD, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B,) of 64 px crops."""
        hidden = self.layers(self.lift(normalised(images)))
        return self.through_head(self.project(hidden))[:, 0]

    def scores_and_uncertainty(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Probability p of being blurred, and the standard deviation sqrt(p (1 - p)) of that answer."""
        p = torch.sigmoid(outputs.float())
        return p, (p * (1 - p)).sqrt()


def _pixelwise(inside: int, hidden: int, outside: int) -> nn.Sequential:
    """Two 1x1 convolutions that keep the spread of what goes in."""
    first, second = nn.Conv2d(inside, hidden, 1), nn.Conv2d(hidden, outside, 1)
    for layer in (first, second):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(first, nn.GELU(), second)
