"""Building blocks of the radiance network: conditioning, factorised attention and convolution, pooling over depth.

Layers of the representation travel folded into the batch, (B * D, C, H, W) in channels-last memory: two-dimensional
convolutions see pictures, and the depth branches view the same memory as (B, D, C, H, W) without a copy.

Published self-attention is quadratic in the number of pixels, which no full-resolution stage can pay. Here the
intra-image attention is local and linear in the number of pixels: it works on tokens (means over ``stride`` pixels),
each window of 8 x 8 tokens asks the 16 x 16 tokens around it, and those are pooled two by two. At a quarter of the
resolution that is 64 pixels wide, more than the widest circle of confusion at 4 um. Statistics of the whole picture
(instance norm, channel attention) are avoided: they would make neighbouring tiles of one view disagree.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW = 8
"""Tokens along the side of a window of queries; its pooled keys form a square of as many."""

_CENTRES_UM = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
CODE = len(_CENTRES_UM) + 2
"""Channels of :func:`focus_code`."""


def focus_code(defocus: Tensor) -> Tensor:
    """Smooth description of a signed distance from focus, for layers that are linear in it.

    Parameters
    ----------
    defocus : float32 (N, 1, H, W), um

    Returns
    -------
    float32 (N, CODE, H, W): the distance, its size, and how near it is to each whole um from -3 to 3.
    """
    centres = torch.tensor(_CENTRES_UM, device=defocus.device).view(1, -1, 1, 1)
    value = defocus.float().clamp(-8, 8)
    near = torch.exp(-(value - centres).square())
    size = torch.sqrt(value.square() + 0.01)
    return torch.cat([0.25 * value, 0.25 * size, near], 1).contiguous(memory_format=torch.channels_last)


class ChannelNorm(nn.Module):
    """Scales the channels of each pixel to unit mean square; looks at no other pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        scale = torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-4)
        return x * (scale * self.weight).to(x.dtype)


class SpatialFeatureTransform(nn.Module):
    """SFT layer: scales and shifts features pixel by pixel as a focus map says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.affine = nn.Conv2d(CODE, 2 * channels, 1)
        with torch.no_grad():
            self.affine.weight.mul_(0.3)
            self.affine.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Features (N, C, H, W), code (N, CODE, H, W) to (N, C, H, W)."""
        scale, shift = self.affine(code).chunk(2, 1)
        return torch.addcmul(x + shift, x, scale)


class FactorisedConv(nn.Module):
    """A 3-D convolution in two branches, along the picture (1 x 3 x 3) and along the depth (3 x 1 x 1), added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(channels, channels, 3, padding=1)
        self.along_depth = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)

    def forward(self, x: Tensor, depth: int) -> Tensor:
        """(B * D, C, H, W) to the same."""
        # To the depth branch a column of pixels is a picture of D x (H * W), channels last as well.
        count, channels, height, width = x.shape
        stack = x.permute(0, 2, 3, 1).reshape(count // depth, depth, height * width, channels).permute(0, 3, 1, 2)
        along = self.along_depth(stack).permute(0, 2, 3, 1).reshape(count, height, width, channels)
        return self.spatial(x) + along.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class IntraImageAttention(nn.Module):
    """Self-attention within each layer: windows of tokens ask the pooled tokens around them (see the module text)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Conv2d(channels, channels, 1)
        self.key_value = nn.Conv2d(channels, 2 * channels, 1)
        self.bias = nn.Parameter(torch.zeros(heads, WINDOW * WINDOW, WINDOW * WINDOW))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        count, channels, height, width = tokens.shape
        padded = functional.pad(tokens, (0, -width % WINDOW, 0, -height % WINDOW))
        rows, columns = padded.shape[2] // WINDOW, padded.shape[3] // WINDOW
        query = self.query(padded).view(count, self.heads, -1, rows, WINDOW, columns, WINDOW)
        query = query.permute(0, 3, 5, 1, 4, 6, 2).reshape(-1, self.heads, WINDOW * WINDOW, channels // self.heads)
        key_value = _around(self.key_value(functional.avg_pool2d(padded, 2)))
        key_value = key_value.view(count, 2, self.heads, channels // self.heads, WINDOW * WINDOW, rows * columns)
        key, value = (part.permute(0, 4, 1, 3, 2).flatten(0, 1) for part in key_value.unbind(1))
        outside = _outside(height, width, padded.shape[2:], query)  # (windows, keys)
        mask = (self.bias.to(query.dtype) + outside[:, None, None].to(query.dtype)).repeat(count, 1, 1, 1)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        found = found.view(count, rows, columns, self.heads, WINDOW, WINDOW, -1).permute(0, 1, 4, 2, 5, 3, 6)
        picture = found.reshape(count, rows * WINDOW, columns * WINDOW, channels)[:, :height, :width]
        return picture.permute(0, 3, 1, 2)


def _around(pooled: Tensor) -> Tensor:
    """Squares of pooled tokens around every window: (N, C, h / 2, w / 2) to (N, C, WINDOW^2, windows)."""
    parts = functional.unfold(pooled, WINDOW, stride=WINDOW // 2, padding=WINDOW // 4)
    return parts.view(pooled.shape[0], pooled.shape[1], WINDOW * WINDOW, -1)


def _outside(height: int, width: int, full: torch.Size, like: Tensor) -> Tensor:
    """Penalty of keys that lie outside the picture: (windows, WINDOW^2), 0 or very negative."""
    inside = torch.zeros(1, 1, full[0] // 2, full[1] // 2, device=like.device)
    inside[..., : -(-height // 2), : -(-width // 2)] = 1
    return (1 - _around(inside)[0, 0].T) * -1e4


class InterImageAttention(nn.Module):
    """Self-attention along the depth, pixel by pixel: every layer asks all layers at its place."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Conv2d(channels, 3 * channels, 1)

    def forward(self, tokens: Tensor, depth: int) -> Tensor:
        """(B * D, C, h, w) to the same."""
        _, channels, height, width = tokens.shape
        parts = self.project(tokens).view(-1, depth, 3, self.heads, channels // self.heads, height, width)
        query, key, value = parts.permute(2, 0, 5, 6, 3, 1, 4).flatten(1, 3)  # (B * h * w, heads, D, C / heads)
        found = functional.scaled_dot_product_attention(query, key, value)
        stack = found.view(-1, height, width, self.heads, depth, channels // self.heads).permute(0, 4, 1, 2, 3, 5)
        return stack.reshape(-1, height, width, channels).permute(0, 3, 1, 2)


class EncoderBlock(nn.Module):
    """One block of the 3-D radiance encoder (fig 5.4): both attentions side by side, fused; two 3-D convolutions.

    ``stride`` is how many pixels of the stage become one token of the attentions.
    """

    def __init__(self, channels: int, heads: int, stride: int, conditioned: bool) -> None:
        super().__init__()
        self.stride = stride
        self.norm = ChannelNorm(channels)
        self.intra = IntraImageAttention(channels, heads)
        self.inter = InterImageAttention(channels, heads)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)
        self.transform = SpatialFeatureTransform(channels) if conditioned else None
        self.first = FactorisedConv(channels)
        self.second = FactorisedConv(channels)
        with torch.no_grad():
            self.fuse.weight.mul_(0.1)
            self.second.spatial.weight.mul_(0.3)
            self.second.along_depth.weight.mul_(0.3)

    def forward(self, x: Tensor, depth: int, code: Tensor) -> Tensor:
        """Features (B * D, C, H, W), code (B * D, CODE, H, W) to (B * D, C, H, W)."""
        tokens = self.norm(functional.avg_pool2d(x, self.stride) if self.stride > 1 else x)
        fused = self.fuse(torch.cat([self.intra(tokens), self.inter(tokens, depth)], 1))
        if self.stride > 1:
            fused = functional.interpolate(fused, scale_factor=self.stride, mode="bilinear", align_corners=False)
        x = x + fused
        if self.transform is not None:
            x = self.transform(x, code)
        hidden = functional.leaky_relu(self.first(x, depth), 0.1, inplace=True)
        return x + self.second(hidden, depth)  # type: ignore[no-any-return]


class RefocusBlock(nn.Module):
    """SFT block of the refocus decoder: two convolutions, each behind an SFT layer conditioned on the target."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(SpatialFeatureTransform(channels) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Features (B, C, H, W), code (B, CODE, H, W) to (B, C, H, W)."""
        hidden = x
        for transform, convolution in zip(self.transforms, self.convolutions, strict=True):
            hidden = convolution(functional.leaky_relu(transform(hidden, code), 0.1))
        return x + hidden


class FocalStackPool(nn.Module):
    """Pools the depth as the target focus map asks: Focal Stack Cross-Attention (eq 5.5), or maximum, or mean.

    The value network is one 1 x 1 convolution. It is linear and the weights of a pixel sum to 1, so pooling first and
    applying it once is the same as applying it to all D layers, and D times cheaper.
    """

    def __init__(self, channels: int, key_dim: int, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling
        self.value = nn.Conv2d(channels, channels, 1)
        if pooling == "fsca":
            self.query = nn.Conv2d(CODE, key_dim, 1)
            self.key = nn.Conv2d(channels, key_dim, 1)

    def attention(self, features: Tensor, code: Tensor) -> Tensor:
        """Weights of the layers: features (B, D, C, h, w), code (B, CODE, h, w) to (B, D, h, w), sums to 1 over D."""
        batch, depth = features.shape[:2]
        if self.pooling != "fsca":
            return torch.full((batch, depth, *features.shape[3:]), 1 / depth, device=features.device)
        query = self.query(code).float()
        query = query * torch.rsqrt(query.square().sum(1, keepdim=True) + 1e-6)
        key = self.key(features.flatten(0, 1)).float().unflatten(0, (batch, depth))
        similarity = (key * query[:, None]).sum(2) * torch.rsqrt(key.square().sum(2) + 1e-6)
        return torch.softmax(similarity, 1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Features (B, D, C, h, w), code (B, CODE, h, w) to (B, C, h, w)."""
        if self.pooling == "max":
            value = self.value(features.flatten(0, 1))
            return value.view(features.shape).amax(1)  # type: ignore[no-any-return]
        if self.pooling == "mean":
            return self.value(features.mean(1))  # type: ignore[no-any-return]
        weights = self.attention(features, code).to(features.dtype)
        pooled = weights[:, 0, None] * features[:, 0]
        for layer in range(1, features.shape[1]):
            pooled = torch.addcmul(pooled, weights[:, layer, None], features[:, layer])
        return self.value(pooled)  # type: ignore[no-any-return]
