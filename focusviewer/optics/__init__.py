"""Optics: point spread functions, transfer functions, image formation and the camera."""

from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import Section, defocus_image, image_section
from focusviewer.optics.psf import Optics, otf, psf
from focusviewer.optics.pupil import Mount

__all__ = [
    "Camera",
    "Mount",
    "Optics",
    "Section",
    "defocus_image",
    "image_section",
    "otf",
    "psf",
]
