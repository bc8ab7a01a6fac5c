"""Files that change while they are open: read in pieces, never mapped, so that a cut file is an error and no crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, open_slide
from focusviewer.slides.readers.rawfile import FileArray, RawFile

SHRINK = """
import os, sys
from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, open_slide
with open_slide(sys.argv[1]) as slide:
    width, height = slide.dimensions
    slide.read_region(Region(0, 0, 0, 64, 64))
    os.truncate(sys.argv[1], 4096)
    try:
        slide.read_region(Region(0, 0, height - 64, 64, 64, len(slide.planes_um) - 1))
    except SlideError as error:
        print(error)
"""


def write_rgb(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1200, 1600, 3), np.uint8)
    tifffile.imwrite(path, noise, photometric="rgb", metadata=None)


def write_planar(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, 900, 700), np.uint8)
    tifffile.imwrite(path, noise, photometric="rgb", planarconfig="separate", metadata=None)


def write_stack(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 4000, (5, 400, 500), np.uint16)
    tifffile.imwrite(path, noise, imagej=True, metadata={"axes": "ZYX", "unit": "um", "spacing": 0.5})


def write_tiles(path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1024, 1024, 3), np.uint8)
    tifffile.imwrite(path, noise, photometric="rgb", tile=(256, 256), compression="jpeg", metadata=None)


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be cut there")
@pytest.mark.parametrize("write", [write_rgb, write_planar, write_stack, write_tiles])
def test_a_file_that_shrinks_while_it_is_open_is_a_message_and_no_crash(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    path = tmp_path / "open.tif"
    write(path)
    done = subprocess.run([sys.executable, "-c", SHRINK, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Cannot read part of open.tif: the file ends before byte" in done.stdout


def test_no_reader_maps_a_file(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not tell what is mapped")
    noise = np.random.default_rng(1).integers(0, 255, (1200, 1600, 3), np.uint8)
    write_rgb(tmp_path / "one.tif")
    write_stack(tmp_path / "stack.tif")
    Image.fromarray(noise).save(tmp_path / "plain.bmp")
    Image.fromarray(noise).convert("L").save(tmp_path / "plain.pgm")
    for path in sorted(tmp_path.iterdir()):
        with open_slide(path) as slide:
            slide.read_region(Region(0, 0, 0, 500, 400))
            assert str(path) not in maps.read_text()


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(
    "box", [np.s_[3:9, 2:5], np.s_[0:20, 0:30], np.s_[::7, ::4], np.s_[5:5, 0:3], np.s_[1:2, 1:29]]
)
def test_parts_of_a_file_equal_the_array_that_was_written(
    tmp_path: Path, planar: bool, box: tuple[slice, slice]
) -> None:
    values = np.arange(20 * 30 * 3, dtype=">u2").reshape((3, 20, 30) if planar else (20, 30, 3))
    path = tmp_path / "raw"
    path.write_bytes(b"before" + values.tobytes())
    raw = RawFile(path)
    array = FileArray(raw, 6, values.dtype, values.shape, planar=planar)
    assert array.shape == (20, 30, 3) and array.ndim == 3
    assert np.array_equal(array[box], (np.moveaxis(values, 0, -1) if planar else values)[box])
    gray = FileArray(raw, 6, values.dtype, (60, 30))
    assert np.array_equal(gray[box], values.reshape(60, 30)[box])
    raw.close()
    with pytest.raises(SlideError, match="has been closed"):
        array[0:1, 0:1]


@pytest.mark.skipif(not hasattr(os, "pread"), reason="another call reads there")
def test_a_disk_that_is_gone_is_told_and_not_called_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "open.tif"
    write_tiles(path)

    def stale(handle: int, count: int, offset: int) -> bytes:
        raise OSError(116, "Stale file handle")

    with open_slide(path) as slide:
        monkeypatch.setattr(os, "pread", stale)
        with pytest.raises(SlideError, match="Stale file handle") as error:
            slide.read_region(Region(0, 0, 0, 64, 64))
        assert "damaged" not in str(error.value)
