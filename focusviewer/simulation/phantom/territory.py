"""Stamping cells into images, and the territories (cytoplasm, membranes) around their nuclei."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.cells import Cells
from focusviewer.simulation.phantom.layout import Frame
from focusviewer.simulation.phantom.stamps import ANGLES, LAYERS, TYPES, library

FULL_UM = 3.4
"""Extent in depth at which a nucleus has the whole density of its drawing."""


def slab_shares(
    z_um: npt.NDArray[np.floating], height_um: npt.NDArray[np.floating], edges_um: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Share of the full density that each cell has in each slab: (n, slabs)."""
    low, high = z_um - height_um / 2, z_um + height_um / 2
    overlap = np.minimum(high[:, None], edges_um[None, 1:]) - np.maximum(low[:, None], edges_um[None, :-1])
    return np.asarray(np.clip(overlap, 0.0, None) / FULL_UM, dtype=np.float64)


def stamp_cells(
    cells: Cells, frame: Frame, edges_um: npt.NDArray[np.floating], slabs: list[FloatArray], cover: FloatArray
) -> None:
    """Add the cells of one kind to the dye images of the slabs, and mark where they are.

    Parameters
    ----------
    edges_um : float (D + 1,)
        Borders of the slabs.
    slabs : list of D float32 (H, W)
        Dye images, added to in place.
    cover : float32 (H, W)
        Raised to how much of a pixel a cell fills.
    """
    drawings = library(cells.kind, frame.mpp)
    side = drawings.cover.shape[-1]
    near = cells.within(*frame.box_um, side / 2 * frame.mpp)
    shares = slab_shares(near.z_um, near.height_um, edges_um)
    centre = (edges_um[1:] + edges_um[:-1]) / 2
    relative = (centre[None, :] - near.z_um[:, None]) / near.height_um[:, None] + 0.5
    layers = np.clip((relative * LAYERS).astype(int), 0, LAYERS - 1)
    columns = np.floor(near.x_um / frame.mpp).astype(int) - frame.x0 - side // 2
    rows = np.floor(near.y_um / frame.mpp).astype(int) - frame.y0 - side // 2
    turns = np.floor(near.angle / np.pi * ANGLES).astype(int) % ANGLES
    variants = near.variant % TYPES[cells.kind].variants
    for i in range(near.x_um.size):
        placed = _overlap(int(rows[i]), int(columns[i]), side, frame.height, frame.width)
        if placed is None:
            continue
        target, source = placed
        flip = slice(None, None, -1 if (near.variant[i] >> 8) & 1 else 1)
        # Turning a drawing by 180 degrees keeps its direction.
        drawing = drawings.pixels[turns[i], variants[i]][:, flip, flip][(slice(None), *source)]
        total = 0.0
        for k in np.flatnonzero(shares[i]):
            share = np.float32(shares[i, k] * near.strength[i])
            slabs[k][target] += drawing[layers[i, k]] * share
            total += shares[i, k]
        shape = drawings.cover[turns[i], variants[i]][flip, flip][source]
        np.maximum(cover[target], shape * np.float32(min(total, 1.0)), out=cover[target])


def _overlap(
    row: int, column: int, side: int, height: int, width: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Slices of the image and of the stamp where a stamp at (row, column) falls inside the image."""
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + side, height), min(column + side, width)
    if top >= bottom or left >= right:
        return None
    return (
        (slice(top, bottom), slice(left, right)),
        (slice(top - row, bottom - row), slice(left - column, right - column)),
    )


def territories(
    x_um: npt.NDArray[np.floating],
    y_um: npt.NDArray[np.floating],
    angle: npt.NDArray[np.floating],
    stretch: npt.NDArray[np.floating],
    shade: npt.NDArray[np.floating],
    reach_um: float,
    frame: Frame,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Divide the plane among cells (a Voronoi diagram in each cell's own stretched metric).

    Parameters
    ----------
    angle, stretch : float (n,)
        Direction in which a cell is longer, and how much.
    shade : float (n,)
        A value that the whole territory of a cell carries.
    reach_um : float
        Beyond this distance a cell has no influence.

    Returns
    -------
    gap : float32 (H, W)
        Difference of the distances to the two nearest cells, um: 0 on the membrane between them.
    distance : float32 (H, W)
        Distance to the nearest cell, um (``reach_um`` where there is none).
    shades : float32 (H, W)
        Shade of the nearest cell, 0 where there is none.
    """
    half = 2 if frame.mpp < 0.4 else 1
    top, left = frame.y0 % half, frame.x0 % half
    h, w = -(-(frame.height + top) // half) + 1, -(-(frame.width + left) // half) + 1
    step = frame.mpp * half
    first = np.full((h, w), reach_um, np.float32)
    second = np.full((h, w), reach_um, np.float32)
    shades = np.zeros((h, w), np.float32)
    radius = int(reach_um * float(np.max(stretch, initial=1.0)) / step)
    side = 2 * radius + 1
    axis = (np.arange(side, dtype=np.float32) - radius) * np.float32(step)
    columns = np.floor(x_um / step).astype(int) - frame.x0 // half
    rows = np.floor(y_um / step).astype(int) - frame.y0 // half
    for i in range(x_um.size):
        placed = _overlap(int(rows[i]) - radius, int(columns[i]) - radius, side, h, w)
        if placed is None:
            continue
        target, (sy, sx) = placed
        cos, sin = np.float32(np.cos(angle[i])), np.float32(np.sin(angle[i]))
        dx, dy = axis[sx][None, :], axis[sy][:, None]
        along, across = (dx * cos + dy * sin) / np.float32(stretch[i]), dy * cos - dx * sin
        distance = np.sqrt(along * along + across * across)
        a, b = first[target], second[target]
        nearer = distance < a
        np.minimum(b, np.maximum(a, distance), out=b)
        np.minimum(a, distance, out=a)
        np.copyto(shades[target], np.float32(shade[i]), where=nearer)
    images = (second - first, first, shades)
    if half > 1:
        images = (_double(images[0]), _double(images[1]), _double(images[2]))
    doubled = [image[top : top + frame.height, left : left + frame.width] for image in images]
    return doubled[0], doubled[1], doubled[2]


def _double(image: FloatArray) -> FloatArray:
    """Twice as large, linearly: float32 (2 H, 2 W)."""
    grown = np.repeat(image, 2, axis=0)
    grown[1:-1] = 0.75 * grown[1:-1] + 0.25 * np.where(
        (np.arange(1, len(grown) - 1) % 2)[:, None], grown[2:], grown[:-2]
    )
    wide = np.repeat(grown, 2, axis=1)
    result = wide.copy()
    odd = np.arange(1, wide.shape[1] - 1) % 2 == 1
    result[:, 1:-1] = 0.75 * wide[:, 1:-1] + 0.25 * np.where(odd[None, :], wide[:, 2:], wide[:, :-2])
    return result
