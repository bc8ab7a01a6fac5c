"""Whether one focus will do for a view: where it leaves part of the tissue out, all in focus is offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import FloatMap
from focusviewer.refocus.base import Encoded

FAR_UM = 1.0
"""Distance from the focus from which tissue is left out by it: as far as one sees at a glance."""

LEFT_OUT_SHARE = 0.3
"""Least part of the tissue that one focus leaves out, and least part that it serves, for all in focus to be offered.

On views cut from real stacks evenly sharp or blurred ones have up to a quarter of their windows believed elsewhere.
"""

_WINDOW_PX = 64
_TISSUE = 0.25  # of a window that is no bare glass


@dataclass(frozen=True)
class LeftOut:
    """The tissue that one focus leaves out.

    Attributes
    ----------
    share : float
        Of the tissue, 0..1.
    distance_um : float
        How far from the focus it lies, median, um.
    """

    share: float
    distance_um: float

    def text(self, unit: str = "um") -> str:
        """A sentence that offers all in focus."""
        return (
            f"{self.share:.0%} of the tissue here lies about {self.distance_um:.1f} {unit} from this focus:"
            " all in focus gives every place its own."
        )


def left_out(views: Sequence[Encoded], z_um: float) -> LeftOut | None:
    """What a focus leaves out, by the engine's own map of depth; None where it serves all, or next to nothing.

    Parameters
    ----------
    views : sequence of Encoded
        A view, or several places of one.
    z_um : float
        The focus, on the axis of the planes, um.
    """
    depths = [_depths_um(encoded) for encoded in views]
    depth = np.concatenate(depths) if depths else np.empty(0, np.float32)
    if not depth.size:
        return None
    distance = np.abs(depth - np.float32(z_um))
    far = distance >= FAR_UM
    share = float(far.mean())
    if not LEFT_OUT_SHARE <= share <= 1 - LEFT_OUT_SHARE:
        return None
    return LeftOut(share, float(np.median(distance[far])))


def _depths_um(encoded: Encoded) -> FloatMap:
    """Where the tissue of every window lies on the focus axis, um: float32 (N,); windows of bare glass are left out."""
    from focusviewer.refocus.fast.glass import CELL_PX, view_clearance

    height, width = encoded.shape
    bare = (view_clearance(encoded.images) > 0).repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)[:height, :width]
    tissue = (~bare).astype(np.float32)
    rows, columns = range(0, height, _WINDOW_PX), range(0, width, _WINDOW_PX)
    sums = [
        np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
        for values in (tissue, tissue * encoded.blur_um, np.ones_like(tissue))
    ]
    taken = sums[0] >= _TISSUE * sums[2]
    return np.asarray(sums[1][taken] / sums[0][taken] + np.float32(encoded.planes_um[0]), dtype=np.float32)
