from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from focusviewer.focus import FocusMap, summary, to_geojson
from focusviewer.focus.mapping.regions import find_regions, smoothed_windows
from focusviewer.simulation.sections.blur_pattern import make_pattern
from tests.focus.maps import make_map

N = np.nan


def _area(ring: list[list[float]]) -> float:
    points = np.array(ring)
    return float((points[:-1, 0] * points[1:, 1] - points[1:, 0] * points[:-1, 1]).sum() / 2)


def test_summary_holds_the_keys_of_the_contract() -> None:
    result = summary(make_map([[1, 2, 3], [4, N, N]]))
    assert {"model", "window_px", "stride_px", "mpp", "windows", "tissue_windows", "median", "p95"} <= result.keys()
    assert (result["windows"], result["tissue_windows"]) == (6, 4)
    assert result["median"] == 2.5 and result["blurred_fraction"] == 0.5
    assert (result["seconds"], result["decode_seconds"]) == (1.5, 0.5)
    json.dumps(result, allow_nan=False)


def test_summary_of_an_empty_or_relative_map_claims_nothing() -> None:
    assert summary(make_map([[N, N]]))["median"] is None
    assert summary(replace(make_map([[5.0]]), absolute=False))["blurred_fraction"] is None


def test_summary_of_a_relative_map_judges_by_the_threshold_it_is_given() -> None:
    result = summary(replace(make_map([[5.0, 1.0, 1.5, N]]), absolute=False), 1.5)
    assert result["blurred_fraction"] == pytest.approx(2 / 3)
    assert result["threshold"] == 1.5


def test_worst_regions_come_worst_first_as_slide_boxes() -> None:
    found = find_regions(make_map([[9, 9, 0, 0], [0, 0, 0, 4], [0, 0, 0, N]]))
    regions = [(*region.box, region.mean) for region in found]
    assert regions[0] == pytest.approx((117.5 - 65, 117.5 - 65, 260, 130, 9))
    assert regions[1] == pytest.approx((117.5 + 3 * 130 - 65, 117.5 + 65, 130, 130, 4))
    assert len(regions) == 2
    assert len(find_regions(make_map([[9, 0, 9, 0, 9]]))) == 3


def test_geojson_outlines_a_region_with_a_hole() -> None:
    ring_shaped = np.full((6, 6), 8.0)
    ring_shaped[0] = ring_shaped[5] = ring_shaped[:, 0] = ring_shaped[:, 5] = 0
    ring_shaped[2:4, 2:4] = 0
    document = to_geojson(make_map(ring_shaped))
    (feature,) = document["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert outer[0] == outer[-1] and len(outer) == 5
    assert abs(_area(outer)) == pytest.approx(16 * 130 * 130) and abs(_area(hole)) == pytest.approx(4 * 130 * 130)
    assert _area(outer) * _area(hole) < 0  # opposite directions, as GeoJSON wants
    assert feature["properties"]["objectType"] == "annotation"
    assert feature["properties"]["classification"]["name"] == "Blurred" and feature["properties"]["isLocked"]
    measured = feature["properties"]["measurements"]
    assert measured["Area mm^2"] == pytest.approx(12 * (0.130 * 0.25) ** 2)
    assert measured["Distance from focus µm"] == pytest.approx(2.0)
    json.dumps(document, allow_nan=False)


def test_geojson_area_is_that_of_the_windows(rng: np.random.Generator) -> None:
    for _ in range(20):
        values = rng.choice([0.0, 5.0, np.nan], (9, 11))
        features = to_geojson(make_map(values))["features"]
        expected = smoothed_windows(make_map(values)).sum()
        for feature in features:
            rings = feature["geometry"]["coordinates"]
            area = abs(_area(rings[0])) - sum(abs(_area(ring)) for ring in rings[1:])
            assert area == pytest.approx(feature["properties"]["measurements"]["Windows"] * 130 * 130)
        assert sum(f["properties"]["measurements"]["Windows"] for f in features) == expected


def test_single_windows_are_smoothed_away_or_filled_in() -> None:
    values = np.zeros((7, 12))
    values[2, 2] = 9  # alone among sharp ones
    values[1:6, 6:11] = 9
    values[3, 8] = 0  # alone among blurred ones
    mask = smoothed_windows(make_map(values))
    assert not mask[2, 2] and mask[3, 8] and mask.sum() == 25
    (region,) = find_regions(make_map(values))
    assert region.windows == 25 and region.mean == pytest.approx(24 * 9 / 25) and region.largest == 9


def _known_map(blur: str, seed: int, rng: np.random.Generator) -> FocusMap:
    """A map as a model of modest skill makes it of a slide with a known blur pattern and round tissue."""
    side = 34
    empty = make_map(np.zeros((side, side)))
    pattern = make_pattern(blur, np.random.default_rng((seed, 8)), 130 * side, 130 * side)
    z_um = np.abs(pattern.z_um(empty.x[None, :].astype(float), empty.y[:, None].astype(float)))
    levels = np.clip(z_um / 0.25 + rng.normal(0, 0.5, z_um.shape), 0, None)
    y, x = np.indices(levels.shape) - side / 2 + 0.5
    levels[np.hypot(y, x) > 16] = np.nan
    return make_map(levels)


@pytest.mark.parametrize(("blur", "cause"), [("strip", "scan line"), ("bubble", "bubble"), ("whole", "whole slide")])
def test_likely_causes_are_those_of_known_patterns(blur: str, cause: str, rng: np.random.Generator) -> None:
    right = [find_regions(_known_map(blur, seed, rng))[0].cause == cause for seed in range(20)]
    assert np.mean(right) >= 0.9


def test_blur_along_a_fold_is_put_down_to_it_and_the_rest_to_the_tissue() -> None:
    values = np.zeros((20, 20))
    values[8:10, 3:14] = 6
    cannot_tell = np.zeros((20, 20), bool)
    cannot_tell[10, 3:14] = True
    values[cannot_tell] = N
    assert find_regions(replace(make_map(values), cannot_tell=cannot_tell))[0].cause == "fold"
    patchy = np.zeros((20, 20))
    patchy[3:6, 3:6] = patchy[5:9, 5:7] = patchy[8:10, 5:14] = patchy[3:9, 12:14] = 6
    assert find_regions(make_map(patchy))[0].cause == "tissue"


def test_a_summary_lists_the_regions_with_area_severity_and_cause() -> None:
    values = np.zeros((12, 12))
    values[3:8, 3:8] = 8
    (region,) = summary(make_map(values))["regions"]
    assert region["area_mm2"] == pytest.approx(25 * (0.130 * 0.25) ** 2) and region["mean_um"] == 2.0
    assert {"x", "y", "width", "height", "windows", "mean", "cause"} <= region.keys()
    assert find_regions(replace(make_map(values), mpp=None))[0].area_mm2 is None
