"""The blurred regions of a focus map as GeoJSON for QuPath."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import numpy.typing as npt

from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.outlines import rings
from focusviewer.focus.mapping.regions import BLURRED_LEVELS, find_regions


def to_geojson(focus_map: FocusMap, threshold: float = BLURRED_LEVELS) -> dict[str, Any]:
    """Blurred regions as GeoJSON that QuPath opens as locked annotations; coordinates in level-0 pixels.

    Each region is one annotation with its outline, holes included, with area, severity and scores as measurements; its
    name tells the likely cause.
    """
    features = []
    for number, region in enumerate(find_regions(focus_map, threshold), 1):
        measurements: dict[str, float] = {
            "Blur mean": region.mean,
            "Blur max": region.largest,
            "Windows": region.windows,
        }
        if region.mean_um is not None:
            measurements["Distance from focus µm"] = region.mean_um
        if region.area_mm2 is not None:
            measurements["Area mm^2"] = region.area_mm2
        features.append(
            {
                "type": "Feature",
                "id": str(uuid5(NAMESPACE_OID, f"{focus_map.model} {region.box}")),
                "geometry": {"type": "Polygon", "coordinates": _coordinates(focus_map, region.inside)},
                "properties": {
                    "objectType": "annotation",
                    "name": f"Blurred region {number} ({region.cause})",
                    "classification": {"name": "Blurred", "color": [215, 25, 28]},
                    "isLocked": True,
                    "measurements": measurements,
                    "metadata": {"Likely cause": region.cause},
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _coordinates(focus_map: FocusMap, inside: npt.NDArray[np.bool_]) -> list[list[list[float]]]:
    half = focus_map.stride_px / 2
    x0, y0 = float(focus_map.x[0]) - half, float(focus_map.y[0]) - half
    step = focus_map.stride_px
    return [[[x0 + step * col, y0 + step * row] for col, row in ring] for ring in rings(inside)]
