from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from focusviewer.app.refocus.area import obstacle
from focusviewer.app.slides.slide_panel import facts_of
from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.scales import position_text
from focusviewer.slides import open_slide


@pytest.mark.parametrize(
    ("sides", "pixel", "field"),
    [
        ((0.25, 0.5), "0.25 × 0.5 µm, not square", "0.16 × 0.24 mm"),
        ((0.2498, 0.2502), "0.25 µm (the file says 0.2498 × 0.2502 µm)", "0.16 × 0.12 mm"),
        ((0.25, 0.25), "0.25 µm", "0.16 × 0.12 mm"),
        ((25.0, 50.0), "unknown (the file says 25 × 50 µm, which cannot be)", None),
    ],
)
def test_both_sides_of_a_pixel_are_told_and_measured_with(
    tmp_path: Path, sides: tuple[float, float], pixel: str, field: str | None
) -> None:
    path = tmp_path / "a.tif"
    resolution = {"resolution": (1e4 / sides[0], 1e4 / sides[1]), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, np.full((480, 640, 3), 200, np.uint8), photometric="rgb", metadata=None, **resolution)
    with open_slide(path) as slide:
        document = Document.of(slide)
        facts = dict(facts_of(document))
        assert facts["Pixel"] == pixel
        assert facts.get("Field") == field
        assert ("not square" in obstacle(document)) == ("not square" in pixel)


def test_a_position_has_a_scale_for_each_axis() -> None:
    assert position_text(100, 100, (0.25, 0.5)) == "x 25.0  y 50.0 µm"
    assert position_text(100, 100, None) == "x 100  y 100 px"
