"""Files with computed pixels, read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer.slides import computed_pixels, open_slide
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]
PART = ("--region", "0,0,128,96", "--mpp", 0.25)


@pytest.mark.parametrize("name", ["made.png", "made.tif", "made.ome.tif"])
def test_a_computed_file_says_so_when_it_is_opened_again(picture: Path, command: Command, name: str) -> None:
    made = picture.with_name(name)
    assert command("refocus", picture, "--z", 1, *PART, "--out", made).code == 0
    with open_slide(made) as slide:
        assert computed_pixels(slide.info) == "computed by the engine fast, not scanned; not for diagnosis"
    assert "pixels:        computed by the engine fast" in command("info", made).out
    again = command("refocus", made, "--z", 1, "--mpp", 0.25, "--out", made.with_name("again.png"))
    assert "were computed by the engine fast" in again.out + again.err


def test_scans_and_acquired_planes_are_not_called_computed(picture: Path, command: Command) -> None:
    with open_slide(picture) as slide:
        assert computed_pixels(slide.info) is None
    acquired = picture.with_name("plane.png")
    assert command("refocus", picture, "--z", 0, *PART, "--out", acquired).code == 0
    with open_slide(acquired) as slide:
        assert computed_pixels(slide.info) is None
