"""Files with computed pixels, read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer.slides import computed_pixels, open_slide
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]
PART = ("--region", "0,0,128,96", "--mpp", 0.25)


@pytest.mark.parametrize("name", ["made.png", "made.tif", "made.jpg", "made.ome.tif"])
def test_a_computed_file_says_so_when_it_is_opened_again(picture: Path, command: Command, name: str) -> None:
    made = picture.with_name(name)
    assert command("refocus", picture, "--z", 1, *PART, "--out", made).code == 0
    with open_slide(made) as slide:
        assert computed_pixels(slide.info) == "computed by the engine learned, not scanned; not for diagnosis"
    assert "pixels:        computed by the engine learned" in command("info", made).out
    again = command("refocus", made, "--z", 1, "--mpp", 0.25, "--out", made.with_name("again.png"))
    assert "were computed by the engine learned" in again.out + again.err


def test_scans_and_acquired_planes_are_not_called_computed(picture: Path, command: Command) -> None:
    with open_slide(picture) as slide:
        assert computed_pixels(slide.info) is None
    acquired = picture.with_name("plane.png")
    assert command("refocus", picture, "--z", 0, *PART, "--out", acquired).code == 0
    with open_slide(acquired) as slide:
        assert computed_pixels(slide.info) is None


@pytest.mark.parametrize("name", ["sweep.gif", "sweep.webp"])
def test_a_sweep_says_so_too(picture: Path, command: Command, name: str) -> None:
    made = picture.with_name(name)
    assert command("refocus", picture, "--sweep", "0:1:0.5", *PART, "--out", made).code == 0
    assert "pixels:        computed by the engine learned" in command("info", made).out


def test_all_in_focus_and_a_blur_on_purpose_say_so(picture: Path, command: Command) -> None:
    for index, options in enumerate([("--all-in-focus",), ("--mode", "defocus", "--z", -1)]):
        made = picture.with_name(f"made-{index}.jpg")
        assert command("refocus", picture, *options, *PART, "--out", made).code == 0
        assert "computed by the engine learned" in command("info", made).out


def test_the_mark_is_kept_where_pixels_are_only_handed_on(picture: Path, command: Command) -> None:
    made, again = picture.with_name("made.jpg"), picture.with_name("again.jpg")
    assert command("refocus", picture, "--z", 1, *PART, "--out", made).code == 0
    assert command("refocus", made, "--z", 0, "--mpp", 0.25, "--out", again).code == 0
    assert "pixels:        computed" in command("info", again).out


def test_a_computed_plane_is_found_among_the_planes_of_a_folder(picture: Path, command: Command) -> None:
    folder = picture.parent / "planes"
    folder.mkdir()
    for index, z_um in enumerate([0, 1]):
        out = folder / f"plane_{index}.{'png' if index else 'tif'}"
        assert command("refocus", picture, "--z", z_um, *PART, "--out", out).code == 0
    assert "computed by the engine learned" in command("info", folder).out


def test_a_simulated_picture_says_so(picture: Path, command: Command) -> None:
    made = picture.with_name("blurred.png")
    assert command("simulate", "defocus", picture, "--z", 2, "--mpp", 0.25, "--out", made).code == 0
    assert "pixels:        computed, not scanned" in command("info", made).out


def test_odd_metadata_does_not_keep_a_picture_from_opening(picture: Path) -> None:
    from PIL import Image

    odd = picture.with_name("odd.jpg")
    with Image.open(picture) as image:
        image.convert("RGB").save(
            odd, exif=b"Exif\0\0II*\0\xff\xff\xff\xff", comment=b"\xff\xfe", xmp=b"<x:xmpmeta><</x:xmpmeta>"
        )
    with open_slide(odd) as slide:
        assert computed_pixels(slide.info) is None
