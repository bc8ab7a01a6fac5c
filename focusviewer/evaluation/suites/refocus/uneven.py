"""Sections that are not flat: a target for every pixel against refocusing each part by itself.

A tilted section and one in steps are seen through one plane, or through two. Made all in focus by a target map, they
must come out as well as their parts do when each is refocused alone (Wang 2024, figure 5.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.evaluation.suites.focus.simulated import intervals, mean
from focusviewer.metrics import psnr, ssim
from focusviewer.optics import Camera, Optics
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.simulation.sections.slab_imager import SlabImager, blend_depths

NOISE = 0.004
MPP = 0.25
CONTEXT_PX = 32
PLANES = {1: (0.0,), 2: (0.0, 3.5)}
MARGIN_PX = 64


@dataclass(frozen=True)
class Uneven:
    """A section whose depth differs from place to place.

    Attributes
    ----------
    truth : uint8 (H, W, 3)
        In focus everywhere.
    depth_um : float32 (H, W)
        Where on the focus axis each place is in focus.
    parts : tuple of (left, right)
        Columns of the parts, and so their borders.
    """

    kind: str
    group: str
    truth: RGB
    depth_um: FloatMap
    parts: tuple[tuple[int, int], ...]

    def scan(self, plane_um: float, optics: Optics, rng: np.random.Generator) -> RGB:
        """The plane at a position on the focus axis, as a camera records it."""
        height, width = self.depth_um.shape
        light = np.pad(self.truth, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="symmetric")
        density = -np.log10(np.maximum(light, 1).astype(np.float32) / np.float32(255))
        slab = np.ascontiguousarray(np.moveaxis(density, -1, 0))[None]
        imager = SlabImager(slab, np.zeros(1, np.float32), MPP, optics, through_lens=True)
        defocus = np.pad(self.depth_um - np.float32(plane_um), MARGIN_PX, mode="edge")
        image = blend_depths(imager, defocus)[:, MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]
        return Camera(noise=NOISE).capture(np.ascontiguousarray(np.moveaxis(image, 0, -1)), rng)


def uneven_sections(pictures: Sequence[tuple[str, RGB]]) -> list[Uneven]:
    """Each picture tilted (0.5 to 3 um from left to right, in eight parts) and in steps of 0, 1, 2 and 3 um."""
    return [section for name, picture in pictures for section in (_tilted(name, picture), _stepped(name, picture))]


def _tilted(name: str, picture: RGB) -> Uneven:
    height, width = picture.shape[:2]
    slope = np.linspace(0.5, 3.0, width, dtype=np.float32)
    return Uneven("tilted", name, picture, np.tile(slope, (height, 1)), _parts(width, 8))


def _stepped(name: str, picture: RGB) -> Uneven:
    height, width = picture.shape[:2]
    parts = _parts(width, 4)
    depth = np.empty((height, width), np.float32)
    for number, (left, right) in enumerate(parts):
        depth[:, left:right] = number
    return Uneven("stepped", name, picture, depth, parts)


def _parts(width: int, count: int) -> tuple[tuple[int, int], ...]:
    edges = np.linspace(0, width, count + 1).astype(int)
    return tuple((int(left), int(right)) for left, right in pairwise(edges))


def evaluate_uneven(engine: Refocuser, sections: Sequence[Uneven], seed: int = 8) -> list[dict[str, Any]]:
    """Make uneven sections all in focus.

    Returns
    -------
    One row a kind of section, number of planes and source of the depth (the true one, or the engine's own): PSNR as
    scanned, with the target map, and with each part refocused by itself; the difference with its interval by picture,
    and the worst one.
    """
    found: dict[tuple[str, int, str], list[dict[str, float]]] = {}
    groups: dict[tuple[str, int, str], list[str]] = {}
    for index, section in enumerate(sections):
        rng = np.random.default_rng((seed, index))
        optics = Optics(na=float(rng.uniform(0.65, 0.78)))
        for count, planes_um in PLANES.items():
            scans = [section.scan(z_um, optics, rng) for z_um in planes_um]
            for depth, row in _cases(engine, section, scans, planes_um).items():
                found.setdefault((section.kind, count, depth), []).append(row)
                groups.setdefault((section.kind, count, depth), []).append(section.group)
    return [_row(key, rows, groups[key]) for key, rows in found.items()]


def _cases(
    engine: Refocuser, section: Uneven, scans: list[RGB], planes_um: tuple[float, ...]
) -> dict[str, dict[str, float]]:
    encoded = engine.encode(scans, MPP, planes_um)
    maps = {"true": section.depth_um, "own": engine.all_in_focus_target(encoded)}
    parts = {name: np.empty_like(section.truth) for name in maps}
    width = section.truth.shape[1]
    for left, right in section.parts:
        start, stop = max(0, left - CONTEXT_PX), min(width, right + CONTEXT_PX)
        alone = engine.encode([np.ascontiguousarray(scan[:, start:stop]) for scan in scans], MPP, planes_um)
        inside = slice(left - start, right - start)
        targets = {"true": float(np.mean(section.depth_um[:, left:right])), "own": _own_best(engine, alone, inside)}
        for name, target in targets.items():
            parts[name][:, left:right] = engine.render(alone, target)[:, inside]
    before = max(psnr(scan, section.truth) for scan in scans)
    return {name: _figures(engine.render(encoded, maps[name]), parts[name], section, before) for name in maps}


def _own_best(engine: Refocuser, encoded: Encoded, columns: slice) -> float:
    """The one focus at which the engine takes most of these columns to be sharp."""
    return float(np.median(engine.all_in_focus_target(encoded)[:, columns]))


def _figures(made: RGB, parts: RGB, section: Uneven, before: float) -> dict[str, float]:
    with_map, by_parts = psnr(made, section.truth), psnr(parts, section.truth)
    return {
        "psnr_before": before,
        "psnr_map": with_map,
        "psnr_parts": by_parts,
        "difference": with_map - by_parts,
        "ssim_map": ssim(made, section.truth),
    }


def _row(key: tuple[str, int, str], rows: list[dict[str, float]], groups: list[str]) -> dict[str, Any]:
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    row: dict[str, Any] = {"section": key[0], "inputs": key[1], "depth": key[2], "sections": len(rows)}
    row |= {name: float(values.mean()) for name, values in columns.items()}
    row |= intervals({"difference": mean}, groups, (columns["difference"],))
    row["worst"] = float(columns["difference"].min())
    return row
