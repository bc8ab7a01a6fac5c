from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path, weights_from
from focusviewer.evaluation.study import Part, ResultStore, evaluate_parts, rows_of
from focusviewer.evaluation.suites.focus import simulated as focus_module
from focusviewer.evaluation.suites.focus.shuffle import evaluate_shuffled, shuffled_weights
from focusviewer.evaluation.suites.focus.simulated import evaluate_focus_fields
from focusviewer.evaluation.suites.published_datasets import (
    evaluate_focus_dataset,
    evaluate_refocus_dataset,
    present_datasets,
)
from focusviewer.evaluation.suites.refocus.planes import Planes, draw, evaluate_refocus_planes, field_planes
from focusviewer.evaluation.tables.published import published_focus, published_studies, published_tables
from focusviewer.evaluation.test_sets import fields as fields_module
from focusviewer.evaluation.test_sets.fields import FieldsConfig, FieldSet, field_set
from focusviewer.evaluation.test_sets.real_stacks import curve_figures
from focusviewer.focus import models
from tests.evaluation.doubles import BrokenModel, CopyingEngine, ReadingModel, entry, telling_fields
from tests.training.datasets.miniatures import make_focuspath, make_tcga_focus


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of fewer draws: whether they are right is tested with the metrics."""
    monkeypatch.setattr(focus_module, "RESAMPLES", 40)


TINY = FieldsConfig(real=2, phantoms=1, field_px=240, planes=8)

# Curves


def test_a_curve_is_judged_by_its_minimum_its_steps_and_its_order_on_either_side() -> None:
    figures = curve_figures([5, 4, 4.5, 2, 1, 3, 6], (3, 3))
    assert (figures["lowest"], figures["planes_off"]) == (4, 1)
    assert figures["monotone_below"] == pytest.approx(2 / 3)  # 2 -> 4.5 -> 4 -> 5
    assert figures["monotone_above"] == pytest.approx(2 / 3)  # 2 -> 1 -> 3 -> 6
    assert figures["monotone"] == pytest.approx(4 / 6)
    assert figures["srcc_below"] == pytest.approx(0.8)
    assert curve_figures([3, 2, 1, 1, 2], (2, 3))["planes_off"] == 0
    assert curve_figures([3, 2, 1], None) == {"lowest": 2, "planes_off": None}


# The simulated test stacks


def test_test_stacks_are_made_once_and_hold_what_they_say(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = field_set(tiny_data, TINY)
    assert made.images.shape == (3, 8, 240, 240, 3)
    assert made.real.tolist() == [True, True, False]
    assert all(name.startswith("patches/bbbc038") for name in made.groups[:2])
    assert np.ptp(made.levels, axis=1).tolist() == [7, 7, 7]
    assert (np.diff(made.levels, axis=1) == 1).all()
    detail = np.abs(np.diff(made.images.astype(np.float32).mean(axis=-1), axis=-1)).mean(axis=(-1, -2))
    sharpest = np.take_along_axis(np.abs(made.levels), detail.argmax(axis=1)[:, None], axis=1)
    assert (sharpest <= 2).all()
    monkeypatch.setattr(fields_module, "_make", None)  # a second making would fail
    again = field_set(tiny_data, TINY)
    np.testing.assert_array_equal(again.images, made.images)
    assert again.key == made.key != field_set_key(tiny_data, monkeypatch)


def field_set_key(data: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key under another version of the phantoms, for which nothing need be drawn to know it."""
    monkeypatch.setattr(fields_module, "PHANTOM_VERSION", "another")
    monkeypatch.setattr(fields_module, "_make", lambda path, *rest: np.save(path, np.zeros((3, 8, 1, 1, 3), np.uint8)))
    return field_set(data, TINY).key


def test_without_a_data_folder_there_are_phantoms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields_module, "_make", lambda path, *rest: np.save(path, np.zeros((1, 8, 2, 2, 3), np.uint8)))
    made = field_set(None, TINY)
    assert made.real.tolist() == [False]
    assert made.groups == ("phantom-2000",)


def test_a_model_that_knows_the_answer_gets_full_marks() -> None:
    row = evaluate_focus_fields(ReadingModel(offset=2), telling_fields())
    for figure in ("srcc", "plcc", "krcc", "roc_auc", "pr_auc", "srcc_real", "srcc_phantoms", "srcc_within"):
        assert row[figure] == pytest.approx(1.0), figure
    assert row["mae_um"] == pytest.approx(0.5)
    assert (row["srcc_low"], row["srcc_high"]) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_model_without_a_scale_has_no_error_in_microns() -> None:
    model = ReadingModel()
    model.absolute = False
    assert "mae_um" not in evaluate_focus_fields(model, telling_fields())


# One failing model among others


def test_a_failing_model_says_why_and_the_others_go_on() -> None:
    fields = telling_fields()
    part = Part("focus-stacks", "key", lambda model: [evaluate_focus_fields(model, fields)])
    entries = [
        entry(BrokenModel("raises", ValueError("no such thing"))),
        entry(BrokenModel("nan", None)),
        entry(ReadingModel(), "untrained", weights=Path("nowhere.safetensors")),
        entry(ReadingModel()),
    ]
    rows = rows_of(evaluate_parts(entries, [part]), "focus-stacks")
    assert [row["model"] for row in rows] == ["raises", "nan", "untrained", "reading"]
    assert rows[0]["why"] == "ValueError: no such thing"
    assert "no number" in rows[1]["why"]
    assert rows[2]["why"] == "its weights are missing"
    assert rows[3]["srcc"] == pytest.approx(1.0)


def test_finished_models_are_not_judged_again_until_they_change(tmp_path: Path) -> None:
    fields, store = telling_fields(), ResultStore(tmp_path)
    part = Part("focus-stacks", fields.key, lambda model: [evaluate_focus_fields(model, fields)])
    weights = tmp_path / "reading.safetensors"
    weights.write_bytes(b"one")
    model = ReadingModel()
    first = evaluate_parts([entry(model, weights=weights)], [part], store)
    calls = model.calls
    assert evaluate_parts([entry(model, weights=weights)], [part], store) == first
    assert model.calls == calls
    weights.write_bytes(b"two")
    evaluate_parts([entry(model, weights=weights)], [part], store)
    assert model.calls > calls
    calls, model.version = model.calls, "2"
    evaluate_parts([entry(model, weights=weights)], [part], store)
    assert model.calls > calls


def test_a_failure_is_tried_again_and_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    fields, store = telling_fields(), ResultStore(tmp_path)
    part = Part("focus-stacks", fields.key, lambda model: [evaluate_focus_fields(model, fields)])
    model = BrokenModel("mends", ValueError("not yet"))
    assert evaluate_parts([entry(model)], [part], store)[0].why
    good = ReadingModel("mends")
    assert not evaluate_parts([entry(good)], [part], store)[0].why
    for stored in tmp_path.glob("*.json"):
        stored.write_text("{")
    assert evaluate_parts([entry(good)], [part], store)[0].rows[0]["srcc"] == pytest.approx(1.0)


# Shuffled weights


@pytest.fixture(scope="module")
def blurred_fields() -> FieldSet:
    rng = np.random.default_rng(4)
    images = np.empty((4, 8, 237, 237, 3), np.uint8)
    for field in range(4):
        grain = gaussian_filter(rng.standard_normal((237, 237, 3)), (1.2, 1.2, 0))
        for plane in range(8):
            soft = gaussian_filter(grain, (plane * 0.4, plane * 0.4, 0))
            images[field, plane] = np.clip(160 + 260 * soft + rng.normal(0, 1, soft.shape), 0, 255)
    levels = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    return FieldSet(images, levels, ("a", "b", "c", "d"), np.ones(4, bool), 0.25, "blurred")


def test_shuffled_weights_are_at_chance_and_trained_ones_are_not(blurred_fields: FieldSet) -> None:
    row = evaluate_shuffled("focuslitenn-10", models, blurred_fields, shuffles=20)
    assert row["trained_srcc"] > 0.7
    assert row["trained_roc_auc"] > 0.85
    assert abs(row["srcc"]) < 0.35
    assert row["srcc_low"] < 0 < row["srcc_high"]
    assert abs(row["roc_auc"] - 0.5) < 0.2
    assert row["as_good"] < 0.3


def test_shuffling_keeps_the_values_and_ends_with_the_block() -> None:
    from safetensors.numpy import load_file

    shipped = resource_path("weights", "focuslitenn-2.safetensors")
    with shuffled_weights(shipped, seed=1):
        replaced = resource_path("weights", "focuslitenn-2.safetensors")
        assert replaced != shipped
        before, after = load_file(shipped), load_file(replaced)
    assert resource_path("weights", "focuslitenn-2.safetensors") == shipped
    name = next(name for name in before if name.endswith("conv.weight"))
    np.testing.assert_array_equal(np.sort(before[name].ravel()), np.sort(after[name].ravel()))
    assert (before[name] != after[name]).any()


def test_a_model_without_weights_cannot_be_shuffled(blurred_fields: FieldSet) -> None:
    with pytest.raises(UserError, match="no weights to shuffle"):
        evaluate_shuffled("mlv", models, blurred_fields)


def test_weights_come_from_a_folder_where_it_has_them(tmp_path: Path) -> None:
    (tmp_path / "focuslitenn-1.safetensors").write_bytes(b"")
    with weights_from(tmp_path):
        assert resource_path("weights", "focuslitenn-1.safetensors").parent == tmp_path
        assert resource_path("weights", "focuslitenn-2.safetensors").parent != tmp_path


# Planes from planes


@pytest.mark.parametrize(("task", "inputs"), [("refocus", 1), ("refocus", 3), ("interpolate", 2), ("deblur", 3)])
def test_inputs_are_never_the_target_s_neighbours(task: str, inputs: int, rng: np.random.Generator) -> None:
    for _ in range(50):
        target, chosen = draw(task, inputs, 16, 7, rng)
        assert len(set(chosen)) == inputs
        assert all(0 <= plane < 16 and abs(plane - target) >= 2 for plane in chosen)
        assert task != "deblur" or target == 7


def test_copying_the_nearest_plane_scores_as_that_plane(texture_stack: Planes) -> None:
    rows = evaluate_refocus_planes(CopyingEngine(), [texture_stack], [("deblur", 1)])
    assert rows[0]["psnr"] == rows[0]["psnr_nearest"] < 40
    assert rows[0]["stacks"] == 1
    with pytest.raises(ValueError, match="too short"):
        draw("interpolate", 2, 4, 1, np.random.default_rng(0))


def test_one_input_plane_lies_on_the_side_that_engines_assume(texture_stack: Planes) -> None:
    engine = CopyingEngine()
    for seed in range(4):
        evaluate_refocus_planes(engine, [texture_stack], [("deblur", 1)], seed)
    assert all(target > planes[0] for planes, target in engine.asked)


def test_field_planes_say_where_their_best_plane_is() -> None:
    (first, *_) = field_planes(telling_fields(), crop_px=16)
    assert first.images.shape == (9, 16, 16, 3)
    assert first.best == 3
    assert first.z_um[3:5] == (0.0, 0.25)


@pytest.fixture
def texture_stack(rng: np.random.Generator) -> Planes:
    grain = gaussian_filter(rng.standard_normal((180, 180, 3)), (1, 1, 0))
    planes = [gaussian_filter(grain, (abs(z) * 2 + 0.3, abs(z) * 2 + 0.3, 0)) for z in np.arange(-1, 1.1, 0.25)]
    images = np.stack([np.clip(150 + 200 * plane, 0, 255).astype(np.uint8) for plane in planes])
    return Planes(images, tuple(np.arange(-1, 1.1, 0.25)), 4, "texture")


# Published data sets and figures


def test_published_sets_are_judged_by_their_own_truth(tmp_path: Path) -> None:
    make_focuspath(tmp_path / "FocusPath")
    make_tcga_focus(tmp_path / "TCGA@Focus")
    (tmp_path / "something else").mkdir()
    found = {dataset.name: dataset for dataset in present_datasets(tmp_path).usable}
    assert set(found) == {"focuspath", "tcga-focus"}
    model = next(item for item in models() if item.name == "mlv").build()
    levels = evaluate_focus_dataset(model, found["focuspath"], 24)
    assert levels["images"] <= 24
    assert levels["srcc"] > 0.7  # the miniature's planes are blurred by their level
    labels = evaluate_focus_dataset(model, found["tcga-focus"], 100)
    assert {"roc_auc", "pr_auc"} <= set(labels)
    assert "srcc" not in labels


def test_stacks_of_a_published_set_are_refocused(tmp_path: Path) -> None:
    make_focuspath(tmp_path / "FocusPath", size_px=180)
    (dataset,) = present_datasets(tmp_path).usable
    rows = evaluate_refocus_dataset(CopyingEngine(), dataset, limit=1, crop_px=176)
    assert {(row["task"], row["inputs"]) for row in rows} >= {("refocus", 1), ("interpolate", 2), ("deblur", 3)}
    assert all(row["dataset"] == "focuspath" and row["stacks"] == 1 for row in rows)


def test_without_data_sets_nothing_is_found_and_a_broken_one_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOCUSVIEWER_DATASETS", raising=False)
    assert present_datasets().usable == ()
    make_focuspath(tmp_path / "FocusPath")
    next((tmp_path / "FocusPath").rglob("*Slice03*.png")).unlink()
    found = present_datasets(tmp_path)
    assert found.usable == ()
    assert found.refused[0][0] == "FocusPath"


def test_every_published_figure_has_a_source_and_a_place() -> None:
    studies = published_studies()
    for study in studies["studies"]:
        assert study["source"] in studies["sources"], study["name"]
        assert study["table"]
        assert all(len(row) == len(study["columns"]) for row in study["rows"]), study["name"]
    assert published_focus()["focuslitenn-1"]["srcc"] == 0.8766
    assert published_focus()["fusion-rf-ms"]["srcc"] == 0.8625
    assert published_focus()["mlv"]["srcc"] == 0.8623
    assert all(table.note.startswith("Source: ") for table in published_tables())
