from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.tools import Outcome


@pytest.fixture(scope="module")
def deep_stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from focusviewer.cli.program import run

    path = tmp_path_factory.mktemp("stack") / "stack.ome.tif"
    arguments = [
        "simulate",
        "stack",
        "--out",
        str(path),
        "--seed",
        "3",
        "--size",
        "520x500",
        "--planes",
        "5",
        "--step",
        "1",
    ]
    assert run(arguments) == 0
    return path


def test_a_stack_calibrates_a_model_and_maps_say_so(deep_stack: Path, command: Callable[..., Outcome]) -> None:
    document = command("calibrate", deep_stack, "--model", "tenengrad", "--json").document
    assert document["model"] == "tenengrad" and "0.25 um" in document["scanner"]
    assert 0 <= document["reference"] <= 4 and document["um"] == sorted(document["um"])
    found = command("heatmap", deep_stack, "--model", "tenengrad", "--plane", document["reference"], "--json").document
    assert found["calibration"].startswith("stack stack.ome.tif") and found["absolute"]
    assert found["scanner"] == document["scanner"] and found["median"] * 0.25 < 0.5
    assert isinstance(found["regions"], list) and found["cannot_tell_windows"] >= 0
    raw = command("heatmap", deep_stack, "--model", "tenengrad", "--raw", "--json").document
    assert raw["calibration"] is None and not raw["absolute"]
    listed = command("calibrate", "--json").document
    assert listed[0]["scanner"] == document["scanner"]
    assert command("calibrate", deep_stack, "--model", "tenengrad", "--forget", "--json").document["forgotten"] == 1
    assert command("calibrate", deep_stack, "--model", "tenengrad", "--forget").code == 2


@pytest.mark.parametrize(
    "arguments",
    [("--reference", "9"), ("--mark", "0,0,10"), ("--mark", "0,0,100,100=far"), ("--step", "-1"), ("--model", "none")],
)
def test_what_cannot_be_is_told_in_one_line(
    deep_stack: Path, command: Callable[..., Outcome], arguments: tuple[str, str]
) -> None:
    outcome = command("calibrate", deep_stack, *arguments)
    assert outcome.code == 2 and outcome.err.count("\n") == 1
