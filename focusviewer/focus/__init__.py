"""Focus quality: models that say how blurred windows are, whole-slide maps, and what is done with them.

Importing this room is light; torch, scikit-image and scipy come only with the models that need them.
"""

from typing import TYPE_CHECKING

from focusviewer.core.arrays import FloatMap
from focusviewer.core.imports import lazy_names
from focusviewer.core.registry import ModelEntry

if TYPE_CHECKING:
    from focusviewer.focus.base import LEVEL_UM, FocusMap, FocusModel, ScoreGrid
    from focusviewer.focus.calibration.store import calibrated, scanner_key
    from focusviewer.focus.mapping.colour import LUTS, colorize, lut_colours
    from focusviewer.focus.mapping.engine import map_slide
    from focusviewer.focus.mapping.geojson import to_geojson
    from focusviewer.focus.mapping.outputs import write_map
    from focusviewer.focus.mapping.regions import BlurRegion, find_regions
    from focusviewer.focus.mapping.service import map_focus
    from focusviewer.focus.mapping.store import MapCache, load_map, save_map
    from focusviewer.focus.mapping.summary import map_document, summary
    from focusviewer.focus.registry import DEFAULT_MODEL, FOCUS_MODELS, get_model, models
    from focusviewer.focus.tissue.mask import TissueMask, tissue_mask

__getattr__ = lazy_names(
    __name__,
    {
        "LEVEL_UM": "base",
        "FocusMap": "base",
        "FocusModel": "base",
        "ScoreGrid": "base",
        "calibrated": "calibration.store",
        "scanner_key": "calibration.store",
        "LUTS": "mapping.colour",
        "colorize": "mapping.colour",
        "lut_colours": "mapping.colour",
        "map_slide": "mapping.engine",
        "to_geojson": "mapping.geojson",
        "write_map": "mapping.outputs",
        "BlurRegion": "mapping.regions",
        "find_regions": "mapping.regions",
        "map_focus": "mapping.service",
        "MapCache": "mapping.store",
        "load_map": "mapping.store",
        "save_map": "mapping.store",
        "map_document": "mapping.summary",
        "summary": "mapping.summary",
        "DEFAULT_MODEL": "registry",
        "FOCUS_MODELS": "registry",
        "get_model": "registry",
        "models": "registry",
        "TissueMask": "tissue.mask",
        "tissue_mask": "tissue.mask",
    },
)

__all__ = [
    "DEFAULT_MODEL",
    "FOCUS_MODELS",
    "LEVEL_UM",
    "LUTS",
    "BlurRegion",
    "FloatMap",
    "FocusMap",
    "FocusModel",
    "MapCache",
    "ModelEntry",
    "ScoreGrid",
    "TissueMask",
    "calibrated",
    "colorize",
    "find_regions",
    "get_model",
    "load_map",
    "lut_colours",
    "map_document",
    "map_focus",
    "map_slide",
    "models",
    "save_map",
    "scanner_key",
    "summary",
    "tissue_mask",
    "to_geojson",
    "write_map",
]
