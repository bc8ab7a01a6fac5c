"""The planes of a stack: which the file holds, in which order, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from focusviewer.slides.readers.tiff.metadata import plane_positions


@dataclass(frozen=True)
class HeldPlanes:
    """The planes that are there.

    Attributes
    ----------
    order : list of int
        Which of the announced planes, by increasing focus.
    positions, missing : tuple of float
        Of the planes that are there, and of those that are not as far as it can be told: um, or indices where the z
        step is not known.
    known : bool
        Whether they are um.
    """

    order: list[int]
    positions: tuple[float, ...]
    known: bool
    missing: tuple[float, ...] = ()


def held_planes(z_um: Sequence[float] | None, held: Sequence[bool]) -> HeldPlanes:
    """Sort the planes of a stack and set aside those that were never written.

    Parameters
    ----------
    z_um : sequence of float or None
        Positions of all planes or of those that are there, or just the step, or nothing.
    held : sequence of bool
        Whether each announced plane is there; one is at least.
    """
    there = [index for index, one in enumerate(held) if one]
    if z_um and 1 < len(z_um) == len(there) < len(held):
        positions, _, order = plane_positions(z_um, len(there))
        shift = positions[0] - z_um[order[0]]
        return HeldPlanes([there[i] for i in order], positions, True, _absent(z_um, there, len(held), shift))
    positions, known, order = plane_positions(z_um, len(held))
    pairs = list(zip(order, positions, strict=True))
    kept = [(index, z) for index, z in pairs if held[index]]
    missing = tuple(z for index, z in pairs if not held[index])
    if len(kept) == 1 < len(held):  # a slide of one plane has no axis of focus
        return HeldPlanes([kept[0][0]], (0.0,), True, tuple(round(z - kept[0][1], 6) for z in missing) if known else ())
    return HeldPlanes([index for index, _ in kept], tuple(z for _, z in kept), known, missing)


def _absent(z_um: Sequence[float], there: list[int], announced: int, shift: float) -> tuple[float, ...]:
    """Where the planes without a position would lie, when those that have one are evenly spaced; else nothing."""
    step = (z_um[-1] - z_um[0]) / (there[-1] - there[0])
    lie = [z_um[0] + step * (index - there[0]) for index in range(announced)]
    if any(abs(lie[index] - z) > 0.01 * abs(step) for index, z in zip(there, z_um, strict=True)):
        return ()
    return tuple(sorted(round(lie[index] + shift, 6) for index in range(announced) if index not in set(there)))
