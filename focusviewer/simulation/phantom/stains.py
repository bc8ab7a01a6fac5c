"""Stains: the colour that each dye of a phantom gives to light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NUCLEAR, COUNTER, EXTRA = 0, 1, 2
"""The three dyes of a palette: haematoxylin; eosin (or the pale background of IHC); blood pigment or DAB."""


@dataclass(frozen=True)
class Palette:
    """Optical density (base 10) of one unit of each dye in red, green and blue, with the section's own strengths.

    Attributes
    ----------
    vectors : float32 (3 dyes, 3 channels)
    blood : tuple of float
        Amount of (NUCLEAR, COUNTER, EXTRA) dye in one unit of red blood cell.
    ihc : bool
        Whether EXTRA is DAB, an antibody label.
    label : "membrane", "nucleus" or ""
        Where the antibody binds.
    """

    vectors: npt.NDArray[np.float32]
    blood: tuple[float, float, float]
    ihc: bool = False
    label: str = ""


def palette(stain: str, rng: np.random.Generator) -> Palette:
    """The colours of one section, varied as laboratories and scanners vary.

    Colour vectors start from Ruifrok and Johnston (2001), shifted towards what 40x scanners record.

    Parameters
    ----------
    stain : "he" or "ihc"

    Raises
    ------
    ValueError
        For another stain.
    """
    if stain == "he":
        haematoxylin = np.array([0.66, 0.72, 0.32]) + rng.uniform(-1, 1, 3) * (0.05, 0.03, 0.05)
        eosin = np.array([0.08, 0.82, 0.53]) + rng.uniform(-1, 1, 3) * (0.05, 0.03, 0.12)
        blood = np.array([0.10, 0.80, 0.72]) + rng.uniform(-1, 1, 3) * (0.03, 0.03, 0.06)
        strengths = rng.uniform(0.85, 1.15), rng.uniform(0.75, 1.2), 1.0
        vectors = [v / np.linalg.norm(v) * s for v, s in zip((haematoxylin, eosin, blood), strengths, strict=True)]
        return Palette(np.array(vectors, np.float32), (0.0, 0.1, 0.9))
    if stain == "ihc":
        haematoxylin = np.array([0.82, 0.52, 0.20]) + rng.uniform(-1, 1, 3) * 0.04
        ground = np.array([0.62, 0.58, 0.52]) + rng.uniform(-1, 1, 3) * 0.04
        dab = np.array([0.38, 0.60, 0.76]) + rng.uniform(-1, 1, 3) * 0.03
        strengths = rng.uniform(0.6, 0.85), rng.uniform(0.28, 0.42), rng.uniform(0.95, 1.3)
        vectors = [v / np.linalg.norm(v) * s for v, s in zip((haematoxylin, ground, dab), strengths, strict=True)]
        label = "membrane" if rng.random() < 0.6 else "nucleus"
        return Palette(np.array(vectors, np.float32), (0.0, 0.55, 0.12), ihc=True, label=label)
    raise ValueError(f"unknown stain {stain!r}: he or ihc")
