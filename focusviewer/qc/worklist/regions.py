"""The blurred regions of a slide, for the worklist."""

from __future__ import annotations

import numpy as np

from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.focus.mapping.regions import blurred_windows, label_regions
from focusviewer.qc.worklist.records import RegionRow

MOST_REGIONS = 200


def blurred_regions(focus_map: FocusMap, blurred_um: float) -> tuple[RegionRow, ...]:
    """The connected blurred regions, those first that weigh most (distance beyond ``blurred_um``, summed).

    None for scores that are no distances; MOST_REGIONS at most.
    """
    if not focus_map.absolute:
        return ()
    labels, count = label_regions(blurred_windows(focus_map, blurred_um / LEVEL_UM))
    rows, cols = np.nonzero(labels)
    of = labels[rows, cols]
    half, cell = focus_map.stride_px / 2, focus_map.stride_px
    cell_mm2 = focus_map.cell_mm2
    found: list[tuple[float, RegionRow]] = []
    for label in range(1, count + 1):
        inside = of == label
        y, x = focus_map.y[rows[inside]].astype(float), focus_map.x[cols[inside]].astype(float)
        um = focus_map.blur[rows[inside], cols[inside]].astype(np.float64) * LEVEL_UM
        box = float(x.min() - half), float(y.min() - half), float(np.ptp(x) + cell), float(np.ptp(y) + cell)
        area = None if cell_mm2 is None else um.size * cell_mm2
        found.append((float((um - blurred_um).sum()), RegionRow(*box, float(um.mean()), area)))
    found.sort(key=lambda item: -item[0])
    return tuple(region for _, region in found[:MOST_REGIONS])
