"""A sweep of the focus as an animation, every frame badged as acquired or synthesised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.refocus.base import acquired_plane
from focusviewer.refocus.modes import focus_text
from focusviewer.refocus.provenance import z_text
from focusviewer.slides.marks import mark_text, xmp_packet

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".gif", ".webp")
MAX_FRAMES = 400
MAX_SIDE_PX = {".gif": 65535, ".webp": 16383}
"""Longest side of a picture that a file type can hold."""


def sweep_targets(low_um: float, high_um: float, step_um: float) -> list[float]:
    """Positions of a sweep there and back, um: from low to high and back again, no end shown twice.

    Raises
    ------
    UserError
        If the step is not positive, the ends are not in order, or there would be more than MAX_FRAMES frames.
    """
    if not (np.isfinite([low_um, high_um, step_um]).all() and step_um > 0 and high_um > low_um):
        raise UserError(
            f"Cannot sweep from {low_um:g} to {high_um:g} um by {step_um:g} um",
            "the end must lie above the beginning, and the step above 0",
            "Give it like -2:2:0.25.",
        )
    steps = (high_um - low_um) / step_um
    frames = 2 * np.ceil(steps - 1e-3)
    if frames > MAX_FRAMES:
        raise UserError(
            f"A sweep of {frames:.0f} frames is too long", f"{MAX_FRAMES} is the most", "Take longer steps."
        )
    count = int(np.floor(steps + 1e-6)) + 1
    there = [round(low_um + index * step_um, 6) for index in range(count)]
    if high_um - there[-1] > 1e-3 * step_um:
        there.append(float(high_um))  # the end was asked for by name
    return there + there[-2:0:-1]


def write_sweep(path: Path, frames: Iterable[RGB], fps: float, facts: Mapping[str, Any]) -> None:
    """Write frames as an endless GIF or WebP.

    Parameters
    ----------
    path : Path
        ``.gif`` or ``.webp``.
    frames : iterable of uint8 (H, W, 3)
        One for each of ``facts["targets_um"]``; may be a generator.
    fps : float
        Frames a second.
    facts : mapping
        Provenance, written into the file as its mark. ``targets_um`` holds the focus of each frame and ``planes_um``
        the acquired ones: a frame at one of them is badged as acquired, all others as synthesised. ``mode`` may be
        ``assume``.

    Raises
    ------
    UserError
        For another file type, frames too large for it, or if the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"Cannot write {path}", f"unknown file type {suffix or '(none)'}", "Use .gif or .webp.")
    badged = _badged(path, frames, facts)
    text = mark_text(facts)
    duration = max(20, round(1000 / fps))
    with atomic_write(path) as temporary:
        if suffix == ".gif":
            _write_gif(temporary, badged, duration, text)
        else:
            first = next(badged)
            first.save(
                temporary,
                "WEBP",
                save_all=True,
                append_images=badged,
                duration=duration,
                loop=0,
                quality=90,
                method=2,
                xmp=xmp_packet(text),
            )


def badge_text(z_um: float, planes_um: Sequence[float], mode: str = "refocus") -> str:
    """The badge of a frame."""
    if acquired_plane(planes_um, z_um) is not None:
        return f"acquired plane  z = {z_text(z_um, 'um')}"
    return f"synthesised  {focus_text(mode, z_um, planes_um, 'um')}"


def check_sides(path: Path, width: int, height: int) -> None:
    """Refuse pictures that the file type cannot hold.

    Raises
    ------
    UserError
    """
    most = MAX_SIDE_PX[path.suffix.lower()]
    if max(width, height) > most:
        raise UserError(
            f"Cannot write {path}",
            f"a {path.suffix.lower()} holds pictures of up to {most} pixels a side, these are {width} x {height}",
            "Choose a smaller part.",
        )


def _badged(path: Path, frames: Iterable[RGB], facts: Mapping[str, Any]) -> Iterator[Image]:
    for pixels, z_um in zip(frames, facts["targets_um"], strict=True):
        check_sides(path, pixels.shape[1], pixels.shape[0])
        yield draw_badge(pixels, badge_text(z_um, facts["planes_um"], facts.get("mode", "refocus")))


def draw_badge(pixels: RGB, text: str) -> Image:
    """A picture with a line of text in its lower left corner, on a dark ground."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels)
    size = int(np.clip(image.height / 28, 10, 24))
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(image, "RGBA")
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = size // 2
    corner = image.height - (bottom - top) - 2 * pad
    draw.rectangle((0, corner, right - left + 2 * pad, image.height), fill=(0, 0, 0, 190))
    draw.text((pad - left, corner + pad - top), text, font=font, fill=(255, 255, 255, 255))
    return image


def _write_gif(path: Path, frames: Iterator[Image], duration: int, text: str) -> None:
    """All frames share the colours of one picture, or still tissue would flicker."""
    from PIL import Image

    first = next(frames)
    palette = first.quantize(256, Image.Quantize.MEDIANCUT)

    def mapped(image: Image.Image) -> Image.Image:
        return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)

    mapped(first).save(
        path,
        "GIF",
        save_all=True,
        append_images=(mapped(frame) for frame in frames),
        duration=duration,
        loop=0,
        comment=text.encode("ascii"),
    )
