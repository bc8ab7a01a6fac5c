from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from focus_maps import make_map

from focusviewer.focus import summary, to_geojson, worst_regions

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
    regions = worst_regions(make_map([[9, 9, 0, 0], [0, 0, 0, 4], [0, 0, 0, N]]))
    assert regions[0] == pytest.approx((117.5 - 65, 117.5 - 65, 260, 130, 9))
    assert regions[1] == pytest.approx((117.5 + 3 * 130 - 65, 117.5 + 65, 130, 130, 4))
    assert len(regions) == 2
    assert len(worst_regions(make_map([[9, 0, 9, 0, 9]]), n=2)) == 2


def test_geojson_outlines_a_region_with_a_hole() -> None:
    ring_shaped = np.full((5, 5), 8.0)
    ring_shaped[0] = ring_shaped[4] = ring_shaped[:, 0] = ring_shaped[:, 4] = 0
    ring_shaped[2, 2] = 0
    document = to_geojson(make_map(ring_shaped))
    (feature,) = document["features"]
    outer, hole = feature["geometry"]["coordinates"]
    assert outer[0] == outer[-1] and len(outer) == 5
    assert abs(_area(outer)) == pytest.approx(9 * 130 * 130) and abs(_area(hole)) == pytest.approx(130 * 130)
    assert _area(outer) * _area(hole) < 0  # opposite directions, as GeoJSON wants
    assert feature["properties"]["objectType"] == "annotation"
    assert feature["properties"]["classification"]["name"] == "Blurred"
    json.dumps(document, allow_nan=False)


def test_geojson_area_is_that_of_the_windows(rng: np.random.Generator) -> None:
    for _ in range(20):
        values = rng.choice([0.0, 5.0, np.nan], (9, 11))
        features = to_geojson(make_map(values))["features"]
        for feature in features:
            rings = feature["geometry"]["coordinates"]
            area = abs(_area(rings[0])) - sum(abs(_area(ring)) for ring in rings[1:])
            assert area == pytest.approx(feature["properties"]["measurements"]["Windows"] * 130 * 130)
        assert sum(f["properties"]["measurements"]["Windows"] for f in features) == (values == 5).sum()
