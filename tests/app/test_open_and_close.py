"""Opening and closing for a minute, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

SECONDS = 60.0


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Slides that are good, that know no scale, that have properties and side pictures; and one that is no slide."""
    made = tmp_path / "slides"
    made.mkdir()
    for index in range(4):
        picture = rng.integers(60, 255, (500 + 100 * index, 700, 3), dtype=np.uint8)
        Image.fromarray(picture).save(made / f"unscaled{index}.png")
        tifffile.imwrite(
            made / f"scaled{index}.tif",
            picture,
            tile=(256, 256),
            photometric="rgb",
            resolution=(40000, 40000),
            resolutionunit="CENTIMETER",
            description=f"made up, number {index}",
        )
    (made / "broken.svs").write_bytes(b"no slide")
    return made


def test_a_window_outlives_a_minute_of_opening_and_closing(folder: Path) -> None:
    script = Path(__file__).parent / "open_and_close.py"
    ran = subprocess.run(
        [sys.executable, str(script), str(folder), "1", str(SECONDS)],
        capture_output=True,
        text=True,
        timeout=SECONDS + 60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(ran.stdout.split()[0]) > SECONDS  # far more than one a second
    assert "Traceback" not in ran.stderr, ran.stderr[-3000:]
