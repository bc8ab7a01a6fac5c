"""Where the cells of a phantom stand: positions, kinds, directions and depths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import DoubleArray
from focusviewer.simulation.phantom.fat import wall_places
from focusviewer.simulation.phantom.layout import Layout, jittered_grid


@dataclass(frozen=True)
class Cells:
    """All cells of one kind.

    Attributes
    ----------
    kind : str
        Key of ``stamps.TYPES``.
    x_um, y_um : float (n,)
        Centres.
    angle : float (n,)
        Direction of the long axis, radians.
    z_um, height_um : float (n,)
        Depth of the centre from the middle of the section, and extent in depth.
    variant : int (n,)
        Random number that picks the drawing.
    strength : float (n,)
        Factor on the density.
    """

    kind: str
    x_um: DoubleArray
    y_um: DoubleArray
    angle: DoubleArray
    z_um: DoubleArray
    height_um: DoubleArray
    variant: npt.NDArray[np.int64]
    strength: DoubleArray

    def within(self, x0: float, y0: float, x1: float, y1: float, margin: float) -> Cells:
        """The cells whose centres lie in a box (um) or within ``margin`` of it."""
        keep = (self.x_um > x0 - margin) & (self.x_um < x1 + margin)
        keep &= (self.y_um > y0 - margin) & (self.y_um < y1 + margin)
        return self.pick(keep)

    def pick(self, keep: npt.NDArray[np.bool_]) -> Cells:
        """The cells that a mask (n,) selects."""
        picked = (self.x_um, self.y_um, self.angle, self.z_um, self.height_um, self.variant, self.strength)
        return Cells(self.kind, *(values[keep] for values in picked))  # type: ignore[arg-type]


def _cells(
    kind: str, rng: np.random.Generator, x: DoubleArray, y: DoubleArray, angle: DoubleArray, thickness_um: float
) -> Cells:
    """Give cells their depth and looks."""
    n = x.size
    reach = thickness_um / 2 + 1.0
    return Cells(
        kind,
        x,
        y,
        angle,
        rng.uniform(-reach, reach, n),
        rng.uniform(2.6, 5.0, n),
        rng.integers(0, 1 << 30, n),
        np.clip(rng.normal(1.0, 0.14, n), 0.55, 1.5),
    )


def _gradient(layout: Layout, name: str, x: DoubleArray, y: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Direction in which a field rises at points (unit vector)."""
    step = 2 * layout.cell_um
    gx = (layout.at(name, x + step, y) - layout.at(name, x - step, y)).astype(float)
    gy = (layout.at(name, x, y + step) - layout.at(name, x, y - step)).astype(float)
    length = np.maximum(np.hypot(gx, gy), 1e-6)
    return gx / length, gy / length


def _spread_out(x: DoubleArray, y: DoubleArray, spacing_um: float) -> npt.NDArray[np.bool_]:
    """Which points to keep so that none is nearer than ``spacing_um`` to one kept before it."""
    from scipy.spatial import cKDTree

    keep = np.ones(x.size, bool)
    if x.size < 2:
        return keep
    pairs = cKDTree(np.column_stack((x, y))).query_pairs(spacing_um, output_type="ndarray")
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if keep[first]:
            keep[second] = False
    return keep


def _fat_nuclei(
    layout: Layout, rng: np.random.Generator, fat: tuple[DoubleArray, DoubleArray], thickness_um: float
) -> Cells:
    """Flat nuclei squeezed into the walls between fat cells."""
    x, y, angle = wall_places(*fat)
    keep = (rng.random(x.size) < 0.2) & (layout.at("fat", x, y) > 3) & (layout.at("tissue", x, y) > 2)
    return _cells("endothelial", rng, x[keep], y[keep], angle[keep], thickness_um)


def place_cells(
    layout: Layout, rng: np.random.Generator, thickness_um: float, fat: tuple[DoubleArray, DoubleArray]
) -> list[Cells]:
    """Populate a layout.

    Parameters
    ----------
    thickness_um : float
        Of the section.
    fat : (x, y)
        Centres of the fat cells, um.

    Returns
    -------
    list of Cells
        Epithelial cells come first: their territories (cytoplasm and membranes) are drawn from them.
    """
    cells = [_epithelium(layout, rng, thickness_um)]
    cells += _dividing(rng, cells[0], thickness_um)
    cells.append(_fibroblasts(layout, rng, thickness_um))
    cells.append(_lymphocytes(layout, rng, thickness_um))
    cells.append(_endothelium(layout, rng, thickness_um))
    cells.append(_fat_nuclei(layout, rng, fat, thickness_um))
    cells.append(_blood(layout, rng, thickness_um))
    return cells


def _epithelium(layout: Layout, rng: np.random.Generator, thickness_um: float) -> Cells:
    """Nuclei of glands: a crowded row near the basement membrane, scattered in solid nests."""
    x, y = jittered_grid(rng, layout, 6.6, 0.3)
    depth, lining = layout.at("gland", x, y), layout.at("epithelium", x, y)
    inside = (depth > 2.0) & (depth < lining - 3.0)
    x, y, depth, lining = x[inside], y[inside], depth[inside].astype(float), lining[inside].astype(float)
    solid = lining > 70
    nx, ny = _gradient(layout, "gland", x, y)
    row = rng.choice((0.3, 0.52), x.size, p=(0.68, 0.32)) * np.minimum(lining, 28)
    shift = np.where(solid, 0.0, np.clip(0.7 * (np.maximum(row, 4.5) - depth), -9, 9))
    x, y = x + nx * shift, y + ny * shift
    spacing = np.where(solid, 7.4, 5.9)
    keep = _spread_out(x, y, 5.9) & (~solid | (rng.random(x.size) < 0.8))
    keep &= (layout.at("gland", x, y) > 2.0) & (spacing > 0)
    x, y, nx, ny, solid = x[keep], y[keep], nx[keep], ny[keep], solid[keep]
    angle = np.arctan2(ny, nx) + rng.normal(0, 0.22, x.size)
    angle = np.where(solid, rng.uniform(0, np.pi, x.size), angle)
    made = _cells("epithelial", rng, x, y, angle, thickness_um)
    # Epithelial nuclei stand in the section more often than beside it: a lining without nuclei looks wrong.
    return Cells(made.kind, x, y, angle, made.z_um * 0.75, made.height_um + 1.0, made.variant, made.strength)


def _dividing(rng: np.random.Generator, epithelium: Cells, thickness_um: float) -> list[Cells]:
    """A mitosis here and there, in place of nothing: it sits between the epithelial nuclei."""
    pick = rng.random(epithelium.x_um.size) < 0.004
    if not pick.any():
        return []
    n = int(pick.sum())
    x = epithelium.x_um[pick] + rng.normal(0, 2.0, n)
    y = epithelium.y_um[pick] + rng.normal(0, 2.0, n)
    return [_cells("mitosis", rng, x, y, rng.uniform(0, np.pi, n), thickness_um * 0.5)]


def _stromal(layout: Layout, x: DoubleArray, y: DoubleArray, clearance_um: float) -> npt.NDArray[np.bool_]:
    """Which points lie in stroma, clear of glands, vessels and fat."""
    clear = (layout.at("gland", x, y) < -clearance_um) & (layout.at("tissue", x, y) > 4)
    return np.asarray(clear & (layout.at("vessel", x, y) < -clearance_um - 1), bool)


def _fibroblasts(layout: Layout, rng: np.random.Generator, thickness_um: float) -> Cells:
    """Spindle nuclei along the fibres, crowded under glands, rare in fat."""
    x, y = jittered_grid(rng, layout, 11.5, 0.46)
    near = np.exp(-np.clip(-layout.at("gland", x, y) - 3, 0, None) / 12)
    chance = 0.26 + 0.12 * np.tanh(layout.at("lymph", x, y)) + 0.4 * near
    chance = np.where(layout.at("fat", x, y) > -1, 0.0, chance)
    keep = _stromal(layout, x, y, 3.0) & (rng.random(x.size) < chance)
    x, y, near = x[keep], y[keep], near[keep]
    ax, ay = _gradient(layout, "across", x, y)
    gx, gy = _gradient(layout, "gland", x, y)
    sign = np.where(ax * gx + ay * gy < 0, -1.0, 1.0)
    close = np.clip(near * 2, 0, 1)
    nx, ny = ax * (1 - close) + sign * gx * close, ay * (1 - close) + sign * gy * close
    angle = np.arctan2(ny, nx) + np.pi / 2 + rng.normal(0, 0.18, x.size)
    return _cells("fibroblast", rng, x, y, angle, thickness_um)


def _lymphocytes(layout: Layout, rng: np.random.Generator, thickness_um: float) -> Cells:
    """Small dark cells, in clusters where the zone allows and single elsewhere."""
    x, y = jittered_grid(rng, layout, 6.8, 0.4)
    density = layout.at("lymph", x, y)
    chance = 0.012 + 0.85 * np.clip((density - 1.05) * 1.2, 0, 0.8)
    chance = np.where(layout.at("fat", x, y) > -4, 0.0, chance)
    keep = _stromal(layout, x, y, 3.5) & (rng.random(x.size) < chance)
    x, y = x[keep], y[keep]
    return _cells("lymphocyte", rng, x, y, rng.uniform(0, np.pi, x.size), thickness_um)


def _endothelium(layout: Layout, rng: np.random.Generator, thickness_um: float) -> Cells:
    """Flat nuclei around the lumen of vessels and in their walls."""
    x, y = jittered_grid(rng, layout, 4.6, 0.4)
    depth = layout.at("vessel", x, y)
    keep = (depth > -7.0) & (depth < 0.5) & (rng.random(x.size) < 0.42) & (layout.at("tissue", x, y) > 3)
    x, y = x[keep], y[keep]
    nx, ny = _gradient(layout, "vessel", x, y)
    shift = np.where(layout.at("vessel", x, y) > -3.5, -0.9 - layout.at("vessel", x, y), 0.0)
    x, y = x + nx * shift, y + ny * shift
    keep = _spread_out(x, y, 6.0)
    x, y, nx, ny = x[keep], y[keep], nx[keep], ny[keep]
    return _cells("endothelial", rng, x, y, np.arctan2(ny, nx) + np.pi / 2, thickness_um)


def _blood(layout: Layout, rng: np.random.Generator, thickness_um: float) -> Cells:
    """Red cells in the lumen of vessels: packed in some, few in others, and a few astray."""
    x, y = jittered_grid(rng, layout, 5.2, 0.38)
    layout.fields["filling"] = layout.noise(rng, 150)
    chance = np.clip(0.5 + 0.5 * layout.at("filling", x, y), 0.05, 0.95)
    del layout.fields["filling"]
    keep = (layout.at("vessel", x, y) > 1.8) & (layout.at("tissue", x, y) > 3) & (rng.random(x.size) < chance)
    astray = _stromal(layout, x, y, 2.0) & (rng.random(x.size) < 0.0008) & (layout.at("fat", x, y) < -2)
    x, y = x[keep | astray], y[keep | astray]
    made = _cells("blood", rng, x, y, rng.uniform(0, np.pi, x.size), thickness_um)
    return Cells(made.kind, x, y, made.angle, made.z_um * 0.8, made.height_um + 1, made.variant, made.strength)
