"""The virtual refocusing network: a U-net of three stages.

Zhongling Wang, *Image Quality Assessment and Refocusing with Applications in Whole Slide Imaging*, PhD thesis,
University of Waterloo, 2024, chapter 5, figs 5.2 to 5.4 ("Wang 2024").

The radiance encoder turns any number of planes, each with its signed distance from focus, into D layers of features at
three resolutions. The refocus decoder pools them over depth as the target asks, coarse to fine, and draws what the
nearest planes lack. Signed distances are in um relative to the tissue: plane minus tissue; 0 is in focus.

What the picture is made of: an *anchor*, the acquired planes mixed by nearness to the target, plus a bounded residual
that fades out within ``ramp_um`` of an acquired plane. So a target at a plane returns the plane, the picture moves
continuously with the target, and what the network adds can be bounded and shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from focusviewer.core.json_text import from_json_text
from focusviewer.refocus.radiance.discriminator import Discriminator
from focusviewer.refocus.radiance.layers import (
    CODE,
    EncoderBlock,
    FocalStackPool,
    RefocusBlock,
    SpatialFeatureTransform,
    focus_code,
)

__all__ = ["SIZES", "Discriminator", "RadianceConfig", "RadianceNet", "load_radiance", "save_radiance"]

MULTIPLE = 8
"""Height and width must be multiples of this."""


@dataclass(frozen=True)
class RadianceConfig:
    """Size and variant of a network.

    Attributes
    ----------
    channels, depth : int
        C and D of the representation: D x H x W x C, D x H/2 x W/2 x 2C, D x H/4 x W/4 x 4C.
    heads : int
        Heads of the self-attentions; divides ``channels``.
    key_dim : int
        d of the cross-attention pooling.
    pooling : str
        Over depth: the published cross-attention, or the maximum or mean of its ablation.
    residual_limit : float
        Largest change of a pixel against the anchor, of full scale 1.
    ramp_um : float
        Distance from an acquired plane within which the residual fades to nothing.
    refocus_blocks : int
        SFT blocks of each decoder stage.
    attention_stride : tuple of int
        Pixels per token of the self-attentions at each stage.
    mpp : float
        Pixel size in um of the pictures it was trained on.
    """

    channels: int
    depth: int
    heads: int
    key_dim: int
    pooling: Literal["fsca", "max", "mean"] = "fsca"
    residual_limit: float = 0.5
    ramp_um: float = 0.5
    refocus_blocks: int = 1
    attention_stride: tuple[int, int, int] = (4, 2, 1)
    mpp: float = 0.25
    name: str = "custom"


SIZES: dict[str, RadianceConfig] = {
    # Wang 2024 names neither C, D, heads nor d: chosen so that the cost is what its 0.52 s on a 3090 allow.
    "seed": RadianceConfig(64, 8, 4, 64, refocus_blocks=2, attention_stride=(1, 1, 1), name="seed"),
    "slim": RadianceConfig(16, 3, 2, 8, name="slim"),
    "tiny": RadianceConfig(8, 3, 2, 8, name="tiny"),
}


def anchor_weights(defocus: Tensor, target: Tensor) -> Tensor:
    """How much each plane counts at a target: linear between the two planes around it, the nearest one outside.

    Parameters
    ----------
    defocus : float32 (B, FS, 1, H, W), um
    target : float32 (B, 1, H, W), um

    Returns
    -------
    float32 (B, FS, 1, H, W), sums to 1 over the planes; exactly 1 for a plane at the target.
    """
    offset = defocus - target[:, None]
    low = offset.masked_fill(offset > 0, -torch.inf).amax(1, keepdim=True)
    high = offset.masked_fill(offset < 0, torch.inf).amin(1, keepdim=True)
    of_low = (high / (high - low).clamp_min(1e-9)).clamp(0, 1)
    of_low = torch.where(torch.isinf(high), 1.0, torch.where(torch.isinf(low), 0.0, of_low))
    at_low, at_high = (offset == low).float(), (offset == high).float()
    share_low = at_low / at_low.sum(1, keepdim=True).clamp_min(1)
    share_high = at_high / at_high.sum(1, keepdim=True).clamp_min(1)
    return of_low * share_low + (1 - of_low) * share_high


def residual_gain(defocus: Tensor, target: Tensor, ramp_um: float) -> Tensor:
    """How much of the residual is used: 0 at an acquired plane, 1 from ``ramp_um`` on, smooth between; (B, 1, H, W)."""
    distance = (defocus - target[:, None]).abs().amin(1)
    t = (distance / ramp_um).clamp(0, 1)
    return t * t * (3 - 2 * t)


class Stem(nn.Module):
    """From any number of planes to D layers, whatever their order.

    Each plane is looked at alone, conditioned on its distance from focus by SFT. Then D learned depth queries attend
    over the planes, pixel by pixel. As the queries are constants, query times key is one 1 x 1 convolution of a
    plane's features and focus code to D logits.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, channels, 3, padding=1)
        self.transform = SpatialFeatureTransform(channels)
        self.look = nn.Conv2d(channels, channels, 3, padding=1)
        self.logits = nn.Conv2d(channels + CODE, depth, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.layer_scale = nn.Parameter(1 + 0.3 * torch.randn(depth, channels, 1, 1))
        self.layer_shift = nn.Parameter(0.3 * torch.randn(depth, channels, 1, 1))

    def forward(self, images: Tensor, defocus: Tensor) -> tuple[Tensor, Tensor]:
        """Planes to layers.

        Parameters
        ----------
        images : float (B, FS, 3, H, W)
        defocus : float32 (B, FS, 1, H, W)

        Returns
        -------
        Layers (B, D, C, H, W), and the focus codes of what each was made from, (B, D, CODE, H / 2, W / 2).
        """
        batch, planes = images.shape[:2]
        code = focus_code(defocus.flatten(0, 1))
        seen = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        seen = functional.leaky_relu(self.transform(self.enter(2 * seen - 1), code), 0.1)
        seen = functional.leaky_relu(self.look(seen), 0.1)
        code = code.to(seen.dtype)
        logits = self.logits(torch.cat([seen, code], 1)).float()
        shares = torch.softmax(logits.view(batch, planes, *logits.shape[1:]), 1).to(seen.dtype)  # (B, FS, D, H, W)
        values = self.value(seen).view(batch, planes, -1, *seen.shape[2:])
        layers = [
            torch.addcmul(shift, (shares[:, :, depth, None] * values).sum(1), scale)
            for depth, (scale, shift) in enumerate(zip(self.layer_scale, self.layer_shift, strict=True))
        ]
        # What each layer was made from, in halves of the resolution: only the coarser stages are told.
        coarse = functional.avg_pool2d(code, 2)
        coarse = coarse.view(batch, planes, *coarse.shape[1:])
        shares = functional.avg_pool2d(shares.flatten(0, 1), 2).view(batch, planes, -1, *coarse.shape[3:])
        codes = [(shares[:, :, depth, None] * coarse).sum(1) for depth in range(shares.shape[2])]
        return torch.stack(layers, 1), torch.stack(codes, 1)


class _Chain(nn.ModuleList):
    """SFT blocks one after the other."""

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        for block in self:
            x = block(x, code)
        return x


class RadianceNet(nn.Module):
    """Encoder and decoder; see the module text.

    Convolutions follow the input's memory format: call ``net.to(memory_format=torch.channels_last)`` for speed. Runs
    in bfloat16 under autocast; anchor and output stay float32.
    """

    def __init__(self, config: RadianceConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * 2**stage for stage in range(3)]
        self.stem = Stem(config.channels, config.depth)
        self.halve = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, 2) for i in range(2))
        self.encoders = nn.ModuleList(
            EncoderBlock(width, config.heads, stride, conditioned=stage > 0)
            for stage, (width, stride) in enumerate(zip(widths, config.attention_stride, strict=True))
        )
        self.pools = nn.ModuleList(FocalStackPool(width, config.key_dim, config.pooling) for width in widths)
        self.joins = nn.ModuleList(
            [
                nn.Conv2d(2 * widths[0] + 4, widths[0], 3, padding=1),
                nn.Conv2d(2 * widths[1], widths[1], 3, padding=1),
                nn.Identity(),
            ]
        )
        self.rise = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in range(2))
        self.blocks = nn.ModuleList(
            _Chain(RefocusBlock(width) for _ in range(config.refocus_blocks)) for width in widths
        )
        self.head = nn.Conv2d(widths[0], 3, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def encode(self, images: Tensor, defocus: Tensor) -> list[Tensor]:
        """Represent a stack.

        Parameters
        ----------
        images : float (B, FS, 3, H, W), 0..1; FS 1 to 16, H and W multiples of 8
        defocus : float32 (B, FS, 1, H, W)
            Signed um of each plane from the tissue.

        Returns
        -------
        Three features, (B, D, C * 2^l, H / 2^l, W / 2^l).
        """
        depth = self.config.depth
        layers, codes = self.stem(images, defocus)
        batch = layers.shape[0]
        x, code = layers.flatten(0, 1), codes.flatten(0, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        features = []
        for stage, encoder in enumerate(self.encoders):
            if stage:
                x = self.halve[stage - 1](x)
            if stage == 2:
                code = functional.avg_pool2d(code, 2)
            x = encoder(x, depth, code)
            features.append(x.view(batch, depth, *x.shape[1:]))
        return features

    def decode(self, features: Sequence[Tensor], images: Tensor, defocus: Tensor, target: Tensor) -> Tensor:
        """The picture at a target focus.

        Parameters
        ----------
        features : from :meth:`encode` of the same images and defocus
        target : float32 (B, 1, H, W)
            Signed um of the wanted plane from the tissue.

        Returns
        -------
        float32 (B, 3, H, W), 0..1; while training not clamped, so that no pixel loses its gradient.
        """
        anchor, residual = self.parts(features, images, defocus, target)
        picture = anchor + residual_gain(defocus, target, self.config.ramp_um) * residual
        return picture if self.training else picture.clamp(0, 1)

    def parts(
        self, features: Sequence[Tensor], images: Tensor, defocus: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Anchor, and the bounded residual before it fades at a plane, each float32 (B, 3, H, W)."""
        anchor = (anchor_weights(defocus, target) * images.float()).sum(1)
        distance = _signed_gap(defocus, target)
        codes = self._codes(target)
        x: Tensor | None = None
        for stage in (2, 1, 0):
            pooled = self.pools[stage](features[stage], codes[stage])
            if x is None:
                x = pooled
            else:
                raised = functional.interpolate(self.rise[stage](x), scale_factor=2, mode="bilinear")
                parts = [pooled, raised]
                if stage == 0:
                    extra = torch.cat([2 * anchor - 1, 0.25 * distance], 1)
                    parts.append(extra.to(pooled.dtype))
                x = functional.leaky_relu(self.joins[stage](torch.cat(parts, 1)), 0.1)
            x = self.blocks[stage](x, codes[stage])
        limit = self.config.residual_limit
        return anchor, limit * torch.tanh(self.head(x).float() / limit)

    def attention(self, features: Sequence[Tensor], target: Tensor) -> list[Tensor]:
        """Weights over depth of each pooling layer (fig 5.10), fine to coarse: float32 (B, D, H / 2^l, W / 2^l)."""
        codes = self._codes(target)
        return [
            pool.attention(feature, code)  # type: ignore[operator]
            for pool, feature, code in zip(self.pools, features, codes, strict=True)
        ]

    def forward(self, images: Tensor, defocus: Tensor, target: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decode(self.encode(images, defocus), images, defocus, target)

    @staticmethod
    def _codes(target: Tensor) -> list[Tensor]:
        return [focus_code(functional.avg_pool2d(target.float(), 2**stage) if stage else target) for stage in range(3)]


def _signed_gap(defocus: Tensor, target: Tensor) -> Tensor:
    """Mean signed distance from the anchor's planes to the target, um: (B, 1, H, W)."""
    return target - (anchor_weights(defocus, target) * defocus).sum(1)


def save_radiance(net: RadianceNet, path: Path, facts: Mapping[str, str] | None = None) -> None:
    """Write weights as safetensors, with the configuration (and any other facts) in the metadata."""
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    metadata = {**(facts or {}), "model": "radiance", "config": json.dumps(asdict(net.config))}
    save_file(state, str(path), metadata=metadata)


def load_radiance(path: Path) -> RadianceNet:
    """Read a network for inference, on the CPU.

    Raises
    ------
    ValueError
        If the file is of another model, or its configuration and tensors do not fit.
    """
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("model") != "radiance":
            raise ValueError(f"{path.name} holds {metadata.get('model', 'an unnamed model')}, not radiance")
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    values: dict[str, Any] = from_json_text(metadata["config"])
    values["attention_stride"] = tuple(values["attention_stride"])
    net = RadianceNet(RadianceConfig(**values))
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"the tensors of {path.name} do not fit its configuration") from error
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False)
