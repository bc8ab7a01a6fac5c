"""The plan of a phantom: where tissue, glands, vessels and fat lie, on a coarse grid of the whole section."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.simulation.phantom.texture import smooth_noise

MARGIN = 24
"""Nodes of the coarse grid beyond each side of the section."""

FAR = 400.0
"""Distance, um, that stands for "nowhere near"."""

KINDS = ("mixed", "stroma", "gland", "tumour", "fat", "inflamed", "slide")


@dataclass(frozen=True)
class Frame:
    """A window of the section: its upper left corner in px, its size in px, and the pixel size in um."""

    x0: int
    y0: int
    width: int
    height: int
    mpp: float

    @property
    def box_um(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in um."""
        corners = (self.x0, self.y0, self.x0 + self.width, self.y0 + self.height)
        return tuple(value * self.mpp for value in corners)  # type: ignore[return-value]


@dataclass
class Layout:
    """Coarse fields of a section, float32 (h, w); distances are in um, positive inside.

    Attributes
    ----------
    width, height : int
        Section in px.
    mpp : float
        Pixel size, um.
    step : int
        Pixels per node.
    fields : dict
        ``tissue``, ``gland`` (depth from a gland's outline), ``epithelium`` (its thickness), ``vessel``, ``fat``,
        ``across`` and ``along`` (fibre coordinates), ``nuclear`` and ``counter`` (stain strength), ``slack``
        (how loose the stroma is), ``lymph`` (density of lymphocytes), ``fold`` (extra layers of tissue).
    """

    width: int
    height: int
    mpp: float
    step: int
    fields: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def cell_um(self) -> float:
        """Spacing of the nodes, um."""
        return self.step * self.mpp

    @property
    def shape(self) -> tuple[int, int]:
        """Nodes of the grid (h, w), with the margin."""
        return (
            -(-self.height // self.step) + 2 * MARGIN + 2,
            -(-self.width // self.step) + 2 * MARGIN + 2,
        )

    def axes_um(self) -> tuple[FloatArray, FloatArray]:
        """Positions of the nodes: y (h, 1) and x (1, w), um."""
        h, w = self.shape
        y = (np.arange(h, dtype=np.float32) - MARGIN) * np.float32(self.cell_um)
        x = (np.arange(w, dtype=np.float32) - MARGIN) * np.float32(self.cell_um)
        return y[:, None], x[None, :]

    def at(self, name: str, x_um: npt.NDArray[np.floating], y_um: npt.NDArray[np.floating]) -> FloatArray:
        """A field at points."""
        from scipy.ndimage import map_coordinates

        rows, columns = y_um / self.cell_um + MARGIN, x_um / self.cell_um + MARGIN
        return np.asarray(map_coordinates(self.fields[name], (rows, columns), order=1, mode="nearest"), np.float32)

    def noise(self, rng: np.random.Generator, wavelength_um: float) -> FloatArray:
        """Smooth noise over the grid with features of the given size."""
        return smooth_noise(rng, self.shape, wavelength_um / self.cell_um)


def make_layout(
    rng: np.random.Generator,
    width: int,
    height: int,
    mpp: float,
    kind: str,
    thickness_ramp: float = 0.12,
    folds: int | None = None,
) -> Layout:
    """Plan a section.

    Parameters
    ----------
    kind : str
        One of ``KINDS``: ``mixed`` draws the proportions at random, ``slide`` puts islands of tissue on glass.
    thickness_ramp : float
        Change of the section's thickness from one side to the other, as a share.
    folds : int, optional
        How many folds the tissue has; by default as many as its size suggests.

    Raises
    ------
    ValueError
        For another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: {', '.join(KINDS)}")
    layout = Layout(width, height, mpp, max(2, round(2.0 / mpp)))
    f = layout.fields
    f["tissue"] = _islands(layout, rng) if kind == "slide" else _margin(layout, rng, kind)
    zones = _zones(layout, rng, kind)
    _glands(layout, rng, zones["gland"], zones["nest"])
    _vessels(layout, rng, f["gland"])
    away = np.minimum(-f["gland"], -f["vessel"]) - 10.0
    f["fat"] = np.minimum(zones["fat"], away).astype(np.float32)
    f["lymph"] = zones["lymph"]
    _fibres(layout, rng)
    _strengths(layout, rng, thickness_ramp, folds)
    return layout


def _margin(layout: Layout, rng: np.random.Generator, kind: str) -> FloatArray:
    """Tissue everywhere, in one out of four mixed sections with an edge to the glass."""
    y, x = layout.axes_um()
    if kind != "mixed" or rng.random() > 0.25:
        return np.full(layout.shape, FAR, np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    size = min(layout.width, layout.height) * layout.mpp
    middle_x, middle_y = layout.width * layout.mpp / 2, layout.height * layout.mpp / 2
    line = (x - middle_x) * np.cos(angle) + (y - middle_y) * np.sin(angle) + rng.uniform(0.1, 0.4) * size
    return np.asarray(line + 12 * layout.noise(rng, 90) + 4 * layout.noise(rng, 25), np.float32)


def _islands(layout: Layout, rng: np.random.Generator) -> FloatArray:
    """Pieces of tissue with an irregular outline and a few tears."""
    y, x = layout.axes_um()
    wide, high = layout.width * layout.mpp, layout.height * layout.mpp
    small = min(wide, high)
    count = 1 if small < 900 else int(np.clip(round(wide * high / small**2 * rng.uniform(2.0, 3.2)), 2, 6))
    warp = min(1.0, small / 2500)
    wx = x + warp * (110 * layout.noise(rng, 900 * warp + 60) + 30 * layout.noise(rng, 240 * warp + 30))
    wy = y + warp * (110 * layout.noise(rng, 900 * warp + 60) + 30 * layout.noise(rng, 240 * warp + 30))
    tissue = np.full(layout.shape, -FAR, np.float32)
    for cx, cy, a, b in _island_places(rng, wide, high, count):
        u, v = (wx - cx) / a, (wy - cy) / b
        theta, rho = np.arctan2(v, u), np.hypot(u, v)
        outline = np.ones_like(rho)
        for order in range(2, 7):
            outline += rng.normal(0, 0.16 / order) * np.cos(order * theta + rng.uniform(0, 2 * np.pi))
        tissue = np.maximum(tissue, np.sqrt(a * b) * (outline - rho))
    border = np.minimum(np.minimum(wx, wide - wx), np.minimum(wy, high - wy)) - 0.035 * small
    tissue = np.minimum(tissue, border)
    tissue += 9 * layout.noise(rng, 70) + 4 * layout.noise(rng, 22)
    crack = np.abs(layout.noise(rng, 420)) * 90 - 26 * np.clip(layout.noise(rng, 500) - 0.7, 0, 1)
    crack += 3 * layout.noise(rng, 30)
    return np.asarray(np.minimum(tissue, crack), np.float32)


def _island_places(
    rng: np.random.Generator, wide: float, high: float, count: int
) -> list[tuple[float, float, float, float]]:
    """Centres and half axes (um) of islands that keep clear of each other as far as there is room."""
    if count == 1:
        return [(wide / 2, high / 2, 0.43 * wide, 0.43 * high)]
    columns = max(1, round(np.sqrt(count * wide / high)))
    rows = -(-count // columns)
    places = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        cx = (column + 0.5 + rng.uniform(-0.08, 0.08)) * wide / in_row
        cy = (row + 0.5 + rng.uniform(-0.08, 0.08)) * high / rows
        a, b = (0.47 * side * rng.uniform(0.92, 1.06) for side in (wide / in_row, high / rows))
        places.append((cx, cy, a, b))
    return places


def _zones(layout: Layout, rng: np.random.Generator, kind: str) -> dict[str, FloatArray]:
    """Where glands, solid nests, fat and lymphocytes may be; positive means yes, fat in um from its border."""
    offset = {
        "gland": {"gland": 3.0, "nest": -4.0, "fat": -5.0, "lymph": -0.3},
        "stroma": {"gland": -3.0, "nest": -3.0, "fat": -4.0, "lymph": -0.7},
        "tumour": {"gland": 3.0, "nest": 3.0, "fat": -5.0, "lymph": 0.0},
        "fat": {"gland": -3.0, "nest": -3.0, "fat": 3.0, "lymph": -1.0},
        "inflamed": {"gland": -0.4, "nest": -0.5, "fat": -4.0, "lymph": 1.0},
        "slide": {"gland": 0.75, "nest": -0.45, "fat": -0.9, "lymph": -0.2},
        "mixed": {"gland": 0.5, "nest": -0.3, "fat": -0.8, "lymph": 0.0},
    }[kind]
    local = 0.0 if kind == "slide" else 1.0
    zones = {
        name: layout.noise(rng, size) + np.float32(offset[name] + local * rng.normal(0, 0.5))
        for name, size in (("gland", 1000.0), ("nest", 800.0), ("fat", 700.0), ("lymph", 200.0))
    }
    zones["fat"] = np.asarray(zones["fat"] * 130 + 6 * layout.noise(rng, 40), np.float32)
    return zones


def jittered_grid(
    rng: np.random.Generator, layout: Layout, spacing_um: float, jitter: float = 0.36
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points of a disturbed hexagonal grid over the whole section: x and y in um."""
    margin = (MARGIN - 4) * layout.cell_um
    rows = np.arange(-margin, layout.height * layout.mpp + margin, spacing_um * 0.866)
    columns = np.arange(-margin, layout.width * layout.mpp + margin, spacing_um)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    x = x + (np.arange(len(rows)) % 2)[:, None] * spacing_um / 2
    x = x + rng.uniform(-jitter, jitter, x.shape) * spacing_um
    y = y + rng.uniform(-jitter, jitter, y.shape) * spacing_um
    return x.ravel(), y.ravel()


def _add_blob(layout: Layout, target: FloatArray, rng: np.random.Generator, xy: tuple[float, float], radius: float,
              stretch: float, ragged: float, warp: tuple[FloatArray, FloatArray]) -> None:  # fmt: skip
    """Raise ``target`` to the depth inside a star-shaped outline around ``xy`` (um)."""
    reach = int((radius * stretch * 1.6 + 40) / layout.cell_um)
    row, column = int(xy[1] / layout.cell_um) + MARGIN, int(xy[0] / layout.cell_um) + MARGIN
    rows = slice(max(row - reach, 0), max(row + reach, 0))
    columns = slice(max(column - reach, 0), max(column + reach, 0))
    wx, wy = warp[0][rows, columns], warp[1][rows, columns]
    if not wx.size:
        return
    angle = rng.uniform(0, np.pi)
    dx, dy = wx - np.float32(xy[0]), wy - np.float32(xy[1])
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / np.float32(stretch)
    v = -dx * np.sin(angle) + dy * np.cos(angle)
    rho, theta = np.hypot(u, v), np.arctan2(v, u)
    outline = np.full_like(rho, radius)
    for order in (2, 3, 4, 5):
        outline += rng.normal(0, ragged * radius / order) * np.cos(order * theta + rng.uniform(0, 2 * np.pi))
    # Along the stretched axis the depth in the squeezed coordinates is too small by the stretch.
    scale = np.sqrt((u * np.float32(stretch)) ** 2 + v**2) / np.maximum(rho, 1e-3)
    depth = (outline - rho) * np.clip(scale, 1.0, stretch)
    target[rows, columns] = np.maximum(target[rows, columns], depth)


def _warp(layout: Layout, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Node positions (x, y) bent as soft tissue bends, um."""
    y, x = layout.axes_um()
    bent = [axis + 15 * layout.noise(rng, 110) + 2.5 * layout.noise(rng, 26) for axis in (x, y)]
    return np.asarray(bent[0], np.float32), np.asarray(bent[1], np.float32)


def _glands(layout: Layout, rng: np.random.Generator, zone: FloatArray, nest: FloatArray) -> None:
    """Add ``gland`` and ``epithelium``: outlines of glands and solid nests, and how thick their lining is."""
    f = layout.fields
    f["gland"] = np.full(layout.shape, -FAR, np.float32)
    f["zone"], f["nest"] = zone, nest
    warp = _warp(layout, rng)
    spacing = rng.uniform(115, 165)
    x, y = jittered_grid(rng, layout, spacing, 0.3)
    inside = (layout.at("zone", x, y) > rng.uniform(-0.7, 0.5, x.size)) & (layout.at("tissue", x, y) > 30)
    for px, py in zip(x[inside], y[inside], strict=True):
        radius = spacing * rng.choice((0.2, 0.27, 0.33, 0.4), p=(0.2, 0.35, 0.3, 0.15))
        _add_blob(layout, f["gland"], rng, (px, py), radius, rng.uniform(1.0, 1.7), 0.16, warp)
    f["gland"] = np.minimum(f["gland"], f["tissue"] - 9).astype(np.float32)
    thickness = rng.uniform(17, 27) * (1 + 0.2 * layout.noise(rng, 130) + 0.14 * layout.noise(rng, 45))
    solid = np.clip(nest * 1.5, 0, 1) * FAR
    f["epithelium"] = np.asarray(np.clip(thickness, 8, 60) + solid, np.float32)
    del f["zone"], f["nest"]


def _vessels(layout: Layout, rng: np.random.Generator, gland: FloatArray) -> None:
    """Add ``vessel``: depth inside the lumen of blood vessels between the glands."""
    vessel = np.full(layout.shape, -FAR, np.float32)
    warp = _warp(layout, rng)
    x, y = jittered_grid(rng, layout, 120.0, 0.42)
    clear = (layout.at("gland", x, y) < -10) & (layout.at("tissue", x, y) > 30) & (rng.random(x.size) < 0.75)
    for px, py in zip(x[clear], y[clear], strict=True):
        radius = rng.choice((5.0, 8.0, 13.0, 24.0), p=(0.4, 0.35, 0.18, 0.07))
        _add_blob(layout, vessel, rng, (px, py), radius, rng.uniform(1.0, 2.6), 0.14, warp)
    layout.fields["vessel"] = np.minimum(vessel, -gland - 9).astype(np.float32)


def _fibres(layout: Layout, rng: np.random.Generator) -> None:
    """Add ``across``, ``along`` and ``slack``: wavy coordinates of the collagen, um."""
    y, x = layout.axes_um()
    angle = rng.uniform(0, np.pi)
    # Together the slopes stay below one nearly everywhere: steeper waves would close into rings.
    waves = 150 * layout.noise(rng, 1500) + 32 * layout.noise(rng, 420) + 8 * layout.noise(rng, 120)
    waves += 1.9 * layout.noise(rng, 34) + 0.45 * layout.noise(rng, 12)
    layout.fields["across"] = np.asarray(x * np.cos(angle) + y * np.sin(angle) + waves, np.float32)
    along = -x * np.sin(angle) + y * np.cos(angle) + 40 * layout.noise(rng, 300) + 6 * layout.noise(rng, 60)
    layout.fields["along"] = np.asarray(along, np.float32)
    layout.fields["slack"] = np.asarray(layout.noise(rng, 260) + 0.35 * layout.noise(rng, 50), np.float32)


def _strengths(layout: Layout, rng: np.random.Generator, ramp: float, folds: int | None) -> None:
    """Add ``nuclear``, ``counter`` (uneven staining and thickness) and ``fold``."""
    y, x = layout.axes_um()
    angle = rng.uniform(0, 2 * np.pi)
    reach = max(layout.width, layout.height) * layout.mpp
    slope = (x * np.cos(angle) + y * np.sin(angle)) / reach
    thick = 1 + ramp * (slope - slope.mean()) + 0.05 * layout.noise(rng, 1500)
    layout.fields["nuclear"] = np.asarray(thick * (1 + 0.05 * layout.noise(rng, 300)), np.float32)
    layout.fields["counter"] = np.asarray(thick * (1 + 0.08 * layout.noise(rng, 400)), np.float32)
    layout.fields["fold"] = _folds(layout, rng, folds)


def _folds(layout: Layout, rng: np.random.Generator, count: int | None) -> FloatArray:
    """How many extra layers of tissue lie at each node, 0..1: narrow bands in large sections."""
    y, x = layout.axes_um()
    wide, high = layout.width * layout.mpp, layout.height * layout.mpp
    fold = np.full(layout.shape, -FAR, np.float32)
    for _ in range(round(wide * high / 1.6e6) if count is None else count):
        cx, cy, angle = rng.uniform(0, wide), rng.uniform(0, high), rng.uniform(0, np.pi)
        length, breadth = rng.uniform(120, 420), rng.uniform(8, 26)
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = -(x - cx) * np.sin(angle) + (y - cy) * np.cos(angle) + 14 * np.sin(u / 130)
        fold = np.maximum(fold, breadth * np.clip(1 - (u / length) ** 2, 0, 1) - np.abs(v))
    if fold.max() > -FAR:
        fold = fold + 2.5 * layout.noise(rng, 40)
    return np.asarray(fold, np.float32)
