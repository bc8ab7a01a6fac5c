from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.registry import ModelEntry
from focusviewer.evaluation.transfer import (
    TrainedModel,
    orders_real_stacks,
    running_table,
    trained_models,
    transfer_rows,
    transfer_tables,
    update_table,
)
from focusviewer.focus.networks.focuslitenn import FocusLiteNNModule, save_weights
from focusviewer.refocus.base import Encoded, Refocuser

ABOUT = {"kind": "focus", "model": "focuslitenn-1", "weights": "abc", "simulator": "1", "stack": "brain"}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with one model, untrained."""
    torch.manual_seed(0)
    folder = tmp_path / "weights"
    folder.mkdir()
    save_weights(folder / "focuslitenn-1.safetensors", {0.25: FocusLiteNNModule(1)}, {"simulator": "7"})
    return folder


def _stack(folder: Path, name: str) -> None:
    (folder / "stacks/test" / name).mkdir(parents=True)
    for plane in range(3):
        pixels = np.random.default_rng(plane).integers(0, 255, (240, 240, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "stacks/test" / name / f"z{plane:02}.png")


def test_models_of_a_folder_are_judged_on_every_stack(weights: Path, tmp_path: Path) -> None:
    _stack(tmp_path, "one")
    _stack(tmp_path, "wbc-0054")
    models = trained_models(weights)
    assert [item.entry.name for item in models] == ["focuslitenn-1"]
    assert models[0].simulator == "7"
    rows = transfer_rows(models, tmp_path)
    assert [row["stack"] for row in rows] == ["one", "wbc-0054"]
    assert len(rows[0]["scores"]) == rows[0]["planes"] == 3
    assert rows[0]["weights"] == models[0].weights
    assert len(models[0].weights) == 12
    assert transfer_tables(rows)[0].markdown().count("focuslitenn-1") == 2


def test_weights_are_told_apart_by_their_content_and_keep_the_version_asked_for(weights: Path) -> None:
    stated = trained_models(weights, simulator="1")[0]
    save_weights(weights / "focuslitenn-1.safetensors", {0.25: FocusLiteNNModule(1)})
    silent = trained_models(weights, simulator="2")[0]
    assert stated.weights != silent.weights
    assert (stated.simulator, silent.simulator) == ("7", "2")
    assert trained_models(weights)[0].simulator == "unknown"


def test_the_running_table_knows_the_simulator_of_weights_it_has_met(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(weights / "focuslitenn-1.safetensors", {0.25: FocusLiteNNModule(1)})
    monkeypatch.setattr("focusviewer.evaluation.transfer.table_path", lambda: tmp_path / "transfer.csv")
    update_table([{**ABOUT, "weights": trained_models(weights)[0].weights, "simulator": "4"}])
    assert trained_models(weights)[0].simulator == "4"


def test_missing_weights_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="focuslitenn-10"):
        trained_models(weights, ["focuslitenn-10"])
    with pytest.raises(UserError, match="does not exist"):
        trained_models(tmp_path / "nowhere")


def test_a_new_version_keeps_the_rows_of_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    old = {
        **ABOUT,
        "planes": 3,
        "lowest": 1,
        "reference": [1, 1],
        "planes_off": 0,
        "monotone": 1.0,
        "scores": [2.0, 1.0, 3.0],
    }
    update_table([old], path)
    update_table([{**old, "simulator": "2", "monotone": 0.5}], path)
    update_table([{**old, "simulator": "2", "monotone": 0.75}], path)
    rows = running_table(path)
    assert [(row["simulator"], row["monotone"]) for row in rows] == [("1", 1.0), ("2", 0.75)]
    assert rows[0]["scores"] == [2.0, 1.0, 3.0]
    assert rows[0]["reference"] == [1, 1]
    assert rows[0]["srcc_below"] is None


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a table of transfer figures"):
        running_table(path)


def test_a_model_orders_real_stacks_only_when_every_long_stack_is_right() -> None:
    right = {**ABOUT, "planes": 9, "reference": [4, 4], "planes_off": 1, "monotone": 0.9}
    assert orders_real_stacks([right]) == {"focuslitenn-1": True}
    assert orders_real_stacks([right, {**right, "planes_off": 2}]) == {"focuslitenn-1": False}
    assert orders_real_stacks([right, {**right, "monotone": 0.85}]) == {"focuslitenn-1": False}
    assert orders_real_stacks([right, {**right, "planes": 5, "monotone": 0.0}]) == {"focuslitenn-1": True}
    assert orders_real_stacks([{**right, "reference": None}]) == {}


class Brightening(Refocuser):
    """Adds ten gray levels, whatever is asked of it."""

    name = "brightening"
    halo_px = 0

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        shape = images[0].shape[:2]
        return Encoded((shape[0], shape[1]), mpp, tuple(planes_um), np.ones(shape, np.float32), images[0])

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        return np.asarray(np.minimum(encoded.state.astype(int) + 10, 255), np.uint8)


def test_engines_have_means_over_blurred_planes_and_the_best_one_apart(tmp_path: Path) -> None:
    for plane in range(6):  # the stated best one is 5
        folder = tmp_path / "stacks/test/wbc-0054"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 100 - 10 * (5 - plane), np.uint8)).save(folder / f"z{plane:02}.png")
    entry = ModelEntry("brightening", "refocus", Brightening, "", tmp_path, trained=True)
    rows = transfer_rows([TrainedModel(entry, "abc", "1")], tmp_path)
    assert [(row["kind"], row["stack"], row["planes"]) for row in rows] == [("refocus", "wbc-0054", 6)]
    # Planes are 10, 20 ... 50 levels too dark, and are made 10 brighter; the nearest one becomes perfect.
    gains = 20 * np.log10([50 / 40, 40 / 30, 30 / 20, 20 / 10])
    assert rows[0]["worst_gain_db"] == pytest.approx(gains.min(), abs=0.01)
    assert rows[0]["gain_db"] > gains.mean()
    assert rows[0]["kept_db"] == pytest.approx(20 * np.log10(255 / 10), abs=0.01)
    assert transfer_tables(rows)[0].name == "transfer-refocus"


def test_every_shipped_model_can_be_judged() -> None:
    names = [item.entry.name for item in trained_models()]
    assert {"focuslitenn-10", "hifst", "fast"} <= set(names)


def test_damaged_weights_are_named(weights: Path) -> None:
    (weights / "focuslitenn-1.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UserError, match=r"focuslitenn-1\.safetensors"):
        trained_models(weights)
