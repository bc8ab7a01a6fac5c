"""The state of the focus map, without Qt."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from focusviewer.app.heatmap.state import HeatmapState
from focusviewer.app.services.settings import Settings
from focusviewer.core.registry import ModelEntry
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.regions import find_regions
from tests.app.fakes import FakeSlide, fake_map


def entry(name: str, *, available: bool = True) -> ModelEntry:
    return ModelEntry(name, "focus", object, "", weights=None, trained=not available)


def relative_map(top: float = 0.0004) -> FocusMap:
    """A map of a model that only ranks windows, with scores up to ``top``."""
    whole = fake_map(FakeSlide())
    return replace(whole, blur=whole.blur / 8 * top, model="ranks", absolute=False)


def plane_map(plane: int, median: float, **changes) -> FocusMap:
    """A map of one plane whose windows all have one score."""
    whole = fake_map(FakeSlide(), plane=plane)
    return replace(whole, blur=np.where(np.isfinite(whole.blur), median, np.nan).astype(np.float32), **changes)


def test_the_state_needs_no_qt() -> None:
    code = "import sys, focusviewer.app.heatmap.state\nprint([m for m in ('PySide6', 'pyqtgraph') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_choices_come_from_the_settings_and_go_back_there() -> None:
    settings = Settings(model="mlv", lut="magma", heatmap_mode="normalised", heatmap_opacity=0.7, threshold=4.5)
    state = HeatmapState.of(settings)
    style = state.style
    assert (style.model, style.lut, style.mode, style.opacity, style.threshold) == (
        "mlv",
        "magma",
        "normalised",
        0.7,
        4.5,
    )
    state.model, state.opacity, state.threshold = "lpc", 0.2, 2.25
    kept = Settings()
    state.keep(kept)
    assert (kept.model, kept.lut, kept.heatmap_mode) == ("lpc", "magma", "normalised")
    assert (kept.heatmap_opacity, kept.threshold) == (0.2, 2.25)


def test_the_threshold_of_a_relative_model_is_not_remembered_as_levels() -> None:
    state, kept = HeatmapState(), Settings()
    state.fit_threshold(relative_map())
    state.set_threshold(0.0002)
    state.keep(kept)
    assert kept.threshold == 3.0


@pytest.mark.parametrize(("model", "expected"), [("b", "b"), ("", "a"), ("no weights", "a"), ("gone", "a")])
def test_a_model_that_cannot_run_gives_way_to_the_default(model: str, expected: str) -> None:
    state = HeatmapState(model=model)
    told: list[str] = []
    state.events.model.connect(told.append)
    entries = [entry("b"), entry("a"), entry("no weights", available=False)]
    state.offer(entries, ("viridis", "magma"), "a")
    assert state.model == expected
    assert told == ([] if model == expected else [expected])
    assert [offered.name for offered in state.models] == ["b", "a", "no weights"]


def test_a_look_up_table_that_is_not_offered_gives_way_to_the_first() -> None:
    state, other = HeatmapState(lut="gone"), HeatmapState(lut="magma")
    for one in (state, other):
        one.offer([entry("a")], ("viridis", "magma"), "a")
    assert (state.lut, other.lut) == ("viridis", "magma")


def test_levels_and_the_scores_of_every_relative_model_have_a_threshold_of_their_own() -> None:
    state = HeatmapState()
    absolute, relative = fake_map(FakeSlide()), relative_map()
    state.fit_threshold(absolute)
    state.set_threshold(4.567)
    assert (state.threshold, state.decimals) == (4.57, 2)
    state.fit_threshold(relative)
    assert (state.threshold, state.decimals) == (0.0004, 4)  # the last decile
    state.set_threshold(0.00021)
    assert state.threshold == 0.0002
    state.fit_threshold(replace(relative, model="other"))
    assert state.threshold == 0.0004
    state.fit_threshold(absolute)
    assert (state.threshold, state.threshold_of) == (4.57, "")
    state.fit_threshold(relative)
    assert (state.threshold, state.threshold_of) == (0.0002, "ranks")


def test_a_threshold_chosen_before_there_is_a_map_is_kept_for_it() -> None:
    state = HeatmapState()
    state.threshold = 4.0
    state.fit_threshold(fake_map(FakeSlide()))
    assert state.threshold == 4.0


def test_the_next_of_the_worst_regions_is_selected_in_turn() -> None:
    state = HeatmapState()
    assert state.select_next() is None
    whole = fake_map(FakeSlide())
    blur = whole.blur.copy()
    blur[8] = 0.5  # cuts the blurred part in two
    regions = find_regions(replace(whole, blur=blur), 3.0)
    assert len(regions) == 2
    state.list_worst(regions)
    assert state.selected == -1
    assert [state.select_next() is region for region in (*regions, regions[0])] == [True, True, True]
    state.list_worst(regions[:1])
    assert state.selected == -1
    state.shown = whole
    state.clear()
    assert (state.shown, state.figures, state.worst, state.selected) == (None, None, (), -1)


def test_the_curve_gives_the_median_of_every_mapped_plane_by_z() -> None:
    state = HeatmapState(model="fake")
    maps = {("fake", at): plane_map(at, median) for at, median in ((3, 2.0), (0, 6.0), (2, 1.0))}
    maps["other", 1] = plane_map(1, 9.0)
    state.show_curve(maps, (-2.0, -1.0, 0.0, 1.0), 3)
    curve = state.curve
    assert curve is not None
    assert (curve.z, curve.median, curve.shown) == ((-2.0, 0.0, 1.0), (6.0, 1.0, 2.0), 1.0)
    assert curve.absolute and curve.z_known
    maps["fake", 2] = plane_map(2, 5.0)  # made again
    state.show_curve(maps, (-2.0, -1.0, 0.0, 1.0), 1)
    assert state.curve is not None
    assert (state.curve.median, state.curve.shown) == (
        (6.0, 5.0, 2.0),
        -1.0,
    )  # a plane that is not mapped is marked too


def test_planes_are_told_by_number_where_the_file_does_not_state_their_distance() -> None:
    state = HeatmapState(model="fake")
    maps = {("fake", at): plane_map(at, 1.0 + at) for at in (0, 2)}
    state.show_curve(maps, (0.0, 1.0, 2.0), 2, z_known=False)
    assert state.curve is not None
    assert (state.curve.z, state.curve.shown, state.curve.z_known) == ((1.0, 3.0), 3.0, False)


def test_there_is_no_curve_of_fewer_than_two_planes_nor_behind_a_veil() -> None:
    state = HeatmapState(model="fake")
    planes = (0.0, 1.0, 2.0)
    one = {("fake", 0): plane_map(0, 1.0)}
    state.show_curve(one, planes)
    assert state.curve is None
    state.show_curve({**one, ("fake", 1): plane_map(1, float("nan"))}, planes)  # no tissue
    assert state.curve is None
    two = {**one, ("fake", 1): plane_map(1, 2.0)}
    state.show_curve(two, planes)
    assert state.curve is not None
    state.model = "other"
    state.show_curve(two, planes)
    assert state.curve is None
    state.model, state.withheld_reason = "fake", "not yet"
    state.show_curve(two, planes)
    assert state.curve is None


def test_levels_and_scores_are_not_drawn_as_one_curve() -> None:
    state = HeatmapState(model="fake")
    maps = {("fake", at): plane_map(at, 1.0 + at) for at in (0, 2)}
    maps["fake", 1] = plane_map(1, 700.0, absolute=False)
    state.show_curve(maps, (0.0, 1.0, 2.0))
    assert state.curve is not None
    assert state.curve.median == (1.0, 3.0)
