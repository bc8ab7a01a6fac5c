"""What goes wrong when a slide is made: an uneven section, folds, bubbles, dust."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from focusviewer.simulation.phantom.dust import Dust, draw_dust
from focusviewer.simulation.phantom.tissue import Bubble, TissuePhantom
from focusviewer.simulation.sections.blur_pattern import BlurPattern, uneven_surface


@dataclass(frozen=True)
class Artefacts:
    """Number and strength of each artefact.

    Parameters
    ----------
    relief_um : float
        Root mean square height of the section's surface, um on the focus axis.
    folds : int, optional
        By default as many as the size of the slide suggests, which are dark but flat; those asked for are lifted.
    bubbles : int
        Air under the coverslip, beside those of a blur pattern.
    dust : int
        Particles.
    dust_height_um : float
        Their height above the middle of the section, um on the focus axis.
    """

    relief_um: float = 0.0
    folds: int | None = None
    bubbles: int = 0
    dust: int = 0
    dust_height_um: float = 8.0

    def particles(self, seed: int, width: int, height: int) -> tuple[Dust, ...]:
        """The dust on a slide of the given size in px."""
        return draw_dust(np.random.default_rng((seed, 14)), self.dust, width, height, self.dust_height_um)


def section_with_artefacts(
    artefacts: Artefacts,
    pattern: BlurPattern,
    *,
    seed: int,
    width: int,
    height: int,
    mpp: float,
    stain: str,
    thickness_um: float,
    slabs: int,
    kind: str,
) -> tuple[TissuePhantom, BlurPattern]:
    """A phantom with artefacts, and the focus errors that they add to a pattern.

    Parameters
    ----------
    thickness_um : float
        Of the section on the focus axis.
    """
    pattern = pattern_with_artefacts(artefacts, pattern, seed, width, height, mpp)
    phantom = TissuePhantom(
        seed,
        width,
        height,
        mpp=mpp,
        stain=stain,
        thickness_um=thickness_um,
        slabs=slabs,
        kind=kind,
        bubbles=pattern.bubbles,
        dust=artefacts.particles(seed, width, height),
        folds=artefacts.folds,
    )
    return phantom, pattern


def pattern_with_artefacts(
    artefacts: Artefacts, pattern: BlurPattern, seed: int, width: int, height: int, mpp: float
) -> BlurPattern:
    """A pattern with an uneven surface and more bubbles."""
    if artefacts.relief_um:
        waves = uneven_surface(np.random.default_rng((seed, 12)), artefacts.relief_um, mpp)
        pattern = replace(pattern, waves=pattern.waves + waves)
    if artefacts.bubbles:
        rng = np.random.default_rng((seed, 13))
        small = min(width, height)
        new = tuple(
            Bubble(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.06, 0.16) * small)
            for _ in range(artefacts.bubbles)
        )
        pattern = replace(
            pattern, bubbles=pattern.bubbles + new, bubble_um=pattern.bubble_um or float(rng.uniform(2.5, 4.0))
        )
    return pattern
