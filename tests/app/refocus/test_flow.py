from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from focusviewer.app.refocus.area import area_of, obstacle, z_range
from focusviewer.app.services.pixels import read_rect
from focusviewer.app.viewer.document import Document
from focusviewer.core.registry import ModelEntry
from focusviewer.refocus.base import acquired_plane
from tests.app.fakes import FakeEngine, FakeSlide, picture


@pytest.fixture
def engine(window) -> FakeEngine:
    made = FakeEngine()
    window.refocus.engine_maker = lambda name: made
    return made


def close_up(window, qtbot) -> None:
    window.viewport.go_to(600, 450, 1.0)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)


def switch_on(window, qtbot) -> None:
    with qtbot.waitSignal(window.refocus.encoded, timeout=5000):
        window.refocusing.toggle()


def turn(window, qtbot, z_um: float) -> None:
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.panel.spin.setValue(z_um)


def test_at_the_scanned_focus_the_picture_is_the_scan(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    scan = picture(window)
    switch_on(window, qtbot)
    assert np.array_equal(picture(window), scan)
    turn(window, qtbot, 2.0)
    assert window.viewport.patch.image is not None
    window.refocusing.panel.spin.setValue(0.0)
    qtbot.waitUntil(lambda: window.viewport.patch.image is None, timeout=3000)
    assert np.array_equal(picture(window), scan)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.8, 1.3])
def test_a_rendered_plane_lies_exactly_on_the_scan(window, open_in, engine, qtbot, scale: float) -> None:
    open_in(window, "fake.svs")
    window.viewport.go_to(1500, 1000, scale)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    scan = picture(window)
    switch_on(window, qtbot)
    engine.render = lambda encoded, target: encoded.state[0]  # the identity, wherever the knob stands
    turn(window, qtbot, 2.0)
    window.viewport.badge.paint = lambda *args, **options: None
    window.viewport.patch.paint_frame = lambda *args: None
    shown = picture(window).astype(int)
    assert np.abs(shown - scan).max() <= 1


def test_turning_the_knob_shows_synthesised_pixels_and_says_so(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    scan = picture(window).astype(int)
    switch_on(window, qtbot)
    assert not window.refocusing.panel.badge.isVisibleTo(window.refocusing.panel)
    turn(window, qtbot, 2.0)
    assert abs(np.median(picture(window).astype(int) - scan) - 20) <= 1
    assert window.refocusing.panel.badge.isVisibleTo(window.refocusing.panel)
    assert window.viewport.patch.badge == "Synthesised  ·  assumed 2.00 µm from focus"


def test_a_picture_at_an_assumed_distance_says_so_in_its_file(window, open_in, engine, qtbot, tmp_path) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    turn(window, qtbot, 2.0)
    assert window.refocusing.state.mode == "assume"
    facts = window.refocus.host.provenance(window.document, window.refocus.shown)
    told = {name: facts[name] for name in ("mode", "target", "z_um", "assumed_distance_um", "synthesised")}
    assert told == {
        "mode": "assume",
        "target": "assumed distance",
        "z_um": 2.0,
        "assumed_distance_um": 2.0,
        "synthesised": True,
    }
    path = tmp_path / "region.ome.tif"
    with qtbot.waitSignal(window.saving.export.saved, timeout=20000):
        window.saving.export.region(path, whole=False)
    assert b"assumed_distance_um" in path.read_bytes()


def test_what_is_believed_of_one_plane_stands_at_the_slider(window, open_in, engine, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("focusviewer.refocus.auto.best_z", lambda *given: 0.75)
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    state = window.refocusing.state
    assert state.guess_um is None
    switch_on(window, qtbot)
    qtbot.waitUntil(lambda: state.guess_um == pytest.approx(1.5), timeout=3000)  # what the engine estimates
    assert "Best guess of the distance: 1.5 µm" in state.status
    window.refocusing.auto_focus()
    qtbot.waitUntil(lambda: state.guess_um == pytest.approx(0.75), timeout=3000)  # what Auto has found
    window.refocusing.toggle()
    assert state.guess_um is None


def test_the_view_is_studied_once_and_rendered_per_step(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    for z_um in (0.5, 1.0, 1.5):
        turn(window, qtbot, z_um)
    assert engine.encodes == 1
    assert engine.renders == 3


def test_a_fast_drag_ends_at_the_last_position_without_rendering_all(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    for step in range(1, 60):
        window.refocusing.panel.slider.setValue(step)
    qtbot.waitUntil(lambda: window.refocus.shown is not None and window.refocus.shown.z_um == pytest.approx(2.95))
    assert engine.renders < 10


def test_a_new_view_is_studied_when_it_rests_and_keeps_the_focus(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    turn(window, qtbot, 1.0)
    old = window.refocus.shown
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.viewport.pan_pixels(-200, -100)
        assert window.viewport.patch.image is not None  # the last picture stays until the next is ready
    assert window.refocus.shown.z_um == old.z_um
    assert window.refocus.shown.area != old.area


def test_auto_turns_to_the_best_focus_of_the_view(window, open_in, engine, qtbot, monkeypatch) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    monkeypatch.setattr("focusviewer.refocus.auto.blur_score", lambda pixels, mpp: abs(float(pixels[0, 0, 2]) - 75))
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.auto_focus()  # switches refocusing on by itself
    assert window.refocusing.state.target_um == pytest.approx(1.5)
    assert window.refocus.shown.z_um == pytest.approx(1.5)


def test_all_in_focus_follows_the_tissue(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    with qtbot.waitSignal(window.refocus.rendered, timeout=5000):
        window.refocusing.all_in_focus()
    assert window.refocus.shown.z_um is None
    assert "all in focus" in window.viewport.patch.badge


def test_an_acquired_plane_is_shown_as_it_is(window, open_in, engine, qtbot) -> None:
    open_in(window, "stack.tif")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    turn(window, qtbot, 0.5)
    assert window.refocus.shown.area.planes_um == (-2.0, -1.0, 0.0, 1.0, 2.0)
    window.refocusing.panel.spin.setValue(1.0)
    qtbot.waitUntil(lambda: window.document.view.plane == 3, timeout=3000)
    assert window.viewport.patch.image is None
    assert not window.refocusing.panel.badge.isVisibleTo(window.refocusing.panel)
    assert window.viewer.plane_panel.slider.value() == 3


def test_the_knob_follows_the_plane(window, open_in, engine, qtbot) -> None:
    open_in(window, "stack.tif")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    window.viewer.turn_plane(-1)
    assert window.refocusing.state.target_um == -1.0


def test_a_picture_on_its_way_does_not_cover_the_plane_turned_to(window, open_in, engine, qtbot) -> None:
    open_in(window, "stack.tif")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    started, go_on = threading.Event(), threading.Event()
    render = engine.render

    def slow(encoded, target):
        started.set()
        go_on.wait(5)
        return render(encoded, target)

    engine.render = slow
    window.refocusing.panel.spin.setValue(0.5)
    qtbot.waitUntil(started.is_set, timeout=3000)
    window.viewer.turn_plane(1)
    go_on.set()
    qtbot.wait(100)
    assert window.viewport.patch.image is None
    assert window.refocusing.state.target_um == 1.0
    turn(window, qtbot, 0.5)  # and the knob still works
    assert window.viewport.patch.image is not None


def test_a_study_that_was_stopped_starts_again_with_the_knob(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    window.refocusing.toggle()
    window.jobs.cancel_job(window.jobs.running("encode")[0])
    assert window.refocus.shown is None
    turn(window, qtbot, 1.0)
    assert window.refocus.shown.z_um == pytest.approx(1.0)


def test_switching_off_shows_the_scan(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    turn(window, qtbot, 1.0)
    window.refocusing.toggle()
    assert window.viewport.patch.image is None
    assert window.refocusing.state.target_um == 0.0
    assert not window.refocusing.panel.spin.isEnabled()


def test_the_panel_says_why_it_cannot(window, open_in, engine, qtbot) -> None:
    open_in(window, "fake.svs")
    assert "Zoom in" in window.refocusing.panel.reason.text()
    open_in(window, "unscaled.png")
    assert "pixel size" in window.refocusing.panel.reason.text()


def test_the_saved_picture_knows_what_it_is(window, open_in, engine, qtbot, tmp_path) -> None:
    import tifffile
    from PIL import Image

    open_in(window, "fake.svs")
    close_up(window, qtbot)
    switch_on(window, qtbot)
    turn(window, qtbot, 1.25)
    png, tif = tmp_path / "a.png", tmp_path / "a.tif"
    for path in (png, tif):
        window.saving.controller.save_refocused(path)
        qtbot.waitUntil(path.exists, timeout=3000)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=3000)
    with Image.open(png) as saved:
        told = json.loads(saved.text["FocusViewer"])
        pixels = np.asarray(saved)
    assert told["z_um"] == 1.25
    assert "synthesised" in told["statement"]
    assert "weights_sha256" in told
    assert told["date"]
    with tifffile.TiffFile(tif) as file:
        facts = json.loads(file.pages[0].description)
        assert (facts["engine"], facts["engine_version"], facts["planes"]) == ("fake", "1", [0])
        assert np.array_equal(file.asarray(), pixels)
        assert file.pages[0].get_resolution("MICROMETER")[0] == pytest.approx(4.0, rel=1e-3)


def test_an_engine_without_weights_is_not_chosen_and_the_choice_is_not_forgotten(window) -> None:
    entries = [
        ModelEntry(name, "refocus", FakeEngine, "", Path("/nowhere/weights"), trained)
        for name, trained in (("without", True), ("fast", False))
    ]
    window.settings.engine = "without"
    window.refocusing.state.engine = ""
    window.refocusing.keep_settings()  # closed before the list was there
    assert window.settings.engine == "without"
    window.refocusing.state.offer_engines(entries, "without", "fast")
    assert window.refocusing.state.engine == "fast"


def test_nothing_to_save_is_told(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    window.saving.ask_save_refocused()
    assert "no refocused picture" in window.messages.messages()[0].text


def test_an_engine_that_fails_is_told_and_the_scan_stays(window, open_in, qtbot) -> None:
    from focusviewer.core.errors import UserError

    def broken(name: str) -> FakeEngine:
        raise UserError("The weights of fake are missing")

    window.refocus.engine_maker = broken
    open_in(window, "fake.svs")
    close_up(window, qtbot)
    window.refocusing.toggle()
    qtbot.waitUntil(lambda: bool(window.messages.messages()), timeout=3000)
    assert "weights" in window.messages.messages()[0].text
    assert window.viewport.patch.image is None


def test_pixels_are_read_at_the_zoom_that_the_scan_is_shown_from() -> None:
    document = Document.of(FakeSlide())
    document.view.resize(800, 600)
    for scale, zoom, mpp in ((1.0, 0, 0.25), (0.8, 0, 0.25), (0.6, 0, 0.25), (0.5, 1, 0.5), (2.0, 0, 0.25)):
        document.view.go_to(1500, 1000, scale)
        assert obstacle(document) == ""
        area = area_of(document, "fake")
        assert (area.zoom, area.mpp) == (zoom, mpp)
    document.view.go_to(1500, 1000, 0.25)
    assert "Zoom in" in obstacle(document)


def test_the_area_is_cut_at_the_slides_border() -> None:
    document = Document.of(FakeSlide())
    document.view.resize(800, 600)
    document.view.go_to(0, 0, 1.0)
    area = area_of(document, "fake")
    assert area.rect == (0, 0, 432, 332)


def test_a_rectangle_read_over_tiles_is_the_slides_own_pixels() -> None:
    from focusviewer.slides import Region

    document = Document.of(FakeSlide())
    pixels = read_rect(document.pyramid, 0, (300, 400, 1300, 1100), 0)
    assert np.array_equal(pixels, document.slide.pixels(Region(0, 300, 400, 1000, 700)))


def test_acquired_planes_and_range_of_the_knob() -> None:
    planes = (-2.0, 0.0, 2.0)
    assert acquired_plane(planes, 2.0) == 2
    assert acquired_plane(planes, 1.9) is None
    assert z_range((0.0,)) == (-4.0, 4.0)
    assert z_range((0.0, 4.0)) == (-2.0, 6.0)
    assert z_range((0.0, 14.0)) == (-1.0, 15.0)


def test_the_knob_tells_round_positions(window) -> None:
    window.refocusing.state.move(0.3)
    assert window.refocusing.state.target_um == 0.3


def contrast(window) -> float:
    """How much neighbouring pixels in the middle of what is seen differ: what a softer picture has less of."""
    middle = picture(window)[200:400, 300:500, :3].astype(float).mean(axis=2)
    return float(np.abs(np.diff(middle, axis=1)).mean())


class Grained(FakeSlide):
    """A slide whose finest pixels alternate: what any coarser pixels cannot show."""

    def pixels(self, region):
        found = super().pixels(region)
        if region.level == 0:
            x = (region.x + np.arange(region.width)) % 3 == 0
            found = np.where(x[None, :, None], np.uint8(20), found)
        return found


@pytest.mark.parametrize("power", [21.0, 25.0, 33.0, 40.0, 60.0])
def test_a_refocused_view_is_as_fine_as_the_view_of_the_scan(
    window, open_in, engine, slides, qtbot, power: float
) -> None:
    slides["fine.svs"] = Grained("fine.svs")
    open_in(window, "fine.svs")
    window.viewport.go_to(1500, 1000, power / 40)
    qtbot.waitUntil(lambda: window.viewport.is_complete, timeout=5000)
    scan = contrast(window)
    switch_on(window, qtbot)
    engine.render = lambda encoded, target: encoded.state[0]  # the identity: sharp tissue, which is left as it is
    turn(window, qtbot, 1.5)
    assert window.refocus.shown.area.zoom == window.document.pyramid.zoom_for(power / 40)
    assert contrast(window) == pytest.approx(scan, rel=0.05)


def test_a_view_finer_than_engines_can_work_is_not_softened_but_refused(window, open_in, engine, slides) -> None:
    slides["oil.svs"] = FakeSlide("oil.svs", mpp=0.1)
    open_in(window, "oil.svs")
    document = window.document
    document.view.go_to(1500, 1000, 1.0)
    assert "Zoom out to refocus, to 50× or less" in obstacle(document)
    document.view.go_to(1500, 1000, 0.5)
    assert obstacle(document) == ""
    assert area_of(document, "fake").mpp == pytest.approx(0.2)
