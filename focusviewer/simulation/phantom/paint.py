"""Painting a window of a phantom: from the plan and the cells to dye in each slab."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.cells import Cells
from focusviewer.simulation.phantom.fat import fat_walls
from focusviewer.simulation.phantom.layout import MARGIN, Frame, Layout
from focusviewer.simulation.phantom.stains import COUNTER, EXTRA, NUCLEAR, Palette
from focusviewer.simulation.phantom.stamps import TYPES, library
from focusviewer.simulation.phantom.territory import stamp_cells, territories
from focusviewer.simulation.phantom.texture import (
    FIBRE_ACROSS_UM,
    FIBRE_ALONG_UM,
    cytoplasm_tile,
    fibre_tile,
    grain_tile,
    look_up,
    soft_step,
    upsample,
    window_of,
)

TEXTURES = 8
"""Different sets of textures; a phantom's seed picks one."""


@dataclass
class Parts:
    """How much of each pixel of a window belongs to each tissue, float32 (H, W), 0..1."""

    tissue: FloatArray
    stroma: FloatArray
    epithelium: FloatArray
    lumen: FloatArray
    vessel: FloatArray
    wall: FloatArray
    fat: FloatArray


class Painter:
    """Draws windows of one phantom; safe to use from several threads.

    Parameters
    ----------
    layout : Layout
        The plan.
    cells : list of Cells
        Epithelial cells first.
    fat : (x, y)
        Centres of the fat cells, um.
    colours : Palette
        The stain (only what it labels matters here).
    edges_um : float (D + 1,)
        Borders of the slabs.
    seed : int
        Of the phantom.
    """

    def __init__(
        self,
        layout: Layout,
        cells: list[Cells],
        fat: tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]],
        colours: Palette,
        edges_um: npt.NDArray[np.floating],
        seed: int,
    ) -> None:
        self.layout, self.cells, self.fat, self.colours, self.edges_um = layout, cells, fat, colours, edges_um
        # The surfaces of a section are frayed by the knife; more of the ground substance is in its middle.
        middle = (edges_um[1:] + edges_um[:-1]) / np.ptp(edges_um)
        self.shares = ((1.2 - middle**2) / (1.2 - middle**2).sum()).astype(np.float32)
        self.texture_seed = seed % TEXTURES
        rng = np.random.default_rng((seed, 6))
        # Drawn here, once, rather than by every thread that paints first.
        for name in TYPES:
            library(name, layout.mpp)
        fibre_tile(self.texture_seed)
        cytoplasm_tile(self.texture_seed, layout.mpp)
        self.offsets = rng.integers(0, 1 << 16, (64, 2))
        self.looseness = float(rng.uniform(0.16, 0.34))
        self.cytoplasm = float(rng.uniform(0.20, 0.34)), float(rng.uniform(0.05, 0.13))
        self.collagen = float(rng.uniform(0.44, 0.62))

    def paint(self, frame: Frame) -> FloatArray:
        """Dye of a window: float32 (D, 3 dyes, H, W), >= 0; the sum over the slabs is the section."""
        fields = self._fields(frame)
        parts = self._parts(frame, fields)
        slabs = len(self.edges_um) - 1
        dyes = np.zeros((slabs, 3, frame.height, frame.width), np.float32)
        nuclei = [dyes[k, NUCLEAR] for k in range(slabs)]
        blood = [np.zeros((frame.height, frame.width), np.float32) for _ in range(slabs)]
        cover = np.zeros((frame.height, frame.width), np.float32)
        for cells in self.cells:
            self._stamp(cells, frame, dyes, nuclei, blood, cover)
        soft = self._cytoplasm(frame, fields, parts, cover)
        for k in range(slabs):
            self._ground(k, frame, fields, parts, soft, cover, dyes[k])
            for dye, amount in enumerate(self.colours.blood):
                if amount:
                    dyes[k, dye] += np.float32(amount) * blood[k]
        self._finish(fields, parts, dyes)
        return dyes

    def _stamp(
        self, cells: Cells, frame: Frame, dyes: FloatArray, nuclei: list[FloatArray], blood: list[FloatArray],
        cover: FloatArray,
    ) -> None:  # fmt: skip
        """Stamp one kind of cell into the dye it takes."""
        if cells.kind == "blood":
            stamp_cells(cells, frame, self.edges_um, blood, np.zeros_like(cover))
        elif cells.kind == "epithelial" and self.colours.label == "nucleus":
            positive = (cells.variant >> 12) % 100 < 34
            label = [dyes[k, EXTRA] for k in range(len(nuclei))]
            stamp_cells(cells.pick(positive), frame, self.edges_um, label, cover)
            stamp_cells(cells.pick(~positive), frame, self.edges_um, nuclei, cover)
        else:
            stamp_cells(cells, frame, self.edges_um, nuclei, cover)

    def _fields(self, frame: Frame) -> dict[str, FloatArray]:
        """The plan's fields at every pixel of the window."""
        step = self.layout.step
        row0, col0 = frame.y0 // step, frame.x0 // step
        rows = (frame.y0 + frame.height - 1) // step - row0 + 1
        cols = (frame.x0 + frame.width - 1) // step - col0 + 1
        top, left = frame.y0 - row0 * step, frame.x0 - col0 * step
        window = slice(top, top + frame.height), slice(left, left + frame.width)
        fields = {}
        for name, field in self.layout.fields.items():
            if name == "lymph":
                continue
            part = field[row0 + MARGIN - 1 : row0 + MARGIN + rows + 2, col0 + MARGIN - 1 : col0 + MARGIN + cols + 2]
            if name in ("tissue", "gland", "vessel", "fat", "fold") and (part.max() < -60 or part.min() > 60):
                fields[name] = np.full((frame.height, frame.width), part.flat[0], np.float32)
                continue
            fields[name] = upsample(field, row0 + MARGIN, col0 + MARGIN, rows, cols, step)[window]
        return fields

    def _tile(self, tile: FloatArray, frame: Frame, which: int) -> FloatArray:
        """A window of a periodic texture, tied to the section; ``which`` picks the offset."""
        dy, dx = self.offsets[which % len(self.offsets)]
        return window_of(tile, frame.y0 + int(dy), frame.x0 + int(dx), frame.height, frame.width)

    def _parts(self, frame: Frame, fields: dict[str, FloatArray]) -> Parts:
        """Which tissue each pixel is; the outlines get fine jitter from a texture."""
        fray = self._tile(grain_tile(self.texture_seed, 0.5 / frame.mpp), frame, 0)
        fray = 0.4 * fray + 1.5 * self._tile(grain_tile(self.texture_seed + 100, 1.6 / frame.mpp), frame, 1)
        fields["gland"] += 0.18 * fray
        tissue = soft_step(fields["tissue"] + 0.8 * fray, 1.2)
        in_gland = soft_step(fields["gland"], 0.7)
        lumen = in_gland * soft_step(fields["gland"] - fields["epithelium"] + 0.45 * fray, 0.9)
        vessel = soft_step(fields["vessel"] + 0.15 * fray, 0.7)
        wall = soft_step(fields["vessel"] + 4.5, 2.0) * (1 - vessel)
        fat = soft_step(fields["fat"] + 1.2 * fray, 4.0) * (1 - in_gland) * (1 - vessel)
        stroma = tissue * (1 - in_gland) * (1 - vessel) * (1 - fat)
        return Parts(tissue, stroma, (in_gland - lumen) * tissue, lumen * tissue, vessel * tissue, wall, fat * tissue)

    def _cytoplasm(
        self, frame: Frame, fields: dict[str, FloatArray], parts: Parts, cover: FloatArray
    ) -> dict[str, FloatArray]:
        """What is the same in every slab: cell shades, membranes, the basement membrane, fat cell walls."""
        soft: dict[str, FloatArray] = {}
        x0, y0, x1, y1 = frame.box_um
        if parts.epithelium.any():
            near = self.cells[0].within(x0, y0, x1, y1, 26)
            solid = self.layout.at("epithelium", near.x_um, near.y_um) > 70
            stretch = np.where(solid, 1.15, 2.3)
            shade = ((near.variant >> 4) % 256) / 255.0
            gap, distance, shades = territories(near.x_um, near.y_um, near.angle, stretch, shade, 9.5, frame)
            soft["membrane"] = np.exp(-((gap / 0.75) ** 2)) * (distance < 9.4)
            soft["shade"] = shades
            soft["basal"] = np.exp(-(((fields["gland"] + 0.2) / 0.7) ** 2)) * parts.tissue
            apical = np.clip(1 - np.abs(fields["gland"] - fields["epithelium"] + 1.0) / 1.6, 0, 1)
            soft["apical"] = apical * parts.epithelium
        if parts.fat.any():
            near_fat = (self.fat[0] > x0 - 110) & (self.fat[0] < x1 + 110)
            near_fat &= (self.fat[1] > y0 - 110) & (self.fat[1] < y1 + 110)
            fx, fy = self.fat[0][near_fat], self.fat[1][near_fat]
            depth = fat_walls(fx, fy, frame)
            depth += np.float32(0.25) * np.minimum(fields["slack"], np.float32(2)) - np.float32(1.0)
            soft["adipose"] = soft_step(depth, 1.5) * parts.fat
            soft["septum"] = parts.fat - soft["adipose"]
        return soft

    def _ground(
        self, k: int, frame: Frame, fields: dict[str, FloatArray], parts: Parts,
        soft: dict[str, FloatArray], cover: FloatArray, dye: FloatArray,
    ) -> None:  # fmt: skip
        """Add collagen, cytoplasm, walls and contents of one slab to its dyes (3, H, W)."""
        share = self.shares[k]
        fibres = self._collagen(k, frame, fields)
        granules = self._tile(cytoplasm_tile(self.texture_seed, frame.mpp), frame, 2 + k)
        loose = np.clip(self.looseness + 0.16 * fields["slack"], 0.0, 0.55)
        collagen = np.maximum(fibres - loose, 0) / (1 - loose)
        counter = np.float32(self.collagen * 1.5) * collagen * (parts.stroma + parts.wall * parts.tissue * 0.5)
        counter *= 1 + np.float32(0.16) * granules
        counter += 0.035 * parts.vessel * (1 + 0.4 * granules)
        nuclear = 0.05 * parts.stroma * collagen
        if "shade" in soft:
            eosin, haematoxylin = self.cytoplasm
            body = parts.epithelium * (0.72 + 0.45 * soft["shade"]) * np.clip(1 + 0.42 * granules, 0.1, None)
            height = np.clip(fields["gland"] / np.maximum(fields["epithelium"], 1.0), 0, 1)
            counter += eosin * body * (1.05 - 0.3 * height) + 0.16 * soft["membrane"] * parts.epithelium
            counter += 0.22 * soft["basal"] + 0.2 * soft["apical"]
            nuclear += haematoxylin * body
            counter += parts.lumen * (
                0.05 * np.clip(granules - 1.2, 0, 2) + 0.07 * np.clip(fields["slack"] - 0.3, 0, 1)
            )
            if self.colours.label == "membrane":
                label = 0.75 * soft["membrane"] + 0.3 * soft["apical"] + 0.2 * np.clip(1 + 0.5 * granules, 0, None)
                dye[EXTRA] += share * label * parts.epithelium * (0.5 + 0.9 * soft["shade"])
        if "septum" in soft:
            counter += 0.26 * soft["septum"] * (0.5 + 0.8 * fibres) + 0.012 * soft["adipose"]
        counter *= 1 - 0.6 * cover
        dye[COUNTER] += share * counter
        dye[NUCLEAR] += share * nuclear * (1 - 0.6 * cover)

    def _collagen(self, k: int, frame: Frame, fields: dict[str, FloatArray]) -> FloatArray:
        """Fibre texture of a slab, 0..1: wavy bundles, turning parallel to the outlines of glands and vessels."""
        tile = fibre_tile(self.texture_seed)
        dy, dx = (float(v) for v in self.offsets[20 + k])
        along = fields["along"] * np.float32(1 / FIBRE_ALONG_UM) + np.float32(dx + 4096)
        fibres = look_up(tile, fields["across"] * np.float32(1 / FIBRE_ACROSS_UM) + np.float32(dy), along)
        outline: FloatArray = np.maximum(fields["gland"], fields["vessel"])
        if outline.max() < -30:
            return fibres
        turned = look_up(tile, outline * np.float32(1 / FIBRE_ACROSS_UM) + np.float32(dy), along * np.float32(0.7))
        near = soft_step(outline + np.float32(9.0), 16.0)
        return np.asarray(fibres + near * (turned - fibres), dtype=np.float32)

    def _finish(self, fields: dict[str, FloatArray], parts: Parts, dyes: FloatArray) -> None:
        """Uneven staining and thickness, and folds."""
        layers = 1 + 0.75 * soft_step(fields["fold"], 3.0) * parts.tissue
        dyes[:, NUCLEAR] *= layers * fields["nuclear"]
        dyes[:, COUNTER:] *= (layers * fields["counter"])[None, None]
        np.maximum(dyes, 0.0, out=dyes)
