"""Wiener filters mixed by a network, pixel by pixel: the picture in focus, and every other focus from it by optics.

The network (:class:`focusviewer.refocus.learned.network.WienerMixer`) is given the scan and a few Wiener pictures of it
and draws the view in focus, J. A target that leaves the tissue ``r`` um out of focus, where the scan is ``b`` um out,
is

    H_r J + k (scan - H_b J),   k = r / b, at most 1,

with H the transfer function of the standard lens relative to its focus: what is known of the optics, and that part of
the scan which J does not explain in the measure in which the target is like the scan. At ``r = b`` it is the scan.

Several planes tell more than any network adds: they are left to the joint operators of the engine ``fast``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray, FloatMap
from focusviewer.core.weights import need_weights, unreadable_weights
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.fast.guards import smooth_step
from focusviewer.refocus.fast.operators import lens_transfer
from focusviewer.refocus.fast.parallel import on_all_cores, on_one_core
from focusviewer.refocus.learned.pictures import LEAST_UM, MULTIPLE, REACH_PX, assumed_um, wiener_pictures
from focusviewer.refocus.wiener.engine import IN_FOCUS, View, WienerRefocuser
from focusviewer.refocus.wiener.filters import PictureSpectrum

if TYPE_CHECKING:
    from focusviewer.refocus.learned.network import WienerMixer

READING_TRUST, LEAST_ASSUMED_UM = 0.7, 1.0
"""The Wiener pictures assume this share of the distance that is read, and at least that, um.

The reading is too large on soft sections and 0 on some that are a micron out of focus; the network does best on real
planes when too little is assumed rather than too much (chosen with retroscope, adipose and Tassomoraes in view). What
is sharp it leaves as it is."""

SHARP_CHANGE = (0.18, 0.26)
"""Change that the network wants over the detail that is there, both as standard deviations: a view below is sharp and
left as scanned, one above is drawn. On 14 held-out sharp pictures .06 to .25 but for one (.43), on H&E and fat out of
focus .23 to .89, on smears .12 to .13, on brain .05 to .07, which is left alone for it (chosen with these in view)."""

_GRAIN_UM = 0.5  # distance at which nothing is left of what no lens passes
_DETAIL_PX = 4.0
_ROWS = 1024  # of a view that are drawn at a time; a multiple of MULTIPLE


@dataclass(frozen=True)
class _InFocus:
    """What the network made of a plane."""

    spectrum: PictureSpectrum  # of the picture in focus
    unexplained: FloatArray  # float32 (H, W, 3): the scan less that picture out of focus again


@dataclass(frozen=True)
class _LearnedView(View):
    in_focus: _InFocus


@dataclass(frozen=True)
class _Joint:
    """Several planes, as the engine for them has encoded them."""

    encoded: Encoded


class LearnedRefocuser(WienerRefocuser):
    """A network draws one plane in focus from its Wiener filters; optics give every other target.

    Parameters
    ----------
    weights : Path
        safetensors file of the network.
    for_stacks : callable () -> Refocuser, optional
        Builds the engine that several planes are left to; without it the engine ``fast``.
    """

    name = "learned"
    halo_px = REACH_PX
    finds_focus = True
    uses_profile = False  # its network was trained on filters of the standard lens

    def __init__(self, weights: Path, for_stacks: Callable[[], Refocuser] | None = None) -> None:
        self._weights = weights
        self._for_stacks = cache(for_stacks or _fast)
        self._net: WienerMixer | None = None
        self._loading = Lock()

    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self._load().parameters())

    def _load(self) -> WienerMixer:
        with self._loading:
            if self._net is None:
                self._net = _network(self._weights)
            return self._net

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        if len(images) > 1:
            joint = self._for_stacks().encode(images, mpp, planes_um, focus_maps)
            return replace(joint, state=_Joint(joint))
        encoded = super()._encode(images, mpp, planes_um, focus_maps)
        plain: View = encoded.state
        scan, spectrum, notes = images[0], plain.spectra[0], tuple[str, ...]()
        distance = max(plain.depth_um - planes_um[0], LEAST_UM)
        if focus_maps is not None:
            drawn = draw_in_focus(self._load(), scan, spectrum, distance)
        else:
            drawn = draw_in_focus(self._load(), scan, spectrum, max(READING_TRUST * distance, LEAST_ASSUMED_UM))
            share = float(smooth_step(wanted_change(scan, drawn), *SHARP_CHANGE))
            drawn = scan + np.float32(share) * (drawn - scan)
            if share == 0:
                distance, notes = 0.0, (IN_FOCUS,)
        in_focus = _in_focus(scan, drawn, mpp, distance)
        view = _LearnedView(plain.spectra, planes_um[0] + distance, plain.clearance_px, in_focus)
        blur = np.full(encoded.shape, distance, np.float32)
        return replace(encoded, state=view, blur_um=blur, notes=notes, operators_only=False)

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """The textbook filter for the distance that was said: a knob must answer at once, and show what optics give."""
        return replace(super()._assume(encoded, distance_um), operators_only=True)

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        if isinstance(encoded.state, _Joint):
            return self._for_stacks().render(encoded.state.encoded, target_um)
        return super()._render(encoded, target_um)

    def _filtered(self, view: View, plane: int, blur_um: float, residual_um: float) -> FloatArray:
        if not isinstance(view, _LearnedView):
            return super()._filtered(view, plane, blur_um, residual_um)
        sharp = view.in_focus.spectrum
        kept = np.float32(min(residual_um / max(blur_um, LEAST_UM), 1.0))
        return sharp.filtered(_onwards(sharp.table.frequency, residual_um)) + kept * view.in_focus.unexplained


def _in_focus(scan: RGB, drawn: FloatArray, mpp: float, distance_um: float) -> _InFocus:
    sharp = PictureSpectrum(drawn, mpp)
    return _InFocus(sharp, scan - sharp.filtered(_onwards(sharp.table.frequency, distance_um)))


def _onwards(frequency: FloatArray, residual_um: float) -> FloatArray:
    """Transfer from focus to a distance from it: float32 (3, F); at 0 what no lens passes (grain, edges) stays too."""
    beyond = 1 - lens_transfer(frequency, 0.0)
    return lens_transfer(frequency, residual_um) + np.float32(max(0.0, 1 - residual_um / _GRAIN_UM)) * beyond


def wanted_change(scan: RGB, drawn: FloatArray) -> float:
    """Standard deviation of what a network changes over that of the scan's detail (finer than about 4 px)."""
    from scipy.ndimage import gaussian_filter

    gray = scan.mean(axis=2, dtype=np.float32)
    detail = float((gray - gaussian_filter(gray, _DETAIL_PX)).std())
    return float(np.sqrt(np.square(drawn - scan).mean())) / max(detail, 1e-3)


@on_one_core
def draw_in_focus(net: WienerMixer, scan: RGB, spectrum: PictureSpectrum, distance_um: float) -> FloatArray:
    """What the network makes of a scan: float32 (H, W, 3), 0..255.

    Parameters
    ----------
    spectrum : PictureSpectrum
        Of the scan.
    distance_um : float
        How far from focus the tissue is taken to lie, um.
    """
    import torch

    from focusviewer.core.threads import multiplies_bfloat16

    assumed = assumed_um(distance_um)
    given = [scan.astype(np.float32), *wiener_pictures(spectrum, assumed)]
    height, width = scan.shape[:2]
    pads = ((0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0))
    stack = np.stack([np.pad(picture, pads, mode="reflect") for picture in given]).transpose(0, 3, 1, 2) / 255
    pictures = torch.from_numpy(np.ascontiguousarray(stack, np.float32))
    made = torch.empty(pictures.shape[1:])
    distance = torch.tensor([assumed])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16()), on_all_cores():
        for top in range(0, pictures.shape[2], _ROWS):  # memory does not grow with the view
            first, last = max(top - REACH_PX, 0), min(top + _ROWS + REACH_PX, pictures.shape[2])
            part = pictures[:, :, first:last]
            drawn = net(part[:1], part[None, 1:], distance)[0]
            made[:, top : top + _ROWS] = drawn[:, top - first : top - first + _ROWS]
    inner = made[:, :height, :width].clamp_(0, 1).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(inner * np.float32(255))


def _fast() -> Refocuser:
    from focusviewer.refocus.fast.engine import FastRefocuser

    return FastRefocuser(need_weights(FastRefocuser.name))


def _network(weights: Path) -> WienerMixer:
    import torch
    from safetensors.torch import load_file

    from focusviewer.refocus.learned.network import WienerMixer

    try:
        net = WienerMixer()
        net.load_state_dict({key: value.float() for key, value in load_file(str(weights)).items()})
    except Exception as error:
        raise unreadable_weights(LearnedRefocuser.name, weights, error) from error
    net.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net
