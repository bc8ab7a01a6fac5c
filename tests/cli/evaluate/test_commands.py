from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from focusviewer.core.registry import ModelEntry
from focusviewer.evaluation.suites.focus import simulated as focus_module
from focusviewer.evaluation.test_sets import fields as fields_module
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.focus.registry import models
from focusviewer.refocus.base import Refocuser
from focusviewer.training.datasets import Dataset
from tests.cli.tools import AddingEngine, Outcome, tissue_like

Command = Callable[..., Outcome]

PROTOCOL_ROW = {"task": "refocus", "inputs": 3, "pictures": 1, "ssim": 0.9, "published_ssim": 0.9518}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one real stack, and small test stacks in place of the simulated ones."""
    folder = tmp_path / "data/stacks/test/wbc-0054"
    folder.mkdir(parents=True)
    for plane in range(10):
        soft = gaussian_filter(tissue_like(240, 240), (abs(plane - 5) * 0.7, abs(plane - 5) * 0.7, 0))
        Image.fromarray(soft).save(folder / f"z{plane}.png")
    images = np.stack([[_soft(seed, level) for level in range(6)] for seed in range(4)])
    levels = np.tile(np.arange(6, dtype=np.float32), (4, 1))
    small = FieldSet(images, levels, ("a", "b", "c", "d"), np.ones(4, bool), 0.25, "small")
    monkeypatch.setattr(fields_module, "field_set", lambda *args, **options: small)
    monkeypatch.setattr(focus_module, "RESAMPLES", 20)
    monkeypatch.setenv("FOCUSVIEWER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("FOCUSVIEWER_DATASETS", raising=False)
    return tmp_path


def _soft(seed: int, level: int) -> np.ndarray:
    return gaussian_filter(tissue_like(240, 240, seed), (level * 0.5, level * 0.5, 0))


def test_focus_tables_keep_their_keys_and_gain_new_ones(bench: Path, command: Command) -> None:
    done = command("evaluate", "focus", "--model", "mlv", "--quick", "--json", "--out", bench / "out")
    assert done.code == 0
    document = done.document
    assert {"simulated", "real", "stacks", "datasets", "failed"} <= set(document)
    (row,) = document["real"]
    assert row["stack"] == "wbc-0054"
    assert (row["lowest"], row["planes_off"], row["reference"]) == (5, 0, [5, 5])
    assert row["srcc_below"] == row["srcc_above"] == pytest.approx(1.0)
    assert document["stacks"][0]["srcc"] > 0.9
    assert {path.name for path in (bench / "out").iterdir()} == {
        "tables.md",
        "tables.json",
        "focus-stacks.csv",
        "focus-scales.csv",
        "focus-real.csv",
    }


def test_people_get_tables_with_intervals(bench: Path, command: Command) -> None:
    done = command("evaluate", "focus", "--model", "mlv", "--quick")
    assert done.code == 0
    assert "Simulated test stacks" in done.out
    assert "wbc-0054" in done.out


def test_missing_weights_are_listed_beside_the_others(
    bench: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained = ModelEntry("untrained", "focus", lambda: None, "", None, trained=True)
    known = [entry for entry in models() if entry.name == "mlv"]
    monkeypatch.setattr("focusviewer.focus.models", lambda: [*known, untrained])
    done = command("evaluate", "focus", "--all", "--quick", "--json")
    assert done.code == 0
    assert {row["model"] for row in done.document["stacks"]} == {"mlv", "untrained"}
    assert {row["why"] for row in done.document["failed"] if row["model"] == "untrained"} == {"its weights are missing"}
    alone = command("evaluate", "focus", "--model", "untrained", "--quick")
    assert alone.code == 2
    assert "weights are missing" in alone.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["focus", "--model", "nobody"], "no focus model 'nobody'"),
        (["refocus", "--engine", "nobody"], "no refocusing engine 'nobody'"),
        (["focus", "--weights", "nowhere"], "No weights in nowhere"),
        (["focus", "--weights", "."], "No weights of focuslitenn-10 in ."),
        (["refocus", "--weights", "."], "No weights of learned in ."),
        (["focus", "--data", "nowhere"], "No training data at nowhere"),
        (["focus", "--datasets", "nowhere"], "Cannot read nowhere"),
    ],
)
def test_wrong_names_and_folders_are_told_in_one_line(
    bench: Path, command: Command, arguments: list[str], text: str
) -> None:
    done = command("evaluate", *arguments, "--quick")
    assert done.code == 2
    assert text in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_shuffled_models_are_judged_and_measures_have_nothing_to_shuffle(bench: Path, command: Command) -> None:
    done = command(
        "evaluate", "focus", "--shuffled", "3", "--model", "focuslitenn-1", "--model", "mlv", "--quick", "--json"
    )
    assert done.code == 0
    trained, measure = done.document["shuffled"]
    assert trained["shuffles"] == 3
    assert -1 <= trained["srcc"] <= 1
    assert "no weights to shuffle" in measure["why"]


def test_a_study_is_written_and_resumed(bench: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [entry for entry in models() if entry.name in ("mlv", "variance")]
    monkeypatch.setattr("focusviewer.focus.models", lambda: known)
    monkeypatch.setattr("focusviewer.cli.commands.models.entries", lambda: known)
    report = bench / "report"
    first = command("evaluate", "all", "--report", report, "--quick", "--json")
    assert first.code == 0
    assert (report / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert {table["name"] for table in first.document["tables"]} >= {"focus-stacks", "focus-real"}

    def refuse(*arguments: object) -> object:
        raise AssertionError("judged again")

    monkeypatch.setattr("focusviewer.evaluation.suites.bench.evaluate_focus_fields", refuse)
    monkeypatch.setattr("focusviewer.evaluation.suites.bench.evaluate_focus", refuse)
    second = command("evaluate", "all", "--report", report, "--quick", "--json")
    assert second.document["tables"] == first.document["tables"]
    assert {row["part"] for row in second.document["failed"]} <= {"focus-scales"}  # these fields are too small for it


def test_refocusing_is_judged_part_by_part_with_pictures_to_look_at(
    bench: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr("focusviewer.refocus.engines", lambda: [ModelEntry("learned", "refocus", AddingEngine, "")])
    monkeypatch.setattr("focusviewer.evaluation.suites.refocus.competitors.BLIND", "nobody")
    monkeypatch.setattr(
        "focusviewer.evaluation.pictures.write_pictures",
        lambda engine, work, folder, tell: drawn.append((engine.name, folder)),
    )
    done = command("evaluate", "refocus", "--part", "refocus-real", "--quick", "--json", "--out", bench / "out")
    assert done.code == 0
    document = done.document
    assert {"simulated", "real", "planes", "inputs", "gaps", "traverse", "uneven", "honesty", "datasets"} <= set(
        document
    )
    assert len(document["real"]) == 10
    assert document["planes"] == []
    (summed,) = document["real_summary"]
    assert (summed["task"], summed["pictures"], summed["worst_stack"]) == ("to best focus", 9, "wbc-0054")
    assert drawn == [(AddingEngine.name, bench / "out" / "pictures" / "learned")]
    assert (bench / "out" / "refocus-real-summary.csv").exists()
    refused = command("evaluate", "refocus", "--part", "beauty", "--quick")
    assert (refused.code, "no part 'beauty'" in refused.err) == (2, True)


def test_a_published_protocol_is_one_command(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(engine: Refocuser, dataset: Dataset, stacks: int | None) -> list[dict[str, object]]:
        assert (dataset.name, stacks) == ("focuspath", 1)
        return [dict(PROTOCOL_ROW)]

    monkeypatch.setattr("focusviewer.evaluation.suites.refocus.protocol.evaluate_protocol", rows)
    (tmp_path / "FocusPath").mkdir()
    for strip, plane in np.ndindex(2, 16):
        name = f"Slide01_Strip{strip:02d}_Slice{plane + 1:02d}_Position01.png"
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "FocusPath" / name)
    options = ("--datasets", tmp_path, "--stacks", "1")
    done = command("evaluate", "refocus", "--protocol", "focuspath", *options, "--json", "--out", tmp_path / "out")
    assert done.code == 0
    assert done.document["rows"][0] == {"model": "learned", **PROTOCOL_ROW}
    assert "0.9518" in (tmp_path / "out" / "protocol.md").read_text("utf-8")
    missing = command("evaluate", "refocus", "--protocol", "focuspath", "--datasets", tmp_path / "out")
    assert (missing.code, "No FocusPath" in missing.err) == (2, True)
    unknown = command("evaluate", "refocus", "--protocol", "somebody's", *options)
    assert (unknown.code, "no protocol" in unknown.err) == (2, True)
