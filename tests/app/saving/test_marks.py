"""Whatever way computed pixels leave the window, the file says so when it is opened again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from focusviewer.slides import computed_pixels, open_slide
from tests.app.fakes import FakeEngine

MADE = "computed by the engine fake, not scanned; not for diagnosis"


@pytest.fixture
def refocused(window, open_in, qtbot, tmp_path):
    """A window that shows a refocused picture and saves into an empty folder."""
    window.refocus.engine_maker = lambda name: FakeEngine()
    window.settings.last_folder = str(tmp_path)
    window.resize(700, 520)
    open_in(window, "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.toggle()
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.panel.spin.setValue(1.25)
    return window


def saved(window, qtbot, ask: Callable[[], None], path: Path) -> Path:
    """Do as a user does: choose the command, give a name in its dialog, and wait for the file."""
    ask()
    dialog = window.findChildren(QFileDialog)[-1]
    gone: list[bool] = []
    dialog.destroyed.connect(lambda: gone.append(True))
    with qtbot.waitSignal(window.saving.saved, timeout=20000):
        dialog.fileSelected.emit(str(path))
    dialog.reject()
    qtbot.waitUntil(lambda: bool(gone), timeout=5000)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)
    return path


def told_by(path: Path) -> str | None:
    with open_slide(path) as slide:
        return computed_pixels(slide.info)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".jpeg", ".tiff"])
@pytest.mark.parametrize("command", ["ask_save_refocused", "ask_snapshot"])
def test_pictures_saved_from_the_window_are_marked(refocused, qtbot, tmp_path, command: str, suffix: str) -> None:
    path = saved(refocused, qtbot, getattr(refocused.saving, command), tmp_path / f"made{suffix}")
    assert told_by(path) == MADE
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25, rel=1e-3)
    refocused.slides.opener = open_slide
    refocused.slides.open([path])
    qtbot.waitUntil(lambda: refocused.document.path == path, timeout=5000)
    assert MADE in " | ".join(message.text for message in refocused.messages.messages())


@pytest.mark.parametrize("name", ["sweep.gif", "sweep.webp"])
def test_a_sweep_is_marked(refocused, qtbot, tmp_path, name: str) -> None:
    refocused.refocusing.state.sweep_low_um, refocused.refocusing.state.sweep_high_um = 0.0, 0.4
    path = saved(refocused, qtbot, refocused.saving.ask_save_sweep, tmp_path / name)
    assert told_by(path) == MADE


@pytest.mark.parametrize("whole", [False, True])
def test_pyramids_are_marked(refocused, qtbot, tmp_path, whole: bool) -> None:
    ask = refocused.saving.ask_export
    assert told_by(saved(refocused, qtbot, lambda: ask(whole=whole), tmp_path / "made.ome.tif")) == MADE


def test_what_is_copied_is_marked(refocused, qtbot, tmp_path) -> None:
    with qtbot.waitSignal(refocused.saving.controller.copied, timeout=5000):
        refocused.menus.actions["file.copy_view"].trigger()
    content = QGuiApplication.clipboard().mimeData()
    path = tmp_path / "pasted.png"
    path.write_bytes(bytes(content.data("image/png")))
    assert told_by(path) == MADE
    assert content.hasImage()


@pytest.mark.parametrize(("mode", "marked"), [("wipe", True), ("split", False), ("flicker", True)])
def test_a_snapshot_of_a_comparison_is_marked_where_it_shows_computed_pixels(
    refocused, qtbot, tmp_path, mode: str, marked: bool
) -> None:
    refocused.compare.state.mode = mode  # split: the refocused picture stands beside the one that is saved
    path = saved(refocused, qtbot, refocused.saving.ask_snapshot, tmp_path / "made.png")
    assert told_by(path) == (MADE if marked else None)


def test_a_view_of_the_scan_is_not_marked_unless_the_slide_itself_was_computed(
    refocused, open_in, qtbot, tmp_path
) -> None:
    with qtbot.waitSignal(refocused.refocus.patch_changed, timeout=5000):
        refocused.refocusing.panel.spin.setValue(0.0)
    scan = saved(refocused, qtbot, refocused.saving.ask_snapshot, tmp_path / "scan.png")
    assert told_by(scan) is None
    with Image.open(scan) as picture:
        assert json.loads(picture.text["FocusViewer"])["synthesised"] is False
    refocused.document.slide.info.properties["picture.FocusViewer"] = '{"statement": "synthesised; not for diagnosis"}'
    again = saved(refocused, qtbot, refocused.saving.ask_snapshot, tmp_path / "again.png")
    assert told_by(again) == "computed, not scanned; not for diagnosis"


def test_a_jpeg_keeps_its_colours(refocused, qtbot, tmp_path) -> None:
    path = saved(refocused, qtbot, refocused.saving.ask_save_refocused, tmp_path / "made.jpg")
    with Image.open(path) as picture:
        difference = np.abs(np.asarray(picture).astype(int) - refocused.refocus.shown.pixels)
    assert difference.mean() < 3


def test_a_program_ends_well_with_a_picture_of_its_own_on_the_clipboard() -> None:
    """What Python owns on the clipboard is destroyed after Python has ended, which crashes."""
    code = (
        "from PySide6.QtGui import QGuiApplication, QImage\n"
        "application = QGuiApplication([])\n"
        "clipboard = QGuiApplication.clipboard()\n"
        "clipboard.setImage(QImage(4, 4, QImage.Format.Format_RGB32))\n"
        "clipboard.mimeData().setData('image/png', b'png')\n"
        "assert bytes(clipboard.mimeData().data('image/png')) == b'png'\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
