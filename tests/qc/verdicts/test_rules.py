"""Rules and verdicts: what fires, what is said, what a rules file may hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.focus.base import LEVEL_UM, FocusMap
from focusviewer.qc.verdicts.features import SlideFeatures, slide_features
from focusviewer.qc.verdicts.judgement import Verdict, judgement_of
from focusviewer.qc.verdicts.rules import Rules, Thresholds, load_rules
from focusviewer.qc.worklist.regions import blurred_regions

LIMITS = Thresholds(
    blurred_um=1.5,
    rescan_blurred_fraction=0.15,
    rescan_region_mm2=0.8,
    rescan_region_fraction=0.02,
    rescan_worst_decile_um=2.5,
    review_blurred_fraction=0.04,
    review_region_mm2=0.25,
    review_worst_decile_um=1.6,
    rescan_cannot_tell_fraction=0.75,
    review_cannot_tell_fraction=0.5,
    review_unreadable_fraction=0.01,
    review_least_tissue_mm2=0.05,
)
RULES = Rules("test", "7", LIMITS)
GOOD = SlideFeatures(True, 100.0, 5000, 0.0, 0.0, 0.3, 0.6, 0.0, 0.0, 0.25, True)


def a_map(um: np.ndarray, mpp: float | None = 0.25, unreadable: int = 0, unknown: int = 0) -> FocusMap:
    blur = (um / LEVEL_UM).astype(np.float32)
    rows, cols = blur.shape
    x, y = ((200.0 * (np.arange(n) + 0.5)).astype(np.float32) for n in (cols, rows))
    cannot_tell = np.zeros(blur.shape, bool)
    cannot_tell.flat[:unknown] = True
    blur[cannot_tell] = np.nan
    return FocusMap(
        blur,
        x,
        y,
        "m",
        "1",
        True,
        400.0,
        200.0,
        mpp,
        unreadable=unreadable,
        cannot_tell=cannot_tell if unknown else None,
    )


def test_features_count_what_the_map_holds() -> None:
    um = np.full((10, 10), 0.5)
    um[:, :2] = 3.0
    found = slide_features(a_map(um, unreadable=5), 1.5)
    assert found.blurred_fraction == pytest.approx(0.2)
    assert found.largest_region_mm2 == pytest.approx(20 * 0.05**2)
    assert found.worst_decile_um == pytest.approx(3.0) and found.median_um == pytest.approx(0.5)
    assert found.tissue_mm2 == pytest.approx(105 * 0.05**2)
    assert found.unreadable_fraction == pytest.approx(5 / 105)


def test_windows_that_cannot_be_told_are_neither_sharp_nor_blurred() -> None:
    found = slide_features(a_map(np.full((10, 10), 3.0), unknown=60), 1.5)
    assert found.cannot_tell_fraction == pytest.approx(0.6) and found.blurred_fraction == 1.0


def test_regions_are_boxes_in_slide_pixels_the_weightiest_first() -> None:
    um = np.zeros((8, 8))
    um[1, 1], um[4:7, 3:5] = 2.0, 3.0
    large, small = blurred_regions(a_map(um), 1.5)
    assert (large.x, large.y, large.width, large.height) == (600.0, 800.0, 400.0, 600.0)
    assert large.mean_um == pytest.approx(3.0) and large.area_mm2 == pytest.approx(6 * 0.05**2)
    assert (small.x, small.y, small.width, small.height) == (200.0, 200.0, 200.0, 200.0)


def test_a_good_slide_passes_and_nothing_is_said() -> None:
    judgement = judgement_of(GOOD, RULES)
    assert (judgement.verdict, judgement.reasons, judgement.rules) == (Verdict.PASS, (), RULES.label)
    assert judgement.score < 10


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({"blurred_fraction": 0.2}, Verdict.RESCAN, "20% of the tissue is blurred"),
        ({"blurred_fraction": 0.05}, Verdict.REVIEW, "5% of the tissue is blurred"),
        ({"largest_region_mm2": 2.5}, Verdict.RESCAN, "one blurred region of 2.5 mm2"),
        ({"largest_region_mm2": 0.9}, Verdict.REVIEW, "one blurred region of 0.9 mm2"),
        ({"worst_decile_um": 3.0}, Verdict.RESCAN, "worst tenth of the tissue lies 3.0 um"),
        ({"worst_decile_um": 2.0}, Verdict.REVIEW, "worst tenth of the tissue lies 2.0 um"),
        ({"tissue_found": False}, Verdict.REVIEW, "no tissue was found"),
        ({"tissue_mm2": 0.01}, Verdict.REVIEW, "only 0.01 mm2 of tissue"),
        ({"mpp": None}, Verdict.REVIEW, "does not state its pixel size"),
        ({"absolute": False}, Verdict.REVIEW, "no distances from focus"),
        ({"cannot_tell_fraction": 0.7}, Verdict.REVIEW, "70% of the tissue cannot be judged"),
        ({"unreadable_fraction": 0.02}, Verdict.REVIEW, "2% of the tissue could not be read"),
    ],
)
def test_every_rule_gives_its_verdict_and_says_why(change: dict[str, object], verdict: Verdict, words: str) -> None:
    judgement = judgement_of(replace(GOOD, **change), RULES)
    assert judgement.verdict == verdict
    assert any(words in reason for reason in judgement.reasons)


def test_rescan_wins_and_its_reason_comes_first() -> None:
    judgement = judgement_of(replace(GOOD, blurred_fraction=0.05, worst_decile_um=3.0), RULES)
    assert judgement.verdict == Verdict.RESCAN
    assert "worst tenth" in judgement.reasons[0] and len(judgement.reasons) == 2


def test_a_worse_slide_scores_higher() -> None:
    fractions = [
        judgement_of(replace(GOOD, blurred_fraction=f, worst_decile_um=0.6 + f), RULES).score for f in (0, 0.1, 1)
    ]
    assert fractions == sorted(set(fractions)) and fractions[0] >= 0 and fractions[-1] <= 100


def test_the_first_override_that_fits_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        'name = "lab"\nversion = "2"\n[defaults]\nblurred_um = 1.2\n'
        '[[override]]\nscanner = "APERIO"\nstain = "pas"\nblurred_um = 2.0\n'
        '[[override]]\nstain = "pas"\nblurred_um = 3.0\n'
    )
    rules = load_rules(path)
    assert rules.label == f"lab 2 ({rules.digest})"
    assert len({rules.digest, Rules("lab", "2").digest, replace(rules, overrides=()).digest}) == 3
    assert replace(rules, name="other", version="3").digest == rules.digest
    assert rules.for_slide("Aperio AT2", "PAS-D").blurred_um == 2.0
    assert rules.for_slide("Hamamatsu", "PAS").blurred_um == 3.0
    assert rules.for_slide("Aperio AT2", "H&E").blurred_um == 1.2


def test_the_shipped_rules_say_all_they_decide_by() -> None:
    rules = load_rules()
    assert rules.name == "default" and rules.thresholds.rescan_blurred_fraction > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[defaults\n", "Cannot read the rules"),
        ("[defaults]\nblured_um = 1\n", "Did you mean blurred_um"),
        ('[defaults]\nblurred_um = "much"\n', "not usable"),
        ("[defaults]\nrescan_blurred_fraction = 1.5\n", "from 0 to 1"),
        ("[defaults]\nblurred_um = nan\n", "not usable"),
        ("[defaults]\nblurred_um = -1\n", "not usable"),
        ("[defaults]\nreview_blurred_fraction = 0.9\n", "above rescan_blurred_fraction"),
        ("[[override]]\nblurred_um = 1\n", "names no scanner and no stain"),
        ("[thresholds]\n", "unknown entry 'thresholds'"),
        ("defaults = 3\n", "not laid out as rules"),
    ],
)
def test_a_wrong_rules_file_is_refused_with_the_reason(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_rules(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[override]]\nstain = 'x'\nblured_um = 1\n", "unknown threshold 'blured_um'. Did you mean blurred_um"),
        ("[[override]]\nstain = 'x'\nblurred_um = true\n", "blurred_um = True is not usable: it must be a number"),
        ("override = [3]\n", "not laid out as rules"),
        ("[[override]]\nstain = ['x']\n", "stain = .* is not usable: it must be a text"),
        ("[identity]\nname = 'x'\n", "it holds name, and may hold file_name"),
        ("identity = 3\n", "identity. is not usable: it may hold file_name"),
        ("[identity]\nfile_name = 3\n", "file_name = 3 is not usable: it must be a regular expression"),
    ],
)
def test_what_is_wrong_inside_a_table_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_rules(path)


def test_names_and_versions_may_be_written_without_quotes(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("name = 7\nversion = 2026-11-20\n[[override]]\nscanner = 1302\nblurred_um = 2\n")
    rules = load_rules(path)
    assert rules.label.startswith("7 2026-11-20 (") and rules.for_slide("SS1302").blurred_um == 2.0


def test_a_missing_rules_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml"):
        load_rules(tmp_path / "none.toml")
