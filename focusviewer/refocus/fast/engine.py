"""The fast engine: physical operators mixed per place by a small selector; it cannot draw what it did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.caches import LockedLRUCache
from focusviewer.core.weights import unreadable_weights
from focusviewer.optics.profile import OpticsProfile
from focusviewer.refocus.base import SAME_Z_UM, Encoded, Refocuser, full_map
from focusviewer.refocus.fast.agreement import DepthEvidence
from focusviewer.refocus.fast.assumed import AssumedDistance
from focusviewer.refocus.fast.belief import BLURS_UM, Belief, as_blurred_by, believe, certain, depth_grid
from focusviewer.refocus.fast.glass import CELL_PX, clearance, left_alone
from focusviewer.refocus.fast.guards import hold_back, refraction, smooth_step
from focusviewer.refocus.fast.joint import JointOperators, nearness
from focusviewer.refocus.fast.operators import OperatorBank, operator_bank
from focusviewer.refocus.fast.parallel import begin, each, on_all_cores, on_one_core
from focusviewer.refocus.sources import AUTO_PLANES

if TYPE_CHECKING:
    from torch import Tensor

    from focusviewer.refocus.fast.selector import Selector

PAD_PX = 48
_BAND_ROWS = 48
KEPT_PLANES = AUTO_PLANES
"""Planes whose filtered versions are kept: all that the program chooses, or every map would have them made again."""

UNEXPLAINED = (0.1, 0.2)
"""Share of the difference between planes that operators may leave before bright rims are taken for bent light."""

REFRACTS = "Rims brighter than bare glass: this specimen refracts, and is left as scanned."
REFRACTS_ASSUMED = "Rims brighter than bare glass: this specimen refracts, and the filter may not hold for it."
REFRACTS_BETWEEN = "Rims brighter than bare glass: this specimen refracts; between two planes they are only mixed."


@dataclass(frozen=True)
class _Plane:
    """One encoded plane: the image, and the belief in each hypothesis."""

    image: Tensor  # float32 (3, H, W)
    weights: FloatMap  # float32 (K, h, w), sums to 1 over K
    z_um: float
    refracting: float  # 0..1, how much of the view's sharpening is held back for rims brighter than glass
    clearance_px: FloatMap  # float32 (h, w), how far from whatever is no bare glass

    @property
    def cells(self) -> tuple[int, int]:
        """Cells of the weight maps along both sides."""
        return self.weights.shape[1], self.weights.shape[2]


class _Layers:
    """The filtered versions of the planes; of many planes only the last used are kept, the others are made again."""

    def __init__(self, bank: OperatorBank) -> None:
        self._bank = bank
        self._kept: LockedLRUCache[int, Tensor] = LockedLRUCache(KEPT_PLANES)

    def keep(self, place: int, filtered: Tensor) -> None:
        """Keep those of a plane, and drop the longest unused ones."""
        self._kept.put(place, filtered)

    def of(self, place: int, image: Tensor) -> Tensor:
        """Those of a plane: float16 (J, 3, H, W); a slider step costs the reading of them."""
        import torch

        from focusviewer.refocus.fast.filtering import filter_layers

        found = self._kept.get(place)
        if found is None:
            found = torch.from_numpy(filter_layers(image.numpy(), self._bank, PAD_PX)[0])
            self.keep(place, found)
        return found


class FastRefocuser(Refocuser):
    """Mixes the operators of :mod:`focusviewer.refocus.fast.operators` (one scanner's optics, any pixel size).

    With measured optics the operators follow from them; the selector needs no training for it: it looks at what the
    standard lens's operators make of the view, and the distances it gives are those at which the lens blurs as much.

    ``encode`` filters each plane once and asks the selector which defocus each place has. ``render`` sums the filtered
    images with coefficients for the wanted focus. Several planes are compared with each other: the tissue lies where
    blurring the sharper one gives the other. They are then refocused together, by the operators of
    :mod:`focusviewer.refocus.fast.joint`; acquired planes are returned as they are.

    Parameters
    ----------
    weights : Path
        safetensors file of the selector.
    """

    name = "fast"
    version = "3"
    halo_px = 128  # the selector's context path
    uses_profile = True

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._selector: Selector | None = None

    def parameters(self) -> int:
        """Number of trained parameters of the selector."""
        return sum(parameter.numel() for parameter in self._load().parameters())

    def _load(self) -> Selector:
        if self._selector is None:
            from safetensors.torch import load_file

            from focusviewer.refocus.fast.selector import Selector

            try:
                state = load_file(str(self._weights))
                selector = Selector(state["leave.weight"].shape[1])
                selector.load_state_dict(state)
            except Exception as error:
                raise unreadable_weights(self.name, self._weights, error) from error
            self._selector = selector.eval().requires_grad_(False)
        return self._selector

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        return self._encode_with(operator_bank(round(mpp, 3)), images, mpp, planes_um, focus_maps)

    def _encode_measured(
        self,
        images: tuple[RGB, ...],
        mpp: float,
        planes_um: tuple[float, ...],
        focus_maps: list[FloatMap] | None,
        profile: OpticsProfile,
    ) -> Encoded:
        return self._encode_with(operator_bank(round(mpp, 3), profile.optics), images, mpp, planes_um, focus_maps)

    @on_one_core
    def _encode_with(
        self,
        bank: OperatorBank,
        images: tuple[RGB, ...],
        mpp: float,
        planes_um: tuple[float, ...],
        focus_maps: list[FloatMap] | None,
    ) -> Encoded:
        layers, evidence = _Layers(bank), DepthEvidence(depth_grid(planes_um), bank)
        planes = []
        for place, (image, z_um) in enumerate(zip(images, planes_um, strict=True)):
            plane, filtered, gray = self._encode_plane(image, bank, z_um)
            if focus_maps is not None:
                known = _cell_means(focus_maps[place], plane.weights.shape[1:], image.shape[:2])
                plane = replace(plane, weights=certain(known))
            elif len(images) > 1:
                evidence.add(plane.image.mean(0).numpy(), gray, plane.z_um)
            layers.keep(place, filtered)
            planes.append(plane)
        belief = believe([p.weights for p in planes], planes_um, evidence.cells(planes[0].cells, CELL_PX))
        height, width = images[0].shape[:2]
        blur = _upsample(belief.mean_depth() - planes[0].z_um, (height, width))
        held_back = max(plane.refracting for plane in planes)
        if len(images) > 1:  # several planes tell whether light is bent or taken away
            held_back *= float(smooth_step(evidence.unexplained(), *UNEXPLAINED))
        notes = (REFRACTS_BETWEEN if len(images) > 1 else REFRACTS,) if held_back > 0.5 else ()
        clear = np.min([plane.clearance_px for plane in planes], axis=0)
        state = _State(planes, layers, belief, bank, held_back, evidence.unexplained(), clear)
        likely = belief.likely_um() if len(images) == 1 else None
        return Encoded((height, width), mpp, planes_um, blur, state, notes, operators_only=True, likely_um=likely)

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """Keep the filtered layers; the guard against bent light is left to whoever says the distance."""
        state: _State = encoded.state
        z_um = encoded.planes_um[0]
        said = AssumedDistance(z_um + distance_um, state.belief.shape)
        blur = np.full(encoded.shape, distance_um, np.float32)
        notes = (REFRACTS_ASSUMED,) if REFRACTS in encoded.notes else ()
        return replace(encoded, blur_um=blur, state=replace(state, belief=said, held_back=0.0), notes=notes)

    def _encode_plane(self, pixels: RGB, bank: OperatorBank, z_um: float) -> tuple[_Plane, Tensor, FloatMap]:
        """A plane, and what the basis filters make of it: float16 (J, 3, H, W), and float32 (J, H, W) in gray."""
        import torch

        from focusviewer.refocus.fast.filtering import filter_layers
        from focusviewer.refocus.fast.selector import CELL, features, spectra

        height, width = pixels.shape[:2]
        full = [-side % CELL for side in (height, width)]
        padded = np.pad(pixels, ((0, full[0]), (0, full[1]), (0, 0)), mode="edge")
        image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(padded, -1, 0))).float().div_(255)
        selector = self._load()

        def seen() -> Tensor:
            with torch.inference_mode():
                return spectra(image[None], bank.mpp)

        # What needs no filtered layers is done beside them.
        windows, bent, clear = begin(seen), begin(lambda: refraction(pixels)), begin(lambda: clearance(padded))
        layers, gray = filter_layers(image.numpy(), bank, PAD_PX)
        with torch.inference_mode():
            cells = features(image[None], torch.from_numpy(gray)[None], bank)
            with on_all_cores():
                beliefs = torch.softmax(selector(cells, windows.result())[0], 0)
        refracting = bent.result()
        weights = as_blurred_by(bank.optics, hold_back(beliefs.numpy(), BLURS_UM, refracting))
        return _Plane(image, weights, z_um, refracting, clear.result()), torch.from_numpy(layers), gray

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        state: _State = encoded.state
        height, width = encoded.shape
        target = _cell_means(target_um, state.belief.shape, (height, width))
        mixture = _mixture(state, encoded.planes_um, target)
        parts: list[Tensor] = []
        for place, cells in enumerate(mixture):
            if cells.any() or (not parts and place == len(mixture) - 1):
                parts.append(self._render_plane(place, state, cells))
        return _pixels(parts, (height, width))

    def _render_plane(self, place: int, state: _State, mixed: FloatMap) -> Tensor:
        """One plane's contribution: coefficients (J + 1, h, w) of its filtered images and of itself; (3, H, W)."""
        import torch

        plane = state.planes[place]
        if not mixed[:-1].any():
            return plane.image * torch.from_numpy(_upsample(mixed[-1], (plane.image.shape[1], plane.image.shape[2])))
        filtered = state.layers.of(place, plane.image)
        cells = torch.from_numpy(np.ascontiguousarray(mixed, dtype=np.float32))
        size = (plane.image.shape[1], plane.image.shape[2])
        result = torch.empty_like(plane.image)

        def band(top: int) -> None:
            # A band of rows stays in the processor's cache: memory traffic is what a slider step costs.
            with torch.inference_mode():
                rows = slice(top, min(top + _BAND_ROWS, size[0]))
                maps = _upsampled_rows(cells, rows, size[1])
                part = plane.image[:, rows] * maps[-1]
                for factor, layer in zip(maps[:-1], filtered, strict=True):
                    part.addcmul_(layer[:, rows].float(), factor)
                result[:, rows] = part

        each(band, range(0, size[0], _BAND_ROWS))
        return result


def _pixels(parts: Sequence[Tensor], size: tuple[int, int]) -> RGB:
    """Sum what planes contribute, float32 (3, H, W) each, and round it: uint8 of a size that may be smaller."""
    import torch

    height, width = size
    pixels = np.empty((height, width, 3), np.uint8)

    def band(top: int) -> None:
        rows = slice(top, min(top + _BAND_ROWS, height))
        with torch.inference_mode():
            total = parts[0][:, rows, :width].clone()
            for part in parts[1:]:
                total.add_(part[:, rows, :width])
            whole = total.clamp_(0, 1).mul_(255).add_(0.5).to(torch.uint8)
        pixels[rows] = whole.permute(1, 2, 0).numpy()

    each(band, range(0, height, _BAND_ROWS))
    return pixels


def _upsampled_rows(cells: Tensor, rows: slice, width: int) -> Tensor:
    """Rows of maps (C, h, w) scaled up to pixels, bilinear with cell centres: float32 (C, rows, width)."""
    import torch

    from focusviewer.refocus.fast.selector import CELL

    # One more cell on each side, so that a band equals the same rows of the whole.
    first, last = rows.start // CELL - 1, -(-rows.stop // CELL) + 1
    inside = slice(max(first, 0), min(last, cells.shape[1]))
    scaled = torch.nn.functional.interpolate(
        cells[None, :, inside], ((inside.stop - inside.start) * CELL, width), mode="bilinear", align_corners=False
    )[0]
    offset = rows.start - inside.start * CELL
    return scaled[:, offset : offset + rows.stop - rows.start]


@dataclass(frozen=True)
class _State:
    planes: list[_Plane]
    layers: _Layers
    belief: Belief | AssumedDistance
    bank: OperatorBank
    held_back: float  # 0..1, how far the operators are not believed in
    unexplained: float  # share of the difference between planes
    clearance_px: FloatMap  # float32 (h, w), how far from whatever is no bare glass on every plane


def _mixture(state: _State, planes_um: Sequence[float], target: FloatMap) -> FloatMap:
    """Coefficients of each plane's filtered images and of the plane itself: (n, J + 1, h, w).

    Where light is bent rather than taken away no operator holds. One plane is left as it is. Between two, their mean is
    closer to the truth than what operators make of them (real smears: up to 3 dB); beyond them there is nothing to mix,
    and operators that agree with both planes are closer than the nearer plane.

    Where there is nothing but glass, planes are left as they are, or mixed, in any case.
    """
    shift = np.min([np.abs(target - z_um) for z_um in planes_um], axis=0)
    held_back = left_alone(state.clearance_px, shift, state.bank.mpp)
    if len(planes_um) == 1:
        held_back = np.maximum(held_back, np.float32(state.held_back))
        refocused = np.where(np.abs(target - planes_um[0]) < SAME_Z_UM, np.float32(0), 1 - held_back)
        coefficients = state.belief.coefficients(planes_um[0], target, state.bank) * refocused
        return np.concatenate([coefficients, np.ones((1, *target.shape), np.float32)])[None]
    assert isinstance(state.belief, Belief)  # a distance is assumed of one plane only
    optics = state.bank.optics
    operators = JointOperators(planes_um, state.belief.depth_um, state.bank.mpp, state.unexplained, optics)
    mixture = operators.cells(state.belief.weights, target)
    between = (target > planes_um[0]) & (target < planes_um[-1])
    held_back = np.maximum(held_back, np.float32(state.held_back) * between)
    if held_back.any():
        mixture *= 1 - held_back
        mixture[:, -1] += held_back * nearness(planes_um, target)
    return mixture


def _cell_means(values: float | FloatMap, cells: tuple[int, ...], size: tuple[int, ...]) -> FloatMap:
    """Average a per-pixel map over the selector's cells: float32 (h, w)."""
    if np.ndim(values) == 0:
        return np.full(cells, float(values), np.float32)
    full = full_map(values, size)
    from focusviewer.refocus.fast.selector import CELL

    pads = [(0, count * CELL - side) for count, side in zip(cells, size, strict=True)]
    blocks = np.pad(full, pads, mode="edge").reshape(cells[0], CELL, cells[1], CELL)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _upsample(cells: FloatMap, size: tuple[int, int]) -> FloatMap:
    import torch

    from focusviewer.refocus.fast.selector import CELL

    scaled = torch.nn.functional.interpolate(
        torch.from_numpy(np.ascontiguousarray(cells))[None, None], scale_factor=CELL, mode="bilinear"
    )[0, 0]
    return np.ascontiguousarray(scaled.numpy()[: size[0], : size[1]])
