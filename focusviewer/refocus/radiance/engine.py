"""The radiance engine: the virtual refocusing network behind the Refocuser interface, for views of any size and scale.

The network gives a bounded residual; anchor, fading at acquired planes and the gate over empty glass are computed here
for each pixel of the view, so they know no tiles. Residuals of neighbouring tiles are cross-faded. A view at another
pixel size than the network's is scaled for the network only: its residual is scaled back and added to the scan.

To the network the view goes on beyond its borders, mirrored at their pixels in place and in value. Root mean square
error of a blurred section on the outermost pixel, in gray levels, 12.4 further in: 12.8 where the view just ends (and
two levels too dark), 13.6 to 13.8 mirrored in place only, which bends every edge that reaches the border, 11.7 so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.weights import unreadable_weights
from focusviewer.focus.base import SAME_SCALE
from focusviewer.refocus.base import Encoded, Refocuser, full_map
from focusviewer.refocus.radiance import depth as depths
from focusviewer.refocus.radiance.glass import tissue_gate
from focusviewer.refocus.radiance.grain import draws_out, grain_gate
from focusviewer.refocus.radiance.tiles import ALIGN_PX, OVERLAP_PX, Tile, tiles

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from focusviewer.refocus.radiance.network import RadianceNet

REFRACTS = "Rims brighter than bare glass: this specimen refracts, and is not sharpened."

FindDepth = Callable[[Sequence[RGB], float, Sequence[float]], FloatMap]
Features = list["Tensor"]

_TILE_BYTES = 300_000_000  # about what one tile may take while it is encoded
_KEPT_BYTES = 560_000_000  # features of a view that are kept between slider steps; above, they are made again
_LARGEST_TILE_PX = 1024
_BAND_ROWS = 128
_MARGIN_PX = 8  # beyond the borders; a multiple of 4, as the coarsest features are at a quarter


@dataclass(frozen=True)
class View:
    """What the engine keeps of a view. "Scaled" is at the network's pixel size, with a margin all around.

    Attributes
    ----------
    images : tuple of uint8 (H, W, 3)
        Planes as scanned, lowest first.
    planes_um : tuple of float
    depth : float32 (H, W)
        Position of the tissue, um.
    gate : float32 (H, W)
        Share of the residual that is used: 0 in empty glass.
    grain : float32 (H, W)
        The same where the target is nearer to the tissue than every plane: 0 in mere grain.
    scaled : tuple of uint8 (h, w, 3)
    scaled_depth : float32 (h, w)
    inner : tuple of two slices
        Rows and columns of the scaled view that are no margin.
    tiles : list of Tile
        Of the scaled view, margin included; those of empty glass are left out.
    features : list of features for each tile, or None where keeping them takes too much memory
    """

    images: tuple[RGB, ...]
    planes_um: tuple[float, ...]
    depth: FloatMap
    gate: FloatMap
    grain: FloatMap
    scaled: tuple[RGB, ...]
    scaled_depth: FloatMap
    inner: tuple[slice, slice]
    tiles: list[Tile]
    features: list[Features] | None


class RadianceRefocuser(Refocuser):
    """Refocuses with the virtual refocusing network (Wang 2024, chapter 5); on a graphics card where there is one.

    Parameters
    ----------
    weights : Path
        safetensors file from ``network.save_radiance``.
    find_depth : callable, optional
        Gives the depth map of (images, mpp, planes_um) where no focus maps are given.
    device : str, optional
        Of torch; the graphics card if there is one.
    tile_px : int, optional
        Side of the tiles, a multiple of 32 above 96; otherwise set by the size of the network.
    """

    name = "radiance"
    version = "2"
    is_slow = True

    def __init__(
        self,
        weights: Path,
        find_depth: FindDepth = depths.selector_depth,
        device: str | None = None,
        tile_px: int | None = None,
    ) -> None:
        self._weights, self._find_depth, self._tile_px = weights, find_depth, tile_px
        self._wanted_device = device
        self._loaded: RadianceNet | None = None

    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        import torch

        return torch.device(self._wanted_device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @property
    def network(self) -> RadianceNet:
        """The network, loaded at first use.

        Raises
        ------
        UserError
            If the weights cannot be read.
        """
        if self._loaded is None:
            from focusviewer.refocus.radiance.network import load_radiance

            try:
                self._loaded = load_radiance(self._weights).to(self.device)
            except Exception as error:
                raise unreadable_weights(self.name, self._weights, error) from error
        return self._loaded

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        planes = tuple(np.ascontiguousarray(image) for image in images)
        if focus_maps is None:
            depth = self._find_depth(planes, mpp, planes_um)
        else:
            depth = depths.from_maps(focus_maps, planes_um)
        gate, notes = _allowed(planes)
        view = self._view(planes, planes_um, mpp, depth, gate)
        return Encoded(depth.shape, mpp, planes_um, depth - np.float32(planes_um[0]), view, notes)

    def _view(
        self, planes: tuple[RGB, ...], zs: tuple[float, ...], mpp: float, depth: FloatMap, gate: FloatMap
    ) -> View:
        height, width = depth.shape
        factor = mpp / self.network.config.mpp
        factor = 1.0 if 1 / SAME_SCALE <= factor <= SAME_SCALE else factor
        size = max(1, round(height * factor)), max(1, round(width * factor))
        scaled = planes if factor == 1 else tuple(_resized(plane, size) for plane in planes)
        scaled_depth, scaled_gate = (framed(scaled_map(values, size)) for values in (depth, gate))
        cut = tiles(scaled_depth.shape, self._tile_px or self._side(len(planes)))
        view = View(
            planes,
            zs,
            depth,
            gate,
            scaled_map(grain_gate(scaled), depth.shape),
            tuple(_continued(plane) for plane in scaled),
            scaled_depth,
            (slice(_MARGIN_PX, _MARGIN_PX + size[0]), slice(_MARGIN_PX, _MARGIN_PX + size[1])),
            [tile for tile in cut if scaled_gate[tile.part].any()],
            None,
        )
        config = self.network.config
        kept = config.depth * config.channels * 1.75 * (2 if self._half else 4) * size[0] * size[1]
        if kept > _KEPT_BYTES:
            return view
        return replace(view, features=[features for _, features in self.each_tile(view)])

    def _side(self, planes: int) -> int:
        """Side of the tiles, so that encoding one stays within _TILE_BYTES."""
        config = self.network.config
        per_pixel = planes * (6 * config.channels + 100) + 24 * config.depth * config.channels
        per_pixel *= 1 if self._half else 2
        side = int((_TILE_BYTES / per_pixel) ** 0.5) // ALIGN_PX * ALIGN_PX
        return min(max(side, OVERLAP_PX + 3 * ALIGN_PX), _LARGEST_TILE_PX)

    def each_tile(self, view: View) -> Iterator[tuple[Tile, Features]]:
        """Tiles of a view with their features, made again where they were not kept."""
        import torch

        for index, tile in enumerate(view.tiles):
            if view.features is not None:
                yield tile, view.features[index]
                continue
            with torch.inference_mode(), self._precision():
                yield tile, self.network.encode(*self.inputs(view, tile))

    def inputs(self, view: View, tile: Tile) -> tuple[Tensor, Tensor]:
        """What the network is given of a tile: images (1, FS, 3, h, w) and signed defocus (1, FS, 1, h, w)."""
        import torch

        images = np.stack([plane[tile.part] for plane in view.scaled])
        depth = torch.from_numpy(np.ascontiguousarray(view.scaled_depth[tile.part])).to(self.device)
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        planes = torch.tensor(view.planes_um, device=self.device).view(-1, 1, 1, 1)
        return pixels[None], (planes - depth)[None]

    def target(self, view: View, tile: Tile, target_um: FloatMap) -> Tensor:
        """Signed distance of a target from the tissue in a tile: (1, 1, h, w); see :func:`scaled_target_map`."""
        import torch

        part = np.asarray(target_um[tile.part] - view.scaled_depth[tile.part])
        return torch.from_numpy(part).to(self.device)[None, None]

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        return self.render_with(encoded.state, target_um, lambda features: features)

    def render_with(self, view: View, target_um: float | FloatMap, change: Callable[[Features], Features]) -> RGB:
        """Render from features that were changed; see :mod:`focusviewer.refocus.radiance.diagnostics`."""
        target = full_map(target_um, view.depth.shape)
        return self._compose(view, target, self._residual(view, target, change))

    def _residual(self, view: View, target: FloatMap, change: Callable[[Features], Features]) -> FloatMap:
        """What the network would draw, before it is faded and gated: float32 (3, H, W)."""
        import torch

        total = np.zeros((3, *view.scaled_depth.shape), np.float32)
        scaled_target = scaled_target_map(view, target)
        with torch.inference_mode(), self._precision():
            for tile, features in self.each_tile(view):
                wanted = self.target(view, tile, scaled_target)
                _, residual = self.network.parts(change(features), *self.inputs(view, tile), wanted)
                total[:, tile.part[0], tile.part[1]] += residual[0].float().cpu().numpy() * tile.weights()
        return scaled_map(total[:, view.inner[0], view.inner[1]], target.shape)

    def _compose(self, view: View, target: FloatMap, residual: FloatMap) -> RGB:
        import torch

        from focusviewer.refocus.radiance.network import anchor_weights, residual_gain

        result = np.empty((*target.shape, 3), np.uint8)
        zs = torch.tensor(view.planes_um).view(1, -1, 1, 1, 1)
        for top in range(0, target.shape[0], _BAND_ROWS):
            rows = slice(top, top + _BAND_ROWS)
            # Planes against target, not both against the tissue: at an acquired plane the difference is exactly 0.
            defocus = zs.expand(1, -1, 1, *target[rows].shape)
            wanted = torch.from_numpy(np.ascontiguousarray(target[rows]))[None, None]
            shares = anchor_weights(defocus, wanted)
            images = torch.from_numpy(np.stack([plane[rows] for plane in view.images])).permute(0, 3, 1, 2)
            picture = (shares[0] * images).sum(0)
            gain = residual_gain(defocus, wanted, self.network.config.ramp_um)[0]
            drawn_out = draws_out(view.planes_um, view.depth[rows], target[rows])
            gate = view.gate[rows] * (1 - drawn_out * (1 - view.grain[rows]))
            allowed = gain * torch.from_numpy(gate)
            picture += 255 * allowed * torch.from_numpy(residual[:, rows])
            result[rows] = picture.clamp_(0, 255).add_(0.5).to(torch.uint8).permute(1, 2, 0).numpy()
        return result

    @property
    def _half(self) -> bool:
        """Whether to work in half precision: where the processor has it, and it is no slower."""
        import torch

        able = torch.cuda.is_bf16_supported() if self.device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
        return bool(able) and self.network.config.channels >= 16

    def _precision(self) -> torch.autocast:
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)


def _allowed(planes: tuple[RGB, ...]) -> tuple[FloatMap, tuple[str, ...]]:
    """Where the residual may be used, and what to tell the user."""
    from focusviewer.refocus.fast.guards import refraction

    refracting = max(refraction(plane) for plane in planes)
    gate = tissue_gate(planes) * np.float32(1 - refracting)
    return gate, (REFRACTS,) if refracting > 0.5 else ()


def framed(values: FloatMap) -> FloatMap:
    """A scaled map (h, w) with its margin: mirrored, on all sides and up to a multiple of 8."""
    return np.pad(values, _margins(values), mode="symmetric")


def _continued(image: RGB) -> RGB:
    """A picture with its margin: mirrored at the pixels of its border, in place and in value."""
    pads = [*_margins(image), (0, 0)]
    return np.clip(np.pad(image.astype(np.int16), pads, mode="reflect", reflect_type="odd"), 0, 255).astype(np.uint8)


def _margins(values: np.ndarray) -> list[tuple[int, int]]:
    from focusviewer.refocus.radiance.network import MULTIPLE

    return [(_MARGIN_PX, _MARGIN_PX + -(side + 2 * _MARGIN_PX) % MULTIPLE) for side in values.shape[:2]]


def scaled_target_map(view: View, target_um: FloatMap) -> FloatMap:
    """A target map of the view (H, W) as the network is given it: scaled, with its margin."""
    rows, columns = view.inner
    return framed(scaled_map(target_um, (rows.stop - rows.start, columns.stop - columns.start)))


def scaled_map(values: FloatMap, size: tuple[int, ...]) -> FloatMap:
    """Maps (..., H, W) at another size, bilinear."""
    import torch

    if values.shape[-2:] == tuple(size):
        return values
    maps = torch.from_numpy(np.ascontiguousarray(values)).view(1, -1, *values.shape[-2:])
    scaled = torch.nn.functional.interpolate(maps, tuple(size), mode="bilinear", antialias=True)[0]
    return np.asarray(scaled.view(*values.shape[:-2], *size).numpy(), dtype=np.float32)


def _resized(image: RGB, size: tuple[int, int]) -> RGB:
    from PIL import Image

    return np.array(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))
