"""A procedural tissue section: stroma, glands, vessels, fat and their cells, as optical density in thin slabs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.optics.formation import Section
from focusviewer.simulation.phantom.cells import Cells, place_cells
from focusviewer.simulation.phantom.dust import Dust, dust_density
from focusviewer.simulation.phantom.fat import SPACING_UM
from focusviewer.simulation.phantom.layout import MARGIN, Frame, Layout, jittered_grid, make_layout
from focusviewer.simulation.phantom.paint import Painter
from focusviewer.simulation.phantom.stains import palette

FOLD_LIFT_UM = 3.0
"""Height of the middle of a fold's layers above the flat section, um on the focus axis."""

FOLD_RISE_UM = 14.0


@dataclass(frozen=True)
class Bubble:
    """A bubble of air under the coverslip: centre and radius in px."""

    x: float
    y: float
    radius: float


class TissuePhantom:
    """A section that can be drawn window by window, the same whatever the windows.

    Parameters
    ----------
    seed : int
        Everything about the section follows from it.
    width, height : int
        Size, px.
    mpp : float
        Pixel size, um.
    stain : "he" or "ihc"
        Haematoxylin and eosin, or haematoxylin and DAB.
    thickness_um : float
        Thickness of the section.
    slabs : int
        Number of slabs that structures are sorted into by depth.
    kind : str
        What the section holds, see ``layout.KINDS``.
    bubbles : sequence of Bubble
        Mounting artefacts, drawn as refracting rings.
    dust : sequence of Dust
        Particles, in a slab of their own at the height of the first.
    folds : int, optional
        How many folds the tissue has; by default as many as its size suggests.
    """

    def __init__(
        self,
        seed: int,
        width: int,
        height: int,
        *,
        mpp: float = 0.25,
        stain: str = "he",
        thickness_um: float = 4.0,
        slabs: int = 5,
        kind: str = "mixed",
        bubbles: tuple[Bubble, ...] = (),
        dust: tuple[Dust, ...] = (),
        folds: int | None = None,
    ) -> None:
        if min(width, height, slabs) < 1:
            raise ValueError("a phantom needs at least one pixel and one slab")
        rng = np.random.default_rng((seed, 5))
        self.seed, self.width, self.height, self.mpp = seed, width, height, mpp
        self.bubbles, self.dust, self.through_lens = bubbles, dust, False
        self._lifted = folds is not None
        self.recipe = (seed, width, height, mpp, stain, thickness_um, slabs, kind, bubbles, dust, folds)
        self.palette = palette(stain, rng)
        self.layout: Layout = make_layout(rng, width, height, mpp, kind, folds=folds)
        fat_x, fat_y = jittered_grid(rng, self.layout, SPACING_UM, 0.34)
        in_fat = self.layout.at("fat", fat_x, fat_y) > -10
        fat = (fat_x[in_fat], fat_y[in_fat])
        self.cells: list[Cells] = place_cells(self.layout, rng, thickness_um, fat)
        self.edges_um = np.linspace(-thickness_um / 2, thickness_um / 2, slabs + 1)
        self.z_um = ((self.edges_um[1:] + self.edges_um[:-1]) / 2).astype(np.float32)
        if dust:
            self.z_um = np.append(self.z_um, np.float32(dust[0].height_um))
        self._painter = Painter(self.layout, self.cells, fat, self.palette, self.edges_um, seed)

    def tissue_depth_um(self, step: int) -> FloatArray:
        """Distance inside the outline of the tissue, negative on glass, at the nodes of the plan.

        Parameters
        ----------
        step : int
            Wanted spacing, px; a multiple of the plan's spacing.

        Returns
        -------
        float32 (ceil(height / step), ceil(width / step)), at the centres of ``step`` px squares.
        """
        x = (np.arange(-(-self.width // step)) + 0.5) * step * self.mpp
        y = (np.arange(-(-self.height // step)) + 0.5) * step * self.mpp
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        return self.layout.at("tissue", grid_x.ravel(), grid_y.ravel()).reshape(grid_x.shape)

    def is_glass(self, x0: int, y0: int, width: int, height: int) -> bool:
        """Whether a window shows nothing but empty glass."""
        step = self.layout.step
        rows = slice(max(y0 // step + MARGIN - 2, 0), (y0 + height) // step + MARGIN + 3)
        columns = slice(max(x0 // step + MARGIN - 2, 0), (x0 + width) // step + MARGIN + 3)
        if float(self.layout.fields["tissue"][rows, columns].max(initial=-1e3)) > -12:
            return False
        frame = Frame(x0, y0, width, height, self.mpp)
        if any(_reaches(particle, frame) for particle in self.dust):
            return False
        return all(_distance_px(bubble, frame) * self.mpp > 25 for bubble in self.bubbles)

    def lift_um(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> FloatArray:
        """How high folds lift the tissue at positions in px (that broadcast), um on the focus axis.

        Only those that were asked for do.
        """
        if not self._lifted:
            return np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        x, y = np.broadcast_arrays(x * self.mpp, y * self.mpp)
        inside_um = self.layout.at("fold", x.ravel(), y.ravel()).reshape(x.shape)
        # The tissue rises towards a fold over some distance, and lies in layers on itself there.
        rise = np.clip(inside_um / FOLD_RISE_UM + 1.0, 0.0, 1.0)
        return np.asarray(FOLD_LIFT_UM * rise * rise * (3 - 2 * rise), dtype=np.float32)

    def density(self, x0: int, y0: int, width: int, height: int) -> FloatArray:
        """Optical density of a window, which may reach up to 15 um beyond the section.

        Returns
        -------
        float32 (D, 3, height, width), >= 0
        """
        frame = Frame(x0, y0, width, height, self.mpp)
        dyes = self._painter.paint(frame)
        slabs = dyes.shape[0]
        flat = dyes.reshape(slabs, 3, -1)
        density: FloatArray = np.matmul(self.palette.vectors.T[None], flat).reshape(slabs, 3, height, width)
        for bubble in self.bubbles:
            if _distance_px(bubble, frame) * self.mpp < 25:
                density[-1] += bubble_density(bubble, frame)[None]
        np.maximum(density, 0.0, out=density)
        if self.dust:
            specks = np.broadcast_to(dust_density(self.dust, frame), (1, 3, height, width))
            density = np.concatenate((density, specks)).astype(np.float32, copy=False)
        return density

    def section(self, x0: int = 0, y0: int = 0, width: int | None = None, height: int | None = None) -> Section:
        """A window (by default everything) as a :class:`~focusviewer.optics.formation.Section`."""
        density = self.density(x0, y0, width or self.width, height or self.height)
        return Section(np.ascontiguousarray(np.moveaxis(density, 1, -1)), self.z_um, self.mpp)


def _reaches(particle: Dust, frame: Frame) -> bool:
    far_px = 8 * particle.radius_um / frame.mpp
    return bool(
        -far_px < particle.x - frame.x0 < frame.width + far_px
        and -far_px < particle.y - frame.y0 < frame.height + far_px
    )


def _distance_px(bubble: Bubble, frame: Frame) -> float:
    """How far a window is from the disk of a bubble."""
    dx = max(frame.x0 - bubble.x, 0, bubble.x - frame.x0 - frame.width)
    dy = max(frame.y0 - bubble.y, 0, bubble.y - frame.y0 - frame.height)
    return float(np.hypot(dx, dy)) - bubble.radius


def bubble_density(bubble: Bubble, frame: Frame) -> FloatArray:
    """The refracting rim of a bubble: a dark ring with a bright line in it, float32 (H, W) of optical density."""
    x = np.arange(frame.x0, frame.x0 + frame.width, dtype=np.float32)[None, :] - np.float32(bubble.x)
    y = np.arange(frame.y0, frame.y0 + frame.height, dtype=np.float32)[:, None] - np.float32(bubble.y)
    theta = np.arctan2(y, x)
    wobble = 1 + 0.02 * np.cos(2 * theta + 0.7) + 0.008 * np.cos(5 * theta)
    inside_um = (np.float32(bubble.radius) * wobble - np.hypot(x, y)) * frame.mpp
    rim = 0.85 * np.exp(-((inside_um / 4.0) ** 2)) + 0.35 * np.exp(-np.abs(inside_um - 5) / 9)
    bright = np.exp(-(((inside_um - 3.5) / 1.6) ** 2))
    within = np.clip(inside_um / 6, 0, 1) * 0.03
    return np.asarray(np.clip(rim - 0.8 * bright, 0, None) + within, dtype=np.float32)


def phantom_section(
    seed: int,
    width: int,
    height: int,
    mpp: float = 0.25,
    stain: str = "he",
    thickness_um: float = 4.0,
    slabs: int = 5,
    kind: str = "mixed",
) -> Section:
    """Draw a section of procedural tissue; equal arguments give equal sections.

    Parameters
    ----------
    seed : int
        Picks the section.
    width, height : int
        Size, px.
    mpp : float
        Pixel size, um.
    stain : "he" or "ihc"
        Haematoxylin and eosin, or haematoxylin and DAB.
    thickness_um : float
        Thickness of the section.
    slabs : int
        Number of slabs; each nucleus has a depth and an extent of its own, so that cells overlap in depth.
    kind : str
        "mixed", "stroma", "gland", "tumour", "fat", "inflamed", or "slide" (islands on glass).

    Returns
    -------
    Section
        ``density`` float32 (slabs, height, width, 3).

    Raises
    ------
    ValueError
        For an unknown stain or kind.
    """
    phantom = TissuePhantom(
        seed, width, height, mpp=mpp, stain=stain, thickness_um=thickness_um, slabs=slabs, kind=kind
    )
    return phantom.section()
