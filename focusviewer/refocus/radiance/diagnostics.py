"""Looking into the representation, as figs 5.9 and 5.10 of Wang 2024 do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.refocus.base import Encoded, full_map
from focusviewer.refocus.radiance.engine import Features, RadianceRefocuser, View, scaled_target_map


def attention_maps(
    engine: RadianceRefocuser, encoded: Encoded, target_um: float | FloatMap
) -> list[npt.NDArray[np.float32]]:
    """Weights that each pooling layer gives to the layers of depth (fig 5.10).

    Parameters
    ----------
    engine, encoded
        The engine, and what its ``encode`` gave.
    target_um : float or float32 (H, W)
        As for ``render``.

    Returns
    -------
    list of float32 (D, h, w), fine to coarse: at the network's pixel size, its half and its quarter. They sum to 1
    over D, but in tiles of empty glass, which the engine never looks at, they are 0.
    """
    import torch

    view: View = encoded.state
    size = view.scaled_depth.shape
    target = scaled_target_map(view, full_map(target_um, view.depth.shape))
    depth = engine.network.config.depth
    maps = [np.zeros((depth, -(-size[0] // step), -(-size[1] // step)), np.float32) for step in (1, 2, 4)]
    with torch.inference_mode():
        for tile, features in engine.each_tile(view):
            found = engine.network.attention([part.float() for part in features], engine.target(view, tile, target))
            for step, whole, weights in zip((1, 2, 4), maps, found, strict=True):
                top, left = tile.rows[0] // step, tile.columns[0] // step
                room = whole[:, top : -(-tile.rows[1] // step), left : -(-tile.columns[1] // step)]
                room[:] = weights[0, :, : room.shape[1], : room.shape[2]].cpu().numpy()
    return [
        whole[:, _within(view.inner[0], step), _within(view.inner[1], step)]
        for step, whole in zip((1, 2, 4), maps, strict=True)
    ]


def _within(span: slice, step: int) -> slice:
    """Rows or columns of the view, in cells of ``step`` pixels."""
    return slice(span.start // step, -(-span.stop // step))


def render_layers(
    engine: RadianceRefocuser, encoded: Encoded, target_um: float | FloatMap, layers: Sequence[int]
) -> RGB:
    """The view from some layers of the representation only, the others set to zero (fig 5.9 keeps the first).

    Where Wang 2024 draws the whole picture from the features, here they only add to the nearest acquired planes: with
    few layers the picture falls back to those.

    Parameters
    ----------
    engine, encoded, target_um
        As for :func:`attention_maps`.
    layers : sequence of int
        Indices of the layers that stay, from 0.
    """
    depth = engine.network.config.depth
    wanted = sorted(set(layers))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < depth:
        raise ValueError(f"layers are 0 to {depth - 1}, not {list(layers)}")

    def keep(features: Features) -> Features:
        kept = []
        for part in features:
            mask = part.new_zeros(depth)
            mask[wanted] = 1
            kept.append(part * mask.view(1, -1, 1, 1, 1))
        return kept

    return engine.render_with(encoded.state, target_um, keep)
