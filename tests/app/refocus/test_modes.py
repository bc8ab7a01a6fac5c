from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from focusviewer.app.refocus.area import area_of, chosen_planes, planes_text, range_limit
from focusviewer.app.viewer.document import Document
from focusviewer.refocus.base import Encoded
from focusviewer.refocus.confidence import Confidence
from focusviewer.refocus.support import looks_fluorescent
from focusviewer.slides import Region
from tests.app.fakes import FakeEngine, FakeSlide, picture


@pytest.fixture
def engine(window) -> FakeEngine:
    made = FakeEngine()
    window.refocus.engine_maker = lambda name: made
    return made


@pytest.fixture
def close_up(window, open_in, engine, qtbot):
    """Open a slide, look at it closely and switch refocusing on."""

    def look(name: str) -> None:
        open_in(window, name)
        window.viewport.go_to(600, 450, 1.0)
        qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
        with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
            window.refocusing.toggle()

    return look


def turn(window, qtbot, z_um: float) -> None:
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.panel.spin.setValue(z_um)


def test_planes_around_the_focus_are_chosen_and_kept_while_they_do() -> None:
    planes = tuple(float(z) for z in range(-8, 9))
    chosen = chosen_planes(planes, (0.5, 0.5), (), [])
    assert {8, 9} <= set(chosen)
    assert len(chosen) <= 5
    assert chosen_planes(planes, (1.4, 1.4), (), [chosen]) == chosen  # planes 9 and 10 are among them
    above = chosen_planes(planes, (7.5, 7.5), (), [chosen])
    assert above != chosen
    assert chosen_planes(planes, (1.4, 1.4), (), [above, chosen]) == chosen  # known from before
    assert chosen_planes(planes, (7.5, 7.5), (3, 4), [chosen]) == (3, 4)
    assert chosen_planes(planes, (-1.0, 5.5), (), [chosen]) == (7, 8, 9, 10, 11, 12, 13, 14)  # painted
    assert chosen_planes(planes, None, (), [chosen]) == (0, 4, 8, 12, 16)  # wherever the tissue lies
    assert planes_text((8,), 17) == "from plane 9 of 17"
    assert planes_text((8, 9), 17) == "from planes 9, 10 of 17"
    assert planes_text((0,), 1) == ""


def test_planes_checked_by_hand_are_what_the_engine_gets_and_the_badge_says_so(window, close_up, qtbot) -> None:
    close_up("stack.tif")
    turn(window, qtbot, 0.5)
    box = window.refocusing.panel.sources
    box.selection.setCurrentIndex(1)
    for index in (0, 2, 4):
        box.planes.item(index).setCheckState(Qt.CheckState.Unchecked)
    qtbot.waitUntil(lambda: window.refocus.shown.area.planes == (1, 3), timeout=5000)
    assert window.refocus.shown.area.planes_um == (-1.0, 1.0)
    assert window.viewport.patch.detail == "fake  ·  from planes 2, 4 of 5"
    window.refocusing.panel.spin.setValue(0.0)  # not among them, yet it was acquired
    qtbot.waitUntil(lambda: window.viewport.patch.image is None, timeout=3000)
    assert window.document.view.plane == 2
    for index in (1, 3):
        box.planes.item(index).setCheckState(Qt.CheckState.Unchecked)
    assert box.warning.isVisibleTo(box)
    assert window.refocusing.state.sources == ()
    box.selection.setCurrentIndex(0)
    turn(window, qtbot, 0.5)
    assert len(window.refocus.shown.area.planes) == 5


def test_a_focus_out_of_reach_is_not_guessed(window, slides, close_up, qtbot) -> None:
    slides["far.tif"] = FakeSlide("far.tif", (1200, 900), planes_um=(-6.0, 6.0))
    close_up("far.tif")
    turn(window, qtbot, 3.0)
    window.refocusing.panel.spin.setValue(0.5)
    qtbot.waitUntil(lambda: window.refocus.shown is None, timeout=3000)
    assert "Not supported: refocusing reaches 4 µm" in window.refocusing.panel.status.text()
    assert window.viewport.patch.image is None
    turn(window, qtbot, 2.5)
    assert "Not supported" not in window.refocusing.panel.status.text()
    assert range_limit(window.document, 6.0) == ""


def test_fluorescence_is_told_instead_of_refocused(window, open_in, slides, engine, qtbot) -> None:
    class Dark(FakeSlide):
        def pixels(self, region):
            spots = 12 + super().pixels(region) // 40
            spots[::4, ::4] = 230
            return spots

    slides["glow.tif"] = Dark("glow.tif")
    assert looks_fluorescent(np.concatenate([np.full((50, 50, 3), 12, np.uint8), np.full((2, 50, 3), 200, np.uint8)]))
    open_in(window, "glow.tif")
    window.viewport.go_to(600, 450, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    window.refocusing.toggle()
    qtbot.waitUntil(lambda: "fluorescence" in window.refocusing.panel.reason.text(), timeout=5000)
    assert engine.encodes == 0
    assert not window.refocusing.panel.spin.isEnabled()


def test_a_view_that_hardly_moves_is_served_by_what_is_known() -> None:
    document = Document.of(FakeSlide())
    document.view.resize(800, 600)
    document.view.go_to(1500, 1000, 1.0)
    area = area_of(document, "fake")
    document.view.pan_by(15, -15)
    assert area.covers(area_of(document, "fake"))
    document.view.resize(800, 560)
    assert area.covers(area_of(document, "fake"))
    document.view.pan_by(15, 0)
    assert not area.covers(area_of(document, "fake"))
    document.view.go_to(1500, 1000, 0.5)
    assert not area.covers(area_of(document, "fake"))


def test_how_far_to_trust_is_told_when_the_knob_rests_and_forgotten_when_it_turns(
    window, close_up, qtbot, monkeypatch
) -> None:
    def found(encoded, images, rendered, target_um) -> Confidence:
        trust = np.ones(encoded.shape, np.float32)
        trust[: round(0.249 * encoded.shape[0])] = 0.0
        assert np.array_equal(images[0], encoded.state[0])
        return Confidence(41.25, trust, 0.03, 0.0)

    monkeypatch.setattr("focusviewer.refocus.confidence.confidence", found)
    close_up("fake.svs")
    turn(window, qtbot, 1.0)
    line = window.refocusing.panel.confidence.line
    plain = picture(window).astype(int)
    qtbot.waitUntil(lambda: "41.2\u00a0dB" in line.text(), timeout=5000)
    assert "3\u00a0%" in line.text()
    assert line.text().endswith("24.9\u00a0% of the picture not borne out")
    assert np.array_equal(picture(window), plain)  # the map is shown only when asked for
    window.menus.actions["focus.confidence"].trigger()
    tinted = picture(window).astype(int)
    assert np.abs(tinted[60:120] - plain[60:120]).mean() > 30
    assert np.abs(tinted[-100:] - plain[-100:]).max() == 0
    turn(window, qtbot, 2.0)
    assert line.text() == ""
    assert window.viewport.patch.tint is None


@pytest.fixture
def slow(window, open_in, qtbot):
    """An engine that waits for the test before every piece, under the name of a slow one."""

    class Slow(FakeEngine):
        name = "radiance"

        def __init__(self) -> None:
            super().__init__()
            self.go = threading.Semaphore(0)

        def _encode(self, *args):
            self.go.acquire(timeout=20)
            return super()._encode(*args)

        def _render(self, *args):
            self.go.acquire(timeout=20)
            return super()._render(*args)

    made = Slow()
    window.refocus.engine_maker = lambda name: made
    window.refocusing.panel.engine.clear()
    window.refocusing.panel.engine.addItem("radiance", "radiance")
    open_in(window, "fake.svs")
    window.viewport.go_to(600, 450, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    yield made
    made.go.release(1000)


def test_a_slow_engine_tells_how_far_it_is_and_the_latest_wish_wins(window, slow, qtbot) -> None:
    window.refocusing.toggle()
    slow.go.release(100)
    qtbot.waitUntil(lambda: window.refocus.studies.current is not None, timeout=5000)
    pieces = slow.encodes
    assert pieces > 1
    while slow.go.acquire(blocking=False):
        pass
    told = []
    window.jobs.progressed.connect(lambda job: told.append((job.kind, job.fraction)))
    window.refocusing.panel.spin.setValue(1.0)
    slow.go.release(1)
    qtbot.waitUntil(lambda: ("render", pytest.approx(1 / pieces)) in told, timeout=5000)
    assert "Computing" in window.refocusing.panel.status.text()
    assert any("Computing the focus" in job.title for job in window.jobs.running("render"))
    window.refocusing.panel.spin.setValue(2.0)
    qtbot.wait(60)
    slow.go.release(pieces + 2)
    qtbot.waitUntil(lambda: window.refocus.shown is not None, timeout=5000)
    assert window.refocus.shown.z_um == 2.0
    assert slow.renders <= pieces + 2  # the rest of the first picture was never made
    assert "Computing" not in window.refocusing.panel.status.text()


def test_moving_on_stops_what_a_slow_engine_does_for_the_old_view(window, slow, qtbot) -> None:
    window.refocusing.toggle()
    qtbot.waitUntil(lambda: bool(window.jobs.running("encode")), timeout=5000)
    job = window.jobs.running("encode")[0]
    window.viewport.pan_pixels(-300, 0)
    assert job.cancel.is_set()
    assert window.refocus.studies.area is None
    slow.go.release(1000)
    qtbot.waitUntil(lambda: window.refocus.studies.current is not None, timeout=5000)  # the new one, when at rest


def test_painting_gives_places_their_focus_live(window, close_up, qtbot) -> None:
    close_up("fake.svs")
    wanted: list[np.ndarray] = []
    engine = window.refocus.host.engine("fake")
    render = engine.render

    def spy(encoded, target):
        wanted.append(np.asarray(target))
        return render(encoded, target)

    engine.render = spy
    window.menus.actions["focus.paint"].trigger()
    assert window.painting.box.isVisibleTo(window.refocusing.panel)
    window.refocusing.panel.spin.setValue(3.0)  # what the brush paints; it paints nothing by itself
    port, view = window.viewport, window.viewport.view
    before = view.cx
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=QPoint(200, 250))
    qtbot.mouseMove(port, QPoint(300, 250))
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=QPoint(300, 250))
    assert view.cx == before  # the picture stays where it is
    x0, y0 = window.refocus.studies.area.rect[:2]
    x, y = (round(value) for value in view.to_slide(250, 250))
    # the stroke comes in parts: its middle is painted when the mouse has moved on
    qtbot.waitUntil(lambda: bool(wanted) and wanted[-1].ndim == 2 and wanted[-1][y - y0, x - x0] == 3.0, timeout=5000)
    qtbot.waitUntil(lambda: not window.jobs.running("render"), timeout=5000)
    assert wanted[-1][0, 0] == 0.0
    assert "painted focus" in port.patch.badge
    window.menus.actions["focus.paint_undo"].trigger()
    qtbot.waitUntil(lambda: wanted[-1].max() == 0.0, timeout=5000)
    window.menus.actions["focus.paint_here"].trigger()  # the keyboard's way
    qtbot.waitUntil(lambda: wanted[-1].max() == 3.0, timeout=5000)
    assert len(window.painting.painting) == 1
    window.menus.actions["focus.brush_larger"].trigger()
    assert window.painting.box.radius.value() == pytest.approx(25.0)
    qtbot.mousePress(port, Qt.MouseButton.MiddleButton, pos=QPoint(300, 300))
    qtbot.mouseMove(port, QPoint(310, 300))
    qtbot.mouseRelease(port, Qt.MouseButton.MiddleButton, pos=QPoint(310, 300))
    assert view.cx == before - 10


def test_the_sweep_goes_there_and_back_and_stops_at_a_touch_of_the_knob(window, close_up, qtbot) -> None:
    close_up("stack.tif")
    box = window.refocusing.panel.sweep
    box.low.setValue(-1.0)
    box.high.setValue(1.0)
    seen: list[float] = []
    window.refocus.patch_changed.connect(lambda: seen.append(round(window.refocusing.state.target_um, 2)))
    window.menus.actions["focus.sweep"].trigger()
    assert window.refocusing.sweep.is_playing
    qtbot.waitUntil(lambda: 1.0 in seen and -1.0 in seen and len(seen) > 30, timeout=20000)
    assert {0.9, -0.9, 0.0} <= set(seen)
    assert max(seen) == 1.0
    assert min(seen) == -1.0
    assert 0 < window.document.view.plane < 4  # acquired planes on the way are shown as they are
    window.refocusing.panel.slider.setValue(10)
    assert not window.refocusing.sweep.is_playing
    assert not box.play.isChecked()


def test_a_sweep_without_length_is_told(window, close_up) -> None:
    close_up("fake.svs")
    window.refocusing.panel.sweep.low.setValue(2.0)
    window.refocusing.panel.sweep.high.setValue(2.0)
    window.refocusing.sweep.play(True)
    assert not window.refocusing.sweep.is_playing
    assert "Cannot sweep" in window.messages.messages()[0].text


@pytest.mark.parametrize("name", ["sweep.gif", "sweep.webp"])
def test_a_saved_sweep_moves_and_knows_what_it_is(window, close_up, qtbot, tmp_path, name: str) -> None:
    from PIL import Image

    window.resize(700, 520)
    close_up("stack.tif")
    path: Path = tmp_path / name
    with qtbot.waitSignal(window.saving.export.saved, timeout=20000):
        window.saving.export.sweep(path, -0.6, 0.6)
    with Image.open(path) as saved:
        assert saved.n_frames == 12  # -0.6 to 0.6 by 0.2, and back
        told = str(saved.info)
    assert "targets_um" in told
    assert "synthesised" in told


def test_a_region_is_exported_with_the_mode_and_box_on_screen(window, close_up, qtbot, tmp_path, monkeypatch) -> None:
    import focusviewer.refocus.regions.export as export

    calls = []

    def export_region(view, engine, wish, path, on_progress, cancel) -> None:
        on_progress(0.5)
        calls.append((view, engine.name, wish, path, cancel.is_set()))

    monkeypatch.setattr(export, "export_region", export_region)
    close_up("stack.tif")
    turn(window, qtbot, 0.5)
    saving, path = window.saving, tmp_path / "a.ome.tif"
    x0, y0, x1, y1 = window.document.view.visible_rect()  # before a message moves the picture
    for whole in (False, True):
        with qtbot.waitSignal(saving.export.saved, timeout=5000):
            saving.export.region(path, whole=whole)
    (part, name, wish, _, cancelled), (slide, *_) = calls
    assert (name, wish.mode, wish.z_um, cancelled) == ("fake", "refocus", 0.5, False)
    assert part.box == (round(x0), round(y0), round(x1) - round(x0), round(y1) - round(y0))
    assert slide.box == (0, 0, 1200, 900)
    assert slide.mpp == 0.25
    assert slide.planes_um == window.refocus.shown.area.planes_um


def test_an_exported_region_is_a_pyramid_that_says_what_it_is(window, close_up, qtbot, tmp_path) -> None:
    import tifffile

    close_up("fake.svs")
    turn(window, qtbot, 2.0)
    path = tmp_path / "region.ome.tif"
    x0, y0, x1, y1 = (round(value) for value in window.document.view.visible_rect())
    with qtbot.waitSignal(window.saving.export.saved, timeout=20000):
        window.saving.export.region(path, whole=False)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert "synthesised" in (file.ome_metadata or "")
        pixels = file.asarray()
    assert pixels.shape == (y1 - y0, x1 - x0, 3)
    expected = window.document.slide.pixels(Region(0, x0, y0, x1 - x0, y1 - y0)).astype(int) + 20
    assert np.abs(pixels.astype(int) - expected).mean() < 2  # JPEG


def test_saving_without_anything_refocused_is_told(window, open_in) -> None:
    open_in(window, "fake.svs")
    for ask in ("file.save_sweep", "file.export_view", "file.export_slide"):
        window.messages.clear()
        window.menus.actions[ask].trigger()
        assert "nothing refocused" in window.messages.messages()[-1].text


def test_blurring_on_purpose_says_where_it_would_sharpen(window, close_up, qtbot) -> None:
    close_up("fake.svs")
    window.refocusing.enter("defocus")
    turn(window, qtbot, -2.0)  # the fake's tissue lies at +1.5
    assert window.refocus.shown.mode == "defocus"
    window.refocusing.panel.spin.setValue(1.0)
    qtbot.waitUntil(lambda: "is no defocus" in window.refocusing.panel.status.text(), timeout=5000)
    assert window.viewport.patch.image is None
    assert not window.messages.messages()


def test_auto_offers_all_in_focus_on_a_half_blurred_view(window, close_up, engine, qtbot) -> None:
    def encode(images, mpp, planes_um, focus_maps):
        blur = np.zeros(images[0].shape[:2], np.float32)
        blur[:, blur.shape[1] // 2 :] = 3.0
        return Encoded(blur.shape, mpp, tuple(planes_um), blur, list(images))

    engine._encode = encode
    window.refocus.host.best_z = lambda study, low, high, job: 0.0
    close_up("fake.svs")
    panel = window.refocusing.panel
    assert not panel.all_in_focus.font().bold()
    panel.auto.click()
    qtbot.waitUntil(lambda: "all in focus" in panel.status.text(), timeout=5000)
    assert "of the tissue here lies about 3.0 µm from this focus" in panel.status.text()
    assert panel.all_in_focus.font().bold()
    panel.all_in_focus.click()
    qtbot.waitUntil(lambda: window.refocus.shown is not None, timeout=5000)
    assert not panel.all_in_focus.font().bold()
    assert "of the tissue here" not in panel.status.text()
