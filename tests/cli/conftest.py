from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.cli.program import run
from tests.cli.tools import AddingEngine, Outcome, tissue_like


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A sharp picture of 640 x 480 px without a stated scale, at a path with a space and letters outside ASCII."""
    folder = tmp_path / "Präparate 切片"
    folder.mkdir()
    path = folder / "Schnitt 1 µ.png"
    Image.fromarray(tissue_like(480, 640)).save(path)
    return path


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """An OME-TIFF of three planes 0.5 um apart, at 0.25 um/px; the middle one is sharp."""
    import tifffile
    from scipy.ndimage import gaussian_filter

    sharp = tissue_like(300, 400, 5)
    planes = [sharp if s == 0 else gaussian_filter(sharp, (s, s, 0)) for s in (2.0, 0.0, 1.5)]
    path = tmp_path / "stack.ome.tif"
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 0.5}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    facts = {"axes": "ZYXS", **sizes, **units}
    tifffile.imwrite(path, np.stack(planes), ome=True, photometric="rgb", metadata=facts)
    return path


@pytest.fixture
def adding_engine(monkeypatch: pytest.MonkeyPatch) -> AddingEngine:
    """The engine above in place of every registered one."""
    engine = AddingEngine()
    monkeypatch.setattr("focusviewer.refocus.get_engine", lambda name: engine)
    return engine
