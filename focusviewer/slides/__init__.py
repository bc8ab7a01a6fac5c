"""Slides, focal stacks and pictures: opening them, reading their pixels, and feeding tiles to the viewport."""

from focusviewer.core.arrays import RGB
from focusviewer.slides.base import PLAUSIBLE_MPP, Level, Region, Slide, SlideInfo, mpp_from_power, usable_mpp
from focusviewer.slides.cache import TileCache
from focusviewer.slides.describe import to_json
from focusviewer.slides.loader import TileLoader
from focusviewer.slides.marks import computed_pixels
from focusviewer.slides.registry import Reader, open_slide, readers, register
from focusviewer.slides.scale import ScaleStore, stepped_planes, with_scale, with_step
from focusviewer.slides.tiles import DisplayPyramid, TileKey, visible_tiles

__all__ = [
    "PLAUSIBLE_MPP",
    "RGB",
    "DisplayPyramid",
    "Level",
    "Reader",
    "Region",
    "ScaleStore",
    "Slide",
    "SlideInfo",
    "TileCache",
    "TileKey",
    "TileLoader",
    "computed_pixels",
    "mpp_from_power",
    "open_slide",
    "readers",
    "register",
    "stepped_planes",
    "to_json",
    "usable_mpp",
    "visible_tiles",
    "with_scale",
    "with_step",
]
