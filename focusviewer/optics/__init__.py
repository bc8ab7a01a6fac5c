"""Optics: point spread functions, image formation, the camera, tissue phantoms and simulated slides."""

from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import Section, defocus_image, image_section
from focusviewer.optics.psf import Optics, otf, psf

__all__ = ["Camera", "Optics", "Section", "defocus_image", "image_section", "otf", "psf"]
