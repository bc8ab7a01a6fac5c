"""A slide's facts as a JSON document."""

from __future__ import annotations

from typing import Any

from focusviewer.slides.base import SlideInfo
from focusviewer.slides.marks import computed_pixels


def to_json(info: SlideInfo) -> dict[str, Any]:
    """The document that ``focusviewer info --json`` prints; ready for ``json.dumps``."""
    held = int(info.properties.get("focusviewer.file-levels", len(info.levels)))
    return {
        "path": str(info.path),
        "format": info.format,
        "vendor": info.vendor,
        "dimensions": [info.levels[0].width, info.levels[0].height],
        "levels": [
            {"width": lv.width, "height": lv.height, "downsample": round(lv.downsample, 6), "in_file": i < held}
            for i, lv in enumerate(info.levels)
        ],
        "mpp": info.mpp,
        "mpp_x": info.mpp_x,
        "mpp_y": info.mpp_y,
        "stated_mpp": info.stated_mpp,
        "stated_mpp_xy": None if info.stated_mpp_xy is None else list(info.stated_mpp_xy),
        "objective_power": info.objective_power,
        "planes_um": list(info.planes_um),
        "z_step_known": info.z_step_known,
        "missing_planes": info.missing_planes,
        "missing_um": list(info.missing_um),
        "fingerprint": info.fingerprint,
        "computed": computed_pixels(info),
        "associated": list(info.associated),
        "icc_profile": info.icc_profile is not None,
        "remarks": list(info.remarks),
        "properties": dict(info.properties),
    }
