"""Optics: point spread functions, image formation, the camera, tissue phantoms and simulated slides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import Section, defocus_image, image_section
from focusviewer.optics.psf import Optics, otf, psf
from focusviewer.optics.pupil import Mount

if TYPE_CHECKING:
    from focusviewer.optics.demo_slide import DemoSlide, ensure_demo_slide, write_simulated_slide
    from focusviewer.optics.phantom import TissuePhantom, phantom_section

__all__ = [
    "Camera",
    "DemoSlide",
    "Mount",
    "Optics",
    "Section",
    "TissuePhantom",
    "defocus_image",
    "ensure_demo_slide",
    "image_section",
    "otf",
    "phantom_section",
    "psf",
    "write_simulated_slide",
]

_LATER = {
    "DemoSlide": "demo_slide",
    "TissuePhantom": "phantom",
    "ensure_demo_slide": "demo_slide",
    "phantom_section": "phantom",
    "write_simulated_slide": "demo_slide",
}
"""Names that are imported on first use, because few programs draw phantoms."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
