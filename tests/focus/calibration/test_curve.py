from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus import get_model, map_slide, models
from focusviewer.focus.calibrating import Mark, calibrate_marks, calibrate_stack
from focusviewer.focus.calibration.curve import Calibration, Curve, apply_calibration, fit_curve
from focusviewer.focus.calibration.store import (
    calibrated,
    calibrations_path,
    find_calibration,
    forget_calibrations,
    keep_calibration,
    read_calibrations,
    scanner_key,
    shipped_calibrations,
)
from focusviewer.slides import Region
from tests.focus.doubles import MemorySlide, blur, tissue_picture
from tests.focus.maps import make_map


class StackSlide(MemorySlide):
    """Planes of one picture, blurred in proportion to their distance from the one in focus."""

    def __init__(self, distances_um: tuple[float, ...], first_um: float = -2.0) -> None:
        sharp = tissue_picture(700, 600)
        super().__init__(sharp, mpp=0.25, fingerprint="stack")
        planes = [MemorySlide(blur(sharp, 1.5 * abs(z)) if z else sharp, mpp=0.25) for z in distances_um]
        self.planes: list[MemorySlide] = planes
        self.info = replace(self.info, planes_um=tuple(float(z - first_um) for z in distances_um))

    def read_region(self, region: Region) -> RGB:
        return self.planes[region.plane].read_region(region)


def _calibration(**changes: object) -> Calibration:
    curve = Curve((1.0, 3.0, 9.0), (0.0, 1.0, 3.0))
    return replace(Calibration("mlv", "1", "", 0.25, curve, "a test"), **changes)  # type: ignore[arg-type]


def test_the_curve_is_the_isotonic_regression_of_the_medians(rng: np.random.Generator) -> None:
    for size in (2, 3, 50):
        medians = rng.normal(size=size) + np.arange(size) * 0.05
        medians[0] = -9.0  # one distance at least is lower than the others
        counts = rng.integers(1, 6, size)
        curve = fit_curve(np.repeat(medians, counts), np.repeat(0.5 + 0.25 * np.arange(size), counts))
        np.testing.assert_allclose(curve.scores, np.unique(pooled(medians, counts).round(12)), atol=1e-9)


def pooled(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Isotonic regression by pooling adjacent violators (Ayer et al. 1955)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, before, length = pools.pop()
            total = before + pool[1]
            pool = ((mean * before + pool[0] * pool[1]) / total, total, length + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(length, mean) for mean, _, length in pools])


def test_a_curve_reads_nothing_below_focus_and_goes_on_beyond_its_end() -> None:
    curve = _calibration().curve
    np.testing.assert_allclose(curve.read([-5, 1, 2, 3, 6, 9]), [0, 0, 0.5, 1, 2, 3])
    assert 3 < curve.read(12) < 5 and np.isnan(curve.read(np.nan))
    with pytest.raises(ValueError, match="must rise"):
        Curve((1.0, 1.0), (0.0, 1.0))


def test_a_fit_reads_tissue_in_focus_as_0_and_blur_as_what_it_is(rng: np.random.Generator) -> None:
    distance = np.concatenate([np.zeros(400), rng.uniform(0, 5, 4000)])
    score = 4 + 2.5 * np.maximum(distance - 0.4, 0) + rng.normal(0, 0.8, distance.size)  # depth of field, tissue
    curve = fit_curve(score, distance)
    assert np.median(curve.read(score[distance == 0])) < 0.2
    assert np.percentile(curve.read(score[distance == 0]), 90) < 0.75
    for um, tolerance in ((1.0, 0.2), (2.0, 0.1), (4.0, 0.1)):
        near = np.abs(distance - um) < 0.2
        assert np.median(curve.read(score[near])) == pytest.approx(um, rel=tolerance)
    assert curve.in_focus == pytest.approx(4.0, abs=0.2)
    np.testing.assert_allclose(curve.moved(6.0).read(score + 2), curve.read(score), atol=0.2)


def test_scores_that_do_not_rise_are_refused(rng: np.random.Generator) -> None:
    distance = np.repeat([0.0, 1.0, 2.0], 50)
    with pytest.raises(UserError, match="do not rise"):
        fit_curve(-distance, distance)


def test_a_map_is_given_in_levels_with_its_doubt_and_says_by_what() -> None:
    relative = replace(make_map([[2.0, np.nan], [1.0, 6.0]]), absolute=False, uncertainty=np.full((2, 2), 0.5))
    found = apply_calibration(relative, _calibration())
    np.testing.assert_allclose(found.blur, [[2.0, np.nan], [0.0, 8.0]])
    assert found.absolute and found.calibration == "a test"
    assert found.uncertainty is not None
    np.testing.assert_allclose(found.uncertainty[0, 0], 1.0)  # 0.5 of a score is 0.25 um there
    assert apply_calibration(found, _calibration()) is found  # never twice
    assert apply_calibration(relative, None) is relative


def test_the_users_calibration_of_a_scanner_is_found_for_it_alone() -> None:
    model = get_model("mlv")
    slide = MemorySlide(tissue_picture(300, 300), mpp=0.25)
    own = _calibration(version=model.version, scanner=scanner_key(slide), source="mine")
    keep_calibration(own)
    found = find_calibration(model, slide)
    assert found is not None and found.source == "mine"
    others = (
        _calibration(version="older", scanner=scanner_key(slide)),
        _calibration(version=model.version, scanner="another scanner"),
        _calibration(version=model.version, scanner=scanner_key(slide), mpp=0.5),
    )
    forget_calibrations("mlv", scanner_key(slide))
    for other in others:
        keep_calibration(other)
        seen = find_calibration(model, slide)
        assert seen is None or seen.source != other.source


def test_calibrations_round_trip_and_can_be_forgotten() -> None:
    keep_calibration(_calibration(scanner="größe"))
    keep_calibration(_calibration(scanner="größe", source="newer"))
    keep_calibration(_calibration(scanner="other"))
    assert [(known.scanner, known.source) for known in read_calibrations()] == [("other", "a test"), ("größe", "newer")]
    assert read_calibrations()[0].curve == _calibration().curve
    assert forget_calibrations("mlv", "größe") == 1 and forget_calibrations("mlv", "größe") == 0
    assert [known.scanner for known in read_calibrations()] == ["other"]


def test_a_damaged_file_of_calibrations_is_told() -> None:
    calibrations_path().write_text('{"calibrations": [{"model": 1}]}', encoding="utf-8")
    with pytest.raises(UserError, match="Cannot read the calibrations"):
        read_calibrations()


def test_the_key_names_scanner_scale_and_objective() -> None:
    slide = MemorySlide(tissue_picture(300, 300), mpp=0.2501)
    slide.info = replace(
        slide.info, vendor="aperio", objective_power=40.0, properties={"aperio.ScanScope ID": "SS1302"}
    )
    assert scanner_key(slide) == "aperio, SS1302, 0.25 um, 40x"
    assert scanner_key(MemorySlide(tissue_picture(300, 300))) == "memory"


@pytest.mark.parametrize("given", [None, 2])
def test_a_stack_calibrates_a_relative_measure_in_um(given: int | None) -> None:
    slide, model = StackSlide((-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)), get_model("tenengrad")
    fitted, best = calibrate_stack(slide, model, reference=given)
    assert best == 2 and fitted.scanner == scanner_key(slide) and fitted.mpp == 0.25
    keep_calibration(fitted)
    for plane, um in ((2, 0.0), (3, 1.0), (5, 3.0)):
        result = calibrated(map_slide(slide, model, plane=plane), slide, model)
        assert result.absolute and "stack" in result.calibration
        assert np.median(result.blur[result.tissue]) * 0.25 == pytest.approx(um, abs=0.3)


def test_regions_of_known_focus_calibrate_too() -> None:
    sharp = tissue_picture(1500, 600)
    picture = sharp.copy()
    picture[:, 750:] = blur(sharp[:, 750:], 3)
    slide, model = MemorySlide(picture, mpp=0.25), get_model("tenengrad")
    fitted = calibrate_marks(slide, model, [Mark(0, 0, 500, 600), Mark(1000, 0, 500, 600, 2.0)])
    result = apply_calibration(map_slide(slide, model), fitted)
    left, right = result.blur[:, result.x < 500] * 0.25, result.blur[:, result.x > 1000] * 0.25
    assert np.nanmedian(left) < 0.2 and np.nanmedian(right) == pytest.approx(2.0, abs=0.2)


def test_what_is_no_stack_is_refused() -> None:
    slide = MemorySlide(tissue_picture(400, 400), mpp=0.25)
    with pytest.raises(UserError, match="no focal stack"):
        calibrate_stack(slide, get_model("mlv"))
    stack = StackSlide((-1.0, 0.0, 1.0))
    stack.info = replace(stack.info, z_step_known=False)
    with pytest.raises(UserError, match="--step"):
        calibrate_stack(stack, get_model("mlv"))


def test_too_little_tissue_is_refused() -> None:
    slide = MemorySlide(tissue_picture(600, 600), mpp=0.25)
    with pytest.raises(UserError, match="Mark more"):
        calibrate_marks(slide, get_model("tenengrad"), [Mark(0, 0, 100, 100, 1.0)])


def test_shipped_calibrations_are_for_the_shipped_weights() -> None:
    """Trained anew? Fit them again: focusviewer calibrate --simulated."""
    trained = {entry.name: entry for entry in models() if entry.trained and entry.available}
    shipped = [known for known in shipped_calibrations() if known.model in trained]
    assert shipped, "there are no shipped calibrations"
    stale = {known.model for known in shipped if get_model(known.model).version != known.version}
    assert not stale
