"""The FocusPath protocol on the data set in miniature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.evaluation.suites.refocus import protocol
from focusviewer.evaluation.suites.refocus.protocol import evaluate_protocol, published
from focusviewer.training.data.focuspath_bank import focuspath_bank
from focusviewer.training.data.focuspath_strips import TRAINED_ON, focuspath, stack_names
from focusviewer.training.datasets import Dataset
from tests.evaluation.doubles import CopyingEngine
from tests.training.datasets.miniatures import make_focuspath, make_tcga_focus


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("sets")
    make_focuspath(root / "FocusPath", slides=2, size_px=96)
    return focuspath(root)


@pytest.fixture(autouse=True)
def _two_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two figures of similarity_figures: the others are tested with the metrics."""
    quick = {"psnr": lambda image, truth: float((image == truth).all()), "ssim": lambda image, truth: 0.5}
    monkeypatch.setattr(protocol, "SIMILARITY", quick)
    monkeypatch.setattr(
        protocol, "similarity_figures", lambda image, truth: {name: f(image, truth) for name, f in quick.items()}
    )


def test_the_protocol_tests_on_strip_one_alone(miniature: Dataset) -> None:
    names = stack_names(miniature)
    assert len(names) == 2
    assert all("Strip01" in name for name in names)
    assert all("Strip00" in name for name in stack_names(miniature, TRAINED_ON))
    assert stack_names(miniature, limit=1) == names[:1]


def test_every_task_of_the_tables_has_a_row_beside_the_published_one(miniature: Dataset) -> None:
    engine = CopyingEngine()
    rows = evaluate_protocol(engine, miniature)
    assert [(row["task"], row["inputs"]) for row in rows] == [
        *(("refocus", count) for count in (5, 4, 3, 2, 1)),
        ("interpolate", 2),
        ("deblur", 3),
        ("deblur", 1),
    ]
    assert [row["pictures"] for row in rows] == [2, 2, 2, 2, 2, 2, 2, 30]  # each of 15 planes makes the sharpest
    assert all(row["slides"] == 2 and row["ssim"] == 0.5 for row in rows)
    assert rows[2]["published"] == "radiance"
    assert rows[2]["published_ssim"] == 0.9518
    by_count = {len(planes): planes for planes, _ in engine.asked[:5]}
    assert {abs(z) for z in by_count[2]} <= {abs(z) for z in by_count[5]}


def test_one_blurred_plane_is_always_below_the_tissue(miniature: Dataset) -> None:
    engine = CopyingEngine()
    evaluate_protocol(engine, miniature, limit=1)
    singles = [(planes[0], target) for planes, target in engine.asked if len(planes) == 1 and target == 0]
    assert len(singles) >= 15
    assert all(plane < 0 for plane, _ in singles)


def test_baselines_are_set_beside_their_own_figures() -> None:
    assert published("dfi", "interpolate", 2)["published_ssim"] == 0.7937
    assert published("restormer-small", "deblur", 1)["published"] == "Restormer"
    assert published("fast", "refocus", 5)["published"] == "radiance"
    assert published("fast", "interpolate", 9) == {}


def test_without_the_data_set_the_protocol_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOCUSVIEWER_DATASETS", raising=False)
    with pytest.raises(UserError, match="No folder of data sets"):
        focuspath(None)
    make_tcga_focus(tmp_path / "TCGA@Focus")
    with pytest.raises(UserError, match="No FocusPath"):
        focuspath(tmp_path)
    make_focuspath(tmp_path / "FocusPath", slides=1, strips=1)
    with pytest.raises(UserError, match="no stack of strip 1"):
        focuspath(tmp_path)


def test_the_training_strip_becomes_a_bank(miniature: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = focuspath_bank(miniature, tmp_path / "bank", crops=3, crop_px=64)
    assert bank.recorded.shape == (6, 16, 64, 64, 3)
    assert bank.source.tolist() == [0, 0, 0, 1, 1, 1]
    assert (np.diff(bank.z_um, axis=1) > 0).all()
    assert (bank.z_um == 0).sum(axis=1).tolist() == [1] * 6
    planes = miniature.stack(stack_names(miniature, TRAINED_ON)[0]).planes
    windows = np.lib.stride_tricks.sliding_window_view(planes[8], (64, 64), axis=(0, 1))
    crop = np.moveaxis(bank.recorded[0, 8], -1, 0)
    assert (windows == crop).all(axis=(2, 3, 4)).any()
    monkeypatch.setattr("focusviewer.training.data.focuspath_bank._cut", None)  # a second cutting would fail
    again = focuspath_bank(miniature, tmp_path / "bank", crops=3, crop_px=64)
    np.testing.assert_array_equal(again.recorded, bank.recorded)
    with pytest.raises(UserError, match="no stack on the side"):
        focuspath_bank(miniature, tmp_path / "other", split="strips/validation")


def test_a_bank_of_crops_larger_than_the_pictures_is_refused(miniature: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="too small"):
        focuspath_bank(miniature, tmp_path / "bank", crops=1, crop_px=256)
