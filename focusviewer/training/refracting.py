"""Real pictures of specimens that refract, blood smears and algae: the fast engine must leave them as they are.

Light that is bent, not taken away, gathers in rims whose sharpness follows no transfer function of an absorbing
section, whatever the distance from focus. Simulated refraction did not teach a selector to tell such specimens; real
pictures, recoloured and rescaled at random, some of them blurred once more, with "leave it" as the only right answer,
can be had in numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focusviewer.optics import Camera, Optics, defocus_image
from focusviewer.training.sources import RGB, Source, read_image

HELD_OUT_EVERY = 6
"""Of the smears, each sixth picture is held out."""

FACTORS = (0.25, 1.1)
MIN_CONTRAST = 4.0
_GRAY, _BLURRED_MORE, _COMPRESSED = 0.1, 0.5, 0.5  # shares of the crops


def refracting_sources(data_dir: Path, split: str) -> list[Source]:
    """Pictures of one side of the split (``"train"`` or ``"validation"``); none if the folder holds none."""
    smears = sorted(data_dir.glob("patches/bccd/*.jpg"))
    paths = [path for i, path in enumerate(smears) if (i % HELD_OUT_EVERY == 0) == (split == "validation")]
    if split == "train":
        paths += sorted(data_dir.glob("stacks/train/algae/*.jpg"))
    return [Source(path.relative_to(data_dir).as_posix(), read_image(path)) for path in paths]


def refracting_crop(sources: list[Source], crop_px: int, mpp: float, rng: np.random.Generator) -> RGB:
    """A square of one picture at random: place, size, tone, colour, blur, noise and compression.

    Returns
    -------
    uint8 (crop_px, crop_px, 3)
    """
    from PIL import Image

    image = sources[rng.integers(len(sources))].image
    for _ in range(20):  # most of the algae's water is empty
        side = round(crop_px / float(rng.uniform(*FACTORS)))
        short = [max(0, side - length) for length in image.shape[:2]]  # a small picture goes on as its mirror image
        image = np.pad(image, [(0, missing) for missing in short] + [(0, 0)], mode="symmetric")
        y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
        square = image[y : y + side, x : x + side]
        if square.mean(axis=2).std() >= MIN_CONTRAST:
            break
    square = np.asarray(Image.fromarray(square).resize((crop_px, crop_px), Image.Resampling.LANCZOS))
    light = np.rot90(square, int(rng.integers(4))).astype(np.float32) / np.float32(255)
    light = _toned(light, rng)
    if rng.random() < _BLURRED_MORE:
        light = defocus_image(light, float(rng.uniform(0.4, 4.0)), mpp, Optics(na=float(rng.uniform(0.5, 0.8))))
    camera = Camera(
        noise=float(rng.uniform(0, 0.009)),
        sharpening=float(rng.uniform(0, 0.6)),
        monochrome=bool(rng.random() < _GRAY),
        jpeg_quality=int(rng.integers(60, 96)) if rng.random() < _COMPRESSED else None,
    )
    return camera.capture(np.ascontiguousarray(light), rng)


def _toned(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other contrast, saturation and colour balance, as other stains and lamps give."""
    gray = light.mean(axis=2, keepdims=True)
    light = gray + (light - gray) * np.float32(rng.uniform(0.5, 1.4))
    light = np.clip(light, 0, 1) ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
    gains = rng.uniform(0.85, 1.1) * rng.uniform(0.93, 1.07, 3)
    return np.asarray(np.clip(light * gains.astype(np.float32), 0, 1), dtype=np.float32)
