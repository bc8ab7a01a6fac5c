"""A section seen through a scanner with known focus errors, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics.camera import Camera
from focusviewer.optics.formation import Domain, Section
from focusviewer.optics.psf import Optics
from focusviewer.simulation.phantom.texture import upsample
from focusviewer.simulation.scanner import Scan
from focusviewer.simulation.sections.blur_pattern import BlurPattern
from focusviewer.simulation.sections.slab_imager import SlabImager, blend_depths

TRUTH_STEP = 64
"""Spacing of the truth grid, level-0 px."""

MARGIN = 64
"""Pixels drawn around a block, so that blur reaches in from its neighbours."""

MAX_MARGIN_UM = 34.0
"""How far beyond a phantom can be drawn."""

BLOCK = 1024

GLASS = np.array([0.957, 0.955, 0.960], np.float32)
"""Light that empty glass lets through, red, green and blue."""

SCANNER = Optics(chromatic_shift_um=(0.12, 0.0, -0.12))
CAMERA = Camera(noise=0.004)


class Scene(Protocol):
    """What lies on the slide: a phantom, or a lifted patch."""

    seed: int
    width: int
    height: int
    mpp: float
    z_um: FloatArray

    @property
    def recipe(self) -> tuple[object, ...]:
        """Everything that the scene is made from."""

    @property
    def through_lens(self) -> bool:
        """Whether densities carry the lens's blur in focus already."""

    def density(self, x0: int, y0: int, width: int, height: int) -> FloatArray:
        """Optical density of a window, float32 (D, 3, height, width)."""

    def is_glass(self, x0: int, y0: int, width: int, height: int) -> bool:
        """Whether a window shows nothing but empty glass."""

    def lift_um(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> FloatArray:
        """How high the tissue lies above the flat section at positions in px, um."""

    def tissue_depth_um(self, step: int) -> FloatArray:
        """Distance inside the outline of the tissue at the centres of squares; negative on glass."""


class PatchScene:
    """A section made from a picture, continued by its mirror image.

    Parameters
    ----------
    section : Section
        See ``lift.lift_patch``.
    seed : int
        Of the camera's noise.
    """

    def __init__(self, section: Section, seed: int) -> None:
        self.seed, self.mpp, self.z_um, self.recipe = seed, section.mpp, section.z_um, (seed,)
        self.height, self.width = section.density.shape[1:3]
        self.through_lens = section.through_lens
        self._density = np.ascontiguousarray(np.moveaxis(section.density, -1, 1))

    def density(self, x0: int, y0: int, width: int, height: int) -> FloatArray:
        """A window, float32 (D, 3, height, width)."""
        rows, columns = (
            _mirrored(np.arange(start, start + length), side)
            for start, length, side in ((y0, height, self.height), (x0, width, self.width))
        )
        return np.ascontiguousarray(self._density[:, :, rows[:, None], columns[None, :]])

    def is_glass(self, x0: int, y0: int, width: int, height: int) -> bool:
        """Always False: a picture's glass has its own grain."""
        return False

    def lift_um(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> FloatArray:
        """Zero everywhere: a picture does not say where its folds are."""
        return np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)

    def tissue_depth_um(self, step: int) -> FloatArray:
        """Positive where something absorbs; not a distance."""
        stained = self._density.sum(axis=(0, 1)) > 0.15
        rows, columns = (np.minimum((np.arange(-(-side // step)) + 0.5) * step, side - 1) for side in stained.shape)
        return np.where(stained[rows.astype(int)[:, None], columns.astype(int)], 1.0, -1.0).astype(np.float32)


def _mirrored(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    index = np.abs(index) % max(2 * length - 2, 1)
    return np.minimum(index, 2 * length - 2 - index) if length > 1 else index * 0


class SlideSimulator:
    """A section seen through a scanner with the given focus errors; draws any block.

    Parameters
    ----------
    phantom : Scene
        The section.
    pattern : BlurPattern
        Its focus errors.
    scan : Scan, optional
        Fields of view with errors of their own.
    optics, camera : Optics, Camera
        The scanner.
    glass : float32 (3,)
        Light that empty glass lets through.
    domain : "intensity" or "density"
        What the lens blurs.
    """

    def __init__(
        self,
        phantom: Scene,
        pattern: BlurPattern,
        scan: Scan | None = None,
        optics: Optics = SCANNER,
        camera: Camera = CAMERA,
        glass: FloatArray = GLASS,
        domain: Domain = "intensity",
    ) -> None:
        self.phantom, self.pattern, self.scan, self.domain = phantom, pattern, scan, domain
        self.optics, self.camera, self.glass = optics, camera, glass
        step = 8
        # Nodes from -16 px on, so that the spline has neighbours at every pixel.
        x = (np.arange(-(-phantom.width // step) + 2 * 2 + 2) - 2) * float(step)
        y = (np.arange(-(-phantom.height // step) + 2 * 2 + 2) - 2) * float(step)
        self._z, self._step = pattern.z_um(x[None, :], y[:, None]) - phantom.lift_um(x[None, :], y[:, None]), step

    @property
    def recipe(self) -> tuple[object, ...]:
        """Everything that the pictures are made from."""
        return (
            self.phantom.recipe,
            self.pattern,
            self.scan,
            self.optics,
            self.camera,
            tuple(self.glass.tolist()),
            self.domain,
        )

    def z_um(self, x: int, y: int, width: int, height: int) -> FloatArray:
        """Signed defocus at the pixels of a block whose corner is a multiple of 8 px: float32 (height, width)."""
        rows, columns = -(-height // self._step), -(-width // self._step)
        smooth = upsample(self._z, y // self._step + 2, x // self._step + 2, rows, columns, self._step)
        smooth = smooth[:height, :width]
        if self.scan is None:
            return smooth
        columns_px, rows_px = np.arange(x, x + width, dtype=np.float64), np.arange(y, y + height, dtype=np.float64)
        smooth += self.scan.focus_um(columns_px[None, :], rows_px[:, None])
        return smooth

    def draw(self, x: int, y: int, width: int, height: int) -> RGB:
        """Pixels of a block as the scanner stores them: uint8 (height, width, 3)."""
        rng = np.random.default_rng((self.phantom.seed, 9, x, y))
        if self.phantom.is_glass(x - MARGIN, y - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN):
            return self.camera.capture(np.broadcast_to(self.glass, (height, width, 3)).astype(np.float32), rng)
        z = self.z_um(x, y, width, height)
        return self._expose(self._light(self._imager(x, y, width, height, MARGIN), z, x, y, MARGIN), rng)

    def stack(self, x: int, y: int, size: int, planes_um: tuple[float, ...]) -> RGB:
        """A focal stack of a square, without the slide's own focus errors: uint8 (planes, size, size, 3)."""
        planes = np.empty((len(planes_um), size, size, 3), np.uint8)
        for top in range(0, size, BLOCK):
            for left in range(0, size, BLOCK):
                h, w = min(BLOCK, size - top), min(BLOCK, size - left)
                imager = self._imager(x + left, y + top, w, h, MARGIN)
                for index, z in enumerate(planes_um):
                    rng = np.random.default_rng((self.phantom.seed, 10, index, left, top))
                    light = imager.image(z)[:, MARGIN : MARGIN + h, MARGIN : MARGIN + w]
                    planes[index, top : top + h, left : left + w] = self._expose(light, rng)
        return planes

    def focal_series(
        self, planes_um: npt.NDArray[np.floating], margin: int, on_progress: Callable[[float], None] | None = None
    ) -> RGB:
        """A focal stack of all of it, each plane with the focus errors: uint8 (planes, height, width, 3).

        Parameters
        ----------
        planes_um : float (N,)
            Positions of the planes; 0 is the middle of the flat section.
        margin : int
            Pixels drawn around each block; what the widest blur needs.
        on_progress : callable (fraction), optional
            May raise to stop.
        """
        width, height = self.phantom.width, self.phantom.height
        shots, done = len(planes_um) * -(-height // BLOCK) * -(-width // BLOCK), 0
        planes = np.empty((len(planes_um), height, width, 3), np.uint8)
        for top in range(0, height, BLOCK):
            for left in range(0, width, BLOCK):
                h, w = min(BLOCK, height - top), min(BLOCK, width - left)
                imager = self._imager(left, top, w, h, margin)
                errors = self.z_um(left, top, w, h)
                for index, z_um in enumerate(planes_um):
                    rng = np.random.default_rng((self.phantom.seed, 11, index, left, top))
                    light = self._light(imager, errors + np.float32(z_um), left, top, margin)
                    planes[index, top : top + h, left : left + w] = self._expose(light, rng)
                    done += 1
                    if on_progress:
                        on_progress(done / shots)
        return planes

    def truth(self) -> dict[str, npt.NDArray[np.generic]]:
        """The focus map of the slide: ``z_um``, ``x``, ``y``, ``tissue``, see ``demo_slide.write_simulated_slide``."""
        step = TRUTH_STEP
        x = np.minimum((np.arange(-(-self.phantom.width // step)) + 0.5) * step, self.phantom.width - 1)
        y = np.minimum((np.arange(-(-self.phantom.height // step)) + 0.5) * step, self.phantom.height - 1)
        signed = self.pattern.z_um(x[None, :], y[:, None]) - self.phantom.lift_um(x[None, :], y[:, None])
        if self.scan is not None:
            signed = signed + self.scan.focus_um(x[None, :], y[:, None])
        z_um = np.abs(signed).astype(np.float32)
        tissue = self.phantom.tissue_depth_um(step) > 0
        return {"z_um": z_um, "x": x.astype(np.float32), "y": y.astype(np.float32), "tissue": tissue}

    def _imager(self, x: int, y: int, width: int, height: int, margin: int) -> SlabImager:
        sides = (width + 2 * margin, height + 2 * margin)
        density = self.phantom.density(x - margin, y - margin, *(side + _even(side) for side in sides))
        through_lens = self.phantom.through_lens
        return SlabImager(density, self.phantom.z_um, self.phantom.mpp, self.optics, through_lens, self.domain)

    def _light(self, imager: SlabImager, z_um: FloatArray, x: int, y: int, margin: int) -> FloatArray:
        """A block's light with the focal plane at ``z_um`` (H, W), its fields put in place: float32 (3, H, W)."""
        height, width = z_um.shape
        padded = np.pad(z_um, margin, mode="edge")
        padded = np.pad(padded, ((0, _even(padded.shape[0])), (0, _even(padded.shape[1]))), mode="edge")
        light = blend_depths(imager, padded)
        if self.scan is None:
            return light[:, margin : margin + height, margin : margin + width]
        return self.scan.assemble(light[:, : height + 2 * margin, : width + 2 * margin], x, y, margin)

    def _expose(self, light: FloatArray, rng: np.random.Generator) -> RGB:
        return self.camera.capture(np.ascontiguousarray(np.moveaxis(light, 0, -1)) * self.glass, rng)


def _even(side: int) -> int:
    """Pixels to add so that a side suits the FFT."""
    import scipy.fft

    return int(scipy.fft.next_fast_len(side, real=True)) - side
