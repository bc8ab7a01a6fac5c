"""Image formation: how a thick section looks at a given focus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.psf import Optics, otf

Domain = Literal["intensity", "density"]

FOCUS_FLOOR = 0.05
"""Transfer of the lens in focus below which a ratio to it means nothing."""


@dataclass(frozen=True)
class Section:
    """A section of tissue as thin slabs.

    Attributes
    ----------
    density : float32 (D, H, W, 3)
        Optical density (base 10) that each slab adds to each colour channel, >= 0.
    z_um : float32 (D,)
        Depth of each slab, um.
    mpp : float
        Pixel size, um.
    through_lens : bool
        Whether the densities carry the lens's blur in focus already, as those taken from a picture do; the transfer
        functions are then relative to it.
    """

    density: FloatArray
    z_um: FloatArray
    mpp: float
    through_lens: bool = False


def padding_px(z_um: float, mpp: float, na: float) -> int:
    """Radius in pixels that the defocused spot reaches, with a margin."""
    spread = abs(z_um) * na / max(float(np.sqrt(1 - min(na, 0.95) ** 2)), 0.3)
    return int(np.ceil(spread / mpp)) + 8


def padded_shape(shape: tuple[int, int], pad_px: int) -> tuple[int, int]:
    """Size of an image padded on all sides, rounded up to lengths that the FFT likes."""
    import scipy.fft

    height, width = (scipy.fft.next_fast_len(side + 2 * pad_px, real=True) for side in shape)
    return height, width


def filter_image(image: FloatArray, transfer: FloatArray, pad_px: int) -> FloatArray:
    """Multiply an image's spectrum, channel by channel, padding by reflection against wrap-around.

    Parameters
    ----------
    image : float32 (H, W, C)
    transfer : float32 (C, H', W' // 2 + 1)
        For ``(H', W') = padded_shape((H, W), pad_px)``.

    Returns
    -------
    float32 (H, W, C)
    """
    import scipy.fft

    height, width = image.shape[:2]
    full_h, full_w = padded_shape((height, width), pad_px)
    pads = ((pad_px, full_h - height - pad_px), (pad_px, full_w - width - pad_px), (0, 0))
    channels = np.ascontiguousarray(np.moveaxis(np.pad(image, pads, mode="symmetric"), -1, 0))
    spectrum = scipy.fft.rfft2(channels, axes=(1, 2))
    spectrum *= transfer
    blurred = scipy.fft.irfft2(spectrum, s=(full_h, full_w), axes=(1, 2), overwrite_x=True)
    inner = blurred[:, pad_px : pad_px + height, pad_px : pad_px + width]
    return np.ascontiguousarray(np.moveaxis(inner, 0, -1), dtype=np.float32)


def defocus_image(
    image: FloatArray, z_um: float, mpp: float, optics: Optics | None = None, domain: Domain = "intensity"
) -> FloatArray:
    """A thin in-focus specimen as seen ``z_um`` out of focus.

    Parameters
    ----------
    image : float32 (H, W, 3)
        Transmitted intensity of the sharp specimen, 0..1 (glass = 1).
    z_um : float
        Defocus, um.
    mpp : float
        Pixel size, um.
    domain : "intensity" or "density"
        What the point spread function acts on: the light (incoherent imaging), or the optical density
        (Beer-Lambert absorbers spread as one).

    Returns
    -------
    float32 (H, W, 3), 0..1. The blur of the lens in focus is part of ``image`` already, so the transfer function is
    divided by its in-focus value where that is not small.
    """
    optics = optics or Optics()
    pad = _pad_for(z_um, mpp, optics)
    transfer = relative_otf(padded_shape(image.shape[:2], pad), mpp, z_um, optics)
    if domain == "density":
        density = -np.log10(np.clip(image, 1e-3, 1.0))
        return np.asarray(np.clip(10.0 ** -filter_image(density, transfer, pad), 0.0, 1.0), dtype=np.float32)
    return np.asarray(np.clip(filter_image(image, transfer, pad), 0.0, 1.0), dtype=np.float32)


def _pad_for(z_um: float, mpp: float, optics: Optics) -> int:
    shift = max(abs(shift) for shift in optics.chromatic_shift_um)
    return padding_px(abs(z_um) + shift, mpp, optics.na)


def ideal_optics(optics: Optics) -> Optics:
    """The same aperture and light without any aberration."""
    return replace(optics, chromatic_shift_um=(0.0, 0.0, 0.0), spherical_waves=0.0, mount=None, refraction=0.0)


def relative_otf(shape: tuple[int, int], mpp: float, z_um: float, optics: Optics, depth_um: float = 0.0) -> FloatArray:
    """OTF at ``z_um`` relative to the ideal one in focus, for images that already carry the in-focus blur.

    Returns
    -------
    float32 (3, H, W // 2 + 1)
    """
    # Where the lens in focus passes less than 5 % the ratio means nothing, and the image holds nothing there either.
    in_focus = np.maximum(otf(shape, mpp, 0.0, ideal_optics(optics)), FOCUS_FLOOR)
    return np.asarray(np.clip(otf(shape, mpp, z_um, optics, depth_um) / in_focus, -1.0, 1.0), dtype=np.float32)


def image_section(
    section: Section, z_um: float, optics: Optics | None = None, domain: Domain = "intensity"
) -> FloatArray:
    """A thick section as seen with the focal plane at ``z_um``.

    The discrete form of ``I(x, y)|z0 = integral of R(x, y, z) * h(z0 - z) dz`` (Wang 2024, eq. 5.3): every slab is
    convolved with the point spread function at its distance from the focal plane. In the intensity domain the light
    passes the slabs one after the other (their blurred transmissions multiply); in the density domain the blurred
    densities add.

    Returns
    -------
    float32 (H, W, 3), 0..1: transmitted intensity, including the lens's own blur.
    """
    optics = optics or Optics()
    height, width = section.density.shape[1:3]
    total = np.zeros((height, width, 3), np.float32)
    for slab, depth, below_um in zip(section.density, section.z_um, optics.depths_um(section.z_um), strict=True):
        distance = z_um - float(depth)
        pad = _pad_for(distance, section.mpp, optics)
        lens = relative_otf if section.through_lens else otf
        transfer = lens(padded_shape((height, width), pad), section.mpp, distance, optics, float(below_um))
        if domain == "density":
            total += np.maximum(filter_image(slab, transfer, pad), 0.0)
        else:
            light = filter_image((10.0**-slab).astype(np.float32), transfer, pad)
            total -= np.log10(np.clip(light, 1e-4, 1.0))
    return np.asarray(np.clip(10.0**-total, 0.0, 1.0), dtype=np.float32)
