from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from focusviewer.core.errors import CancelledError
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]


@pytest.fixture
def blurred(picture: Path) -> Path:
    path = picture.with_name("blurred.png")
    Image.open(picture).filter(ImageFilter.GaussianBlur(2)).save(path)
    return path


def test_info_is_one_json_document_with_the_agreed_keys(command: Command, stack: Path) -> None:
    outcome = command("info", stack, "--json")
    document = outcome.document
    keys = {"path", "format", "vendor", "dimensions", "levels", "mpp", "objective_power", "planes_um", "fingerprint"}
    assert keys <= set(document)
    assert outcome.err == ""
    assert document["dimensions"] == [400, 300]
    assert document["mpp"] == pytest.approx(0.25)
    assert np.diff(document["planes_um"]) == pytest.approx([0.5, 0.5])


def test_info_for_people_asks_for_the_scale_a_file_lacks(command: Command, picture: Path) -> None:
    assert "unknown" in command("info", picture).out
    assert "0.25 um" in command("info", picture, "--magnification", "40").out


def test_every_image_gets_a_score_from_every_model(command: Command, picture: Path, blurred: Path) -> None:
    outcome = command("score", picture, blurred, "--model", "mlv", "--model", "energy-ratio", "--json")
    document = outcome.document
    assert [(Path(entry["path"]), entry["model"]) for entry in document] == [
        (picture, "mlv"),
        (picture, "energy-ratio"),
        (blurred, "mlv"),
        (blurred, "energy-ratio"),
    ]
    sharp_mlv, sharp_ratio, blurred_mlv, blurred_ratio = (entry["score"] for entry in document)
    assert blurred_mlv > sharp_mlv
    assert blurred_ratio > sharp_ratio


def test_the_planes_of_a_stack_are_scored_one_by_one(command: Command, stack: Path) -> None:
    scores = [entry["score"] for entry in command("score", stack, "--model", "mlv", "--json").document]
    assert np.argmin(scores) == 1
    one = command("score", stack, "--model", "mlv", "--plane", 2, "--json").document
    assert [entry["score"] for entry in one] == [scores[2]]
    assert command("score", stack, "--model", "mlv", "--plane", 3).code == 2


def test_an_assumed_scale_is_said(command: Command, picture: Path) -> None:
    assumed = command("score", picture)
    assert assumed.code == 0
    assert "0.25 um" in assumed.err
    assert command("score", picture, "--json").document[0]["mpp_assumed"] is True
    stated = command("score", picture, "--mpp", "0.25", "--json")
    assert stated.document[0]["mpp_assumed"] is False
    assert stated.err == ""


def test_a_map_that_needs_microns_asks_for_them(command: Command, picture: Path, tmp_path: Path) -> None:
    outcome = command("heatmap", picture, "--out", tmp_path / "map")
    assert outcome.code == 2
    assert "--mpp" in outcome.err
    assert not (tmp_path / "map" / "map.npz").exists()


def test_a_map_leaves_its_four_files(command: Command, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "Fokus 1"
    document = command("heatmap", picture, "--mpp", 0.25, "--out", out, "--json").document
    keys = {"model", "window_px", "stride_px", "mpp", "windows", "tissue_windows", "median", "p95"}
    assert keys | {"blurred_fraction", "seconds", "decode_seconds"} <= set(document)
    with np.load(out / "map.npz") as content:
        blur, x, y = content["blur"], content["x"], content["y"]
    assert blur.dtype == np.float32
    assert blur.shape == (y.size, x.size)
    assert int(np.isfinite(blur).sum()) == document["tissue_windows"] > 0
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["median"] == document["median"]
    assert json.loads((out / "map.geojson").read_text(encoding="utf-8"))["type"] == "FeatureCollection"
    with Image.open(out / "map.png") as image:
        assert image.mode == "RGBA"
        assert image.width / blur.shape[1] == image.height / blur.shape[0]


def test_a_relative_measure_maps_without_a_scale(command: Command, picture: Path) -> None:
    document = command("heatmap", picture, "--model", "energy-ratio", "--json").document
    assert document["mpp"] is None
    assert document["tissue_windows"] > 0
    assert document["blurred_fraction"] is None
    told = command("heatmap", picture, "--model", "energy-ratio").out
    assert "median blur" in told
    assert "at or above" not in told


@pytest.mark.parametrize("region", ["1,2,3", "0,0,0,10", "600,0,100,100", "a,b,c,d"])
def test_a_region_that_is_none_is_refused(command: Command, picture: Path, region: str) -> None:
    outcome = command("heatmap", picture, "--model", "mlv", "--region", region)
    assert outcome.code == 2
    assert region in outcome.err


def test_an_empty_slide_has_null_for_what_cannot_be_told(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "glass.png"
    Image.fromarray(np.full((600, 600, 3), 244, np.uint8)).save(path)
    document = command("heatmap", path, "--model", "mlv", "--out", tmp_path / "map", "--json").document
    assert document["tissue_windows"] == 0
    assert document["median"] is None


def test_ctrl_c_cancels_a_map_instead_of_waiting_for_it(
    command: Command, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object, cancel: threading.Event, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)
        assert cancel.wait(10)
        raise CancelledError

    monkeypatch.setattr("focusviewer.focus.mapping.service.map_slide", endless)
    before = signal.getsignal(signal.SIGINT)
    outcome = command("heatmap", picture, "--model", "mlv")
    assert outcome.code == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_slide_too_large_for_one_score_is_referred_to_the_map(
    command: Command, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focusviewer.cli.commands.score.MAX_PIXELS", 1000)
    outcome = command("score", picture, "--model", "mlv")
    assert outcome.code == 2
    assert f"heatmap '{picture}'" in outcome.err


def test_parts_that_could_not_be_read_are_told(
    command: Command, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from focusviewer.focus import map_slide

    def damaged(*arguments: object, **options: object) -> object:
        return replace(map_slide(*arguments, **options), unreadable=7)  # type: ignore[arg-type]

    assert "unreadable" not in command("heatmap", picture, "--model", "mlv").out
    monkeypatch.setattr("focusviewer.focus.mapping.service.map_slide", damaged)
    assert "7 windows with tissue could not be decoded" in command("heatmap", picture, "--model", "mlv").out
