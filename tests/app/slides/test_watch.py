"""Files that are written anew, vanish or come back while their slide is open."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.slides import Region, open_slide
from focusviewer.slides.files.freshness import stamp_of


@pytest.fixture
def real(window):
    """The window, over real files."""
    window.slides.opener = open_slide
    window.opening.watch.timer.setInterval(50)
    return window


def write(path: Path, value: int, size: tuple[int, int] = (300, 400)) -> None:
    """Write a picture as other programs do: beside it, then in its place."""
    new = path.with_name(f"new.tmp{path.suffix}")
    if path.suffix == ".tif":
        pixels = np.full((*size, 3), value, np.uint8)
        tifffile.imwrite(new, pixels, photometric="rgb", tile=(128, 128), metadata=None)
    else:
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(new)
    new.replace(path)


def quiet(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=8000)
    qtbot.wait(5)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=8000)


def open_path(qtbot, window, path: Path) -> None:
    window.open_paths([path])
    qtbot.waitUntil(lambda: window.document is not None and window.document.path == path, timeout=8000)
    quiet(qtbot, window)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)


def shown(window) -> int:
    """What the slide holds now, read through the window's document."""
    return int(window.document.slide.read_region(Region(0, 10, 10, 8, 8)).mean())


def on_screen(window) -> int:
    """Gray level in the middle of the picture as it is painted."""
    image = window.viewport.grab().toImage()
    return image.pixelColor(image.width() // 2, image.height() // 2).green()


def texts(window) -> list[str]:
    """Messages, but for the one that asks for the scale of a picture."""
    return [message.text for message in window.messages.messages() if "pixel size" not in message.text]


@pytest.mark.parametrize("name", ["slide.png", "slide.tif"])
def test_a_file_written_anew_is_read_again_when_it_is_opened_again(real, qtbot, tmp_path, name) -> None:
    path = tmp_path / name
    write(path, 60)
    open_path(qtbot, real, path)
    assert (shown(real), on_screen(real)) == (60, 60)
    write(path, 200)
    real.open_paths([path])
    quiet(qtbot, real)
    qtbot.waitUntil(lambda: real.viewport.is_complete, timeout=5000)
    assert (shown(real), on_screen(real)) == (200, 200)
    assert len(real.slides.documents) == 1
    assert texts(real) == [f"{name} was written anew and has been read again."]


def test_it_is_noticed_when_the_window_gets_the_focus_and_shown_where_it_was(real, qtbot, tmp_path) -> None:
    path = tmp_path / "slide.png"
    write(path, 60)
    open_path(qtbot, real, path)
    real.viewport.go_to(120, 90, 3.0)
    old = real.document
    old.maps["model", 0] = object()
    real.opening.watch.look_again()
    quiet(qtbot, real)
    assert real.document is old  # nothing has changed
    write(path, 200)
    real.opening.watch.look_again()
    quiet(qtbot, real)
    assert shown(real) == 200
    assert (real.viewport.view.cx, real.viewport.view.cy, real.viewport.view.scale) == (120, 90, 3.0)
    assert real.document.maps == {}
    with pytest.raises(Exception, match="closed"):
        old.slide.read_region(Region(0, 0, 0, 8, 8))


def test_a_slide_of_another_size_is_shown_whole(real, qtbot, tmp_path) -> None:
    path = tmp_path / "slide.png"
    write(path, 60)
    open_path(qtbot, real, path)
    real.viewport.go_to(120, 90, 3.0)
    write(path, 200, (900, 800))
    real.opening.watch.look_again()
    quiet(qtbot, real)
    assert real.document.slide.dimensions == (800, 900)
    assert (real.viewport.view.cx, real.viewport.view.cy) == (400, 450)


def test_a_plane_of_a_folder_that_is_written_anew_or_added_is_noticed(real, qtbot, tmp_path) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    for z in range(3):
        write(folder / f"z{z}.png", 60 + z)
    open_path(qtbot, real, folder)
    for z in range(3):
        write(folder / f"z{z}.png", 200 + z)
    real.open_paths([folder])
    quiet(qtbot, real)
    assert shown(real) >= 199
    write(folder / "z3.png", 203)
    real.opening.watch.look_again()
    quiet(qtbot, real)
    assert len(real.document.planes_um) == 4


def test_a_file_that_is_gone_is_told_once_and_read_again_when_it_is_back(real, qtbot, tmp_path) -> None:
    path = tmp_path / "slide.tif"
    write(path, 60)
    open_path(qtbot, real, path)
    path.rename(tmp_path / "away.tif")
    for _ in range(3):
        real.opening.watch.look_again()
        quiet(qtbot, real)
    qtbot.wait(200)
    (text,) = texts(real)
    assert text.startswith("slide.tif cannot be read: it is not there any more")
    assert on_screen(real) == 60  # what was read stays
    (tmp_path / "away.tif").rename(path)
    qtbot.waitUntil(lambda: texts(real) == ["slide.tif can be read again."], timeout=5000)
    quiet(qtbot, real)
    assert shown(real) == 60
    assert not real.opening.watch.timer.isActive()


def test_a_file_that_is_half_written_is_waited_for(real, qtbot, tmp_path) -> None:
    path = tmp_path / "slide.tif"
    write(path, 60)
    open_path(qtbot, real, path)
    write(path, 200)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    real.opening.watch.look_again()
    qtbot.waitUntil(lambda: len(texts(real)) == 1, timeout=5000)
    assert "cannot be read" in texts(real)[0]
    path.write_bytes(whole)
    qtbot.waitUntil(lambda: real.document.stamp == stamp_of((path,)), timeout=5000)
    quiet(qtbot, real)
    assert shown(real) == 200


def test_permission_that_is_lost_is_said(real, qtbot, tmp_path, monkeypatch) -> None:
    path = tmp_path / "slide.tif"
    write(path, 60)
    open_path(qtbot, real, path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        real.opening.watch.look_again()
        quiet(qtbot, real)
        assert "you are not allowed to read it any more" in texts(real)[0]
    qtbot.waitUntil(lambda: texts(real) == ["slide.tif can be read again."], timeout=5000)


def test_closing_a_slide_that_is_lost_ends_the_looking(real, qtbot, tmp_path) -> None:
    path = tmp_path / "slide.tif"
    write(path, 60)
    open_path(qtbot, real, path)
    path.unlink()
    real.opening.watch.look_again()
    quiet(qtbot, real)
    assert real.opening.watch.timer.isActive()
    real.close_current()
    assert not real.opening.watch.timer.isActive()


def test_tiles_that_failed_are_hatched_and_tried_again_at_focus(window, open_in, slides, qtbot) -> None:
    slides["fake.svs"].bad = lambda region: region.level == 0
    open_in(window, "fake.svs")
    window.document.stamp = stamp_of((Path(__file__),))
    type(slides["fake.svs"]).files = property(lambda self: (Path(__file__),))
    try:
        window.viewport.go_to(700, 700, 1.0)
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
        plain = window.viewport.grab().toImage()
        slides["fake.svs"].bad = lambda region: False
        window.opening.watch.look_again()
        quiet(qtbot, window)
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
        mended = window.viewport.grab().toImage()
        assert len({plain.pixel(x, 300) for x in range(300, 400)}) > 1
        assert plain != mended
    finally:
        del type(slides["fake.svs"]).files


def test_a_tile_that_stays_bad_is_not_read_for_ever(window, open_in, slides, qtbot) -> None:
    slides["fake.svs"].bad = lambda region: region.level == 0
    open_in(window, "fake.svs")
    window.viewport.go_to(700, 700, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    quiet(qtbot, window)
    reads = slides["fake.svs"].reads
    qtbot.wait(300)
    assert slides["fake.svs"].reads == reads


def test_only_bad_tiles_are_hatched(window, open_in, slides, qtbot) -> None:
    open_in(window, "fake.svs")
    whole = window.viewport.grab().toImage()
    rows = {whole.pixelColor(x, whole.height() // 2).blue() for x in range(300, 500)}
    assert rows == {60}
