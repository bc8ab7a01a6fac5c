"""Real pictures that the fast engine must leave as they are: specimens that refract, and cells that are in focus.

Light that is bent, not taken away, gathers in rims whose sharpness follows no transfer function of an absorbing
section, whatever the distance from focus. A selector learns to recognise such specimens from real pictures of blood
smears and algae, with "leave it" as the only right answer: recoloured and rescaled at random, many blurred once more or
with rims drawn as the transport of intensity gives them. Smears of flat cells (cytology) refract less; theirs are shown
in focus only, somewhat soft, as scans are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB, FloatArray
from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.training.data.sources import Source, read_image

HELD_OUT_EVERY = 6
"""Of the smears, each sixth picture is held out."""

CYTOLOGY = "bbbc038"
FACTORS = (0.25, 1.1)
MIN_CONTRAST = 4.0
_GRAY, _BLURRED_MORE, _RIMMED, _COMPRESSED = 0.1, 0.5, 0.6, 0.5  # shares of the crops


def refracting_sources(data_dir: Path, split: str) -> list[Source]:
    """Pictures of one side of the split (``"train"`` or ``"validation"``); none if the folder holds none."""
    smears = [*sorted(data_dir.glob("patches/bccd/*.jpg")), *sorted(data_dir.glob(f"patches/{CYTOLOGY}/g_*"))]
    paths = [path for i, path in enumerate(smears) if (i % HELD_OUT_EVERY == 0) == (split == "validation")]
    if split == "train":
        paths += sorted(data_dir.glob("stacks/train/algae/*.jpg"))
    return [Source(path.relative_to(data_dir).as_posix(), read_image(path)) for path in paths]


def refracting_crop(sources: list[Source], crop_px: int, mpp: float, rng: np.random.Generator) -> RGB:
    """A square of one picture at random: place, size, tone, colour, rims, blur, noise and compression.

    Returns
    -------
    uint8 (crop_px, crop_px, 3)
    """
    source = sources[rng.integers(len(sources))]
    light = _toned(np.rot90(_square(source.image, crop_px, rng), int(rng.integers(4))), rng)
    if CYTOLOGY in source.name:
        light = _softened(light, rng)
    else:
        if rng.random() < _RIMMED:
            light = _rimmed(light, rng)
        if rng.random() < _BLURRED_MORE:
            light = defocus_image(light, float(rng.uniform(0.4, 4.0)), mpp, Optics(na=float(rng.uniform(0.5, 0.8))))
    camera = Camera(
        noise=float(rng.uniform(0, 0.009)),
        sharpening=float(rng.uniform(0, 0.6)),
        monochrome=bool(rng.random() < _GRAY),
        jpeg_quality=int(rng.integers(60, 96)) if rng.random() < _COMPRESSED else None,
    )
    return camera.capture(np.ascontiguousarray(light), rng)


def _square(image: RGB, crop_px: int, rng: np.random.Generator) -> FloatArray:
    """A part of a picture that is not empty, if that can be found: float32 (crop_px, crop_px, 3), 0..1."""
    from PIL import Image

    for _ in range(20):  # most of the algae's water is empty
        side = round(crop_px / float(rng.uniform(*FACTORS)))
        short = [max(0, side - length) for length in image.shape[:2]]  # a small picture goes on as its mirror image
        image = np.pad(image, [(0, missing) for missing in short] + [(0, 0)], mode="symmetric")
        y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
        square = image[y : y + side, x : x + side]
        if square.mean(axis=2).std() >= MIN_CONTRAST:
            break
    scaled = Image.fromarray(square).resize((crop_px, crop_px), Image.Resampling.LANCZOS)
    return np.asarray(scaled, dtype=np.float32) / np.float32(255)


def _toned(light: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Other contrast, saturation, colour balance and brightness of the glass, as other stains and lamps give."""
    gray = light.mean(axis=2, keepdims=True)
    light = gray + (light - gray) * np.float32(rng.uniform(0.5, 1.4))
    light = np.clip(light, 0, 1) ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
    glass = float(np.quantile(light, 0.95))
    gains = rng.uniform(0.7, 1.02) / max(glass, 0.1) * rng.uniform(0.95, 1.05, 3)
    return np.asarray(np.clip(light * gains.astype(np.float32), 0, 1), dtype=np.float32)


def _rimmed(light: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Bright rims within dark ones or the other way round: intensity moves along the gradient of the path length.

    The transport of intensity, to first order, ``I + z div(I grad phase)``, with the density for the phase.
    """
    from scipy.ndimage import gaussian_laplace

    density = -np.log(np.maximum(light.mean(axis=2), 0.05))
    curvature = gaussian_laplace(density, float(rng.uniform(1.0, 5.0)))
    curvature /= max(float(np.quantile(np.abs(curvature), 0.99)), 1e-6)
    strength = rng.uniform(0.04, 0.3) * rng.choice((-1.0, 1.0)) * rng.uniform(0.7, 1.3, 3)
    change = curvature[..., None] * strength.astype(np.float32)
    return np.asarray(np.clip(light * (1 + change), 0, 1), dtype=np.float32)


def _softened(light: FloatArray, rng: np.random.Generator) -> FloatArray:
    from scipy.ndimage import gaussian_filter

    sigma = float(rng.uniform(0.0, 0.8))
    return np.asarray(gaussian_filter(light, (sigma, sigma, 0)), dtype=np.float32)
