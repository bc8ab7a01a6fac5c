"""Real tissue beside textbook filters: what is compared, and what the shares mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.refocus.real_tissue import (
    ALL,
    TextbookFilters,
    compared,
    evaluate_real_tissue,
    tissue_summary,
)
from focusviewer.evaluation.test_sets.real_tissue import RealPair, real_pairs
from focusviewer.optics import defocus_image
from focusviewer.refocus.fast.operators import SCANNER
from tests.evaluation.suites.refocus.toys import Toy, nothing, picture

LIGHT = picture(1.0).astype(np.float32) / 255


@pytest.fixture(scope="module")
def pair() -> RealPair:
    blurred = defocus_image(LIGHT, 1.5, 0.25, SCANNER)
    return RealPair("made", "1.5 um", _pixels(blurred), _pixels(LIGHT))


def test_a_lamp_that_differs_from_plane_to_plane_decides_nothing(pair: RealPair) -> None:
    plain = compared(pair.blurred, pair.sharp)
    dimmed = compared(pair.blurred * 0.8 + 20, pair.sharp)
    assert dimmed["psnr"] == pytest.approx(plain["psnr"], abs=0.1)
    assert dimmed["ssim"] == pytest.approx(plain["ssim"], abs=0.002)


def test_the_best_filter_is_never_below_the_scan_and_gains_on_what_it_is_made_for(pair: RealPair) -> None:
    textbook = TextbookFilters()
    figures = textbook.figures(pair)
    assert figures["psnr_best"] > figures["psnr_before"] + 0.5
    assert figures["psnr_best"] >= figures["psnr_gentle"]
    in_focus = textbook.figures(RealPair("made", "in focus", pair.sharp, pair.sharp))
    assert in_focus["psnr_best"] == in_focus["psnr_before"]


def test_shares_are_of_the_best_filters_gain(pair: RealPair) -> None:
    rows = [{"model": "toy", **row} for row in evaluate_real_tissue(nothing(), [pair])]
    made, total = tissue_summary(rows)
    assert (made["tissue"], total["tissue"]) == ("made", ALL)
    assert made["share"] == 0
    assert made["worst_gain"] == 0
    knowing = Toy(lambda images, zs, z: pair.sharp)
    row = tissue_summary(evaluate_real_tissue(knowing, [pair]))[0]
    assert row["share"] > 1
    assert row["ssim_share"] > 1
    spoiling = Toy(lambda images, zs, z: np.zeros_like(pair.sharp) + GRAIN)
    row = tissue_summary(evaluate_real_tissue(spoiling, [pair]))[0]
    assert row["gain_all"] < 0
    assert row["worst_gain"] == row["gain_auto"] == 0  # Auto leaves a view that the engine takes to lie in focus


def test_what_cannot_be_gained_has_no_share(pair: RealPair) -> None:
    still = RealPair("made", "in focus", pair.sharp, pair.sharp)
    assert tissue_summary(evaluate_real_tissue(nothing(), [still]))[0]["share"] is None


def test_an_engine_that_refuses_says_why(pair: RealPair) -> None:
    def refuse(*_: object) -> RGB:
        raise UserError("Cannot refocus", "it is a toy", "")

    row = evaluate_real_tissue(Toy(refuse), [pair])[0]
    assert "toy" in row["why"]
    assert tissue_summary([row]) == []


def test_the_pairs_of_the_data_folder_are_registered(data_dir: Path) -> None:
    pairs = real_pairs(data_dir, 160)
    assert {pair.tissue for pair in pairs} == {"retroscope", "urjc-adipose-1", "huron-brain", "tassomoraes"}
    for pair in pairs:
        assert pair.blurred.shape == pair.sharp.shape == (160, 160, 3)
        assert np.corrcoef(pair.blurred.ravel(), pair.sharp.ravel())[0, 1] > 0.7, pair.case


def test_no_data_is_no_pairs(tmp_path: Path) -> None:
    assert real_pairs(tmp_path) == []


GRAIN = np.random.default_rng(8).integers(0, 255, (96, 96, 3)).astype(np.uint8)


def _pixels(light: np.ndarray) -> RGB:
    return np.asarray(np.clip(light, 0, 1) * 255 + 0.5, dtype=np.uint8)
