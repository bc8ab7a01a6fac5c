"""Whatever is wrong with the input: one clear line on stderr, nothing on stdout, exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.tools import Outcome, tissue_like

Command = Callable[..., Outcome]

KINDS = ("missing", "empty file", "truncated slide", "text named svs", "folder without images", "one pixel")


def make(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.svs"
    if kind == "empty file":
        path.touch()
    elif kind == "truncated slide":
        whole = folder / "whole.tif"
        Image.fromarray(tissue_like(600, 800)).save(whole)
        data = whole.read_bytes()
        path.write_bytes(data[: len(data) // 3])
    elif kind == "text named svs":
        path.write_text("This is a letter, not a slide.\n" * 50)
    elif kind == "folder without images":
        path = folder / kind
        path.mkdir()
        (path / "notes.txt").write_text("nothing to see")
    elif kind == "one pixel":
        path = folder / "one pixel.png"
        Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(path)
    return path


def check(outcome: Outcome, name: str) -> None:
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    lines = outcome.err.strip().splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("focusviewer: ")
    assert name in lines[0]
    assert "Traceback" not in lines[0]


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_info_explains(command: Command, tmp_path: Path, kind: str, json: bool) -> None:
    path = make(kind, tmp_path)
    check(command("info", path, *(["--json"] if json else [])), path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_score_and_heatmap_explain(command: Command, tmp_path: Path, kind: str) -> None:
    path = make(kind, tmp_path)
    check(command("score", path, "--model", "mlv"), path.name)
    check(command("heatmap", path, "--model", "mlv", "--out", tmp_path / "out"), path.name)


@pytest.mark.parametrize("kind", KINDS)
def test_refocus_and_simulate_explain(command: Command, tmp_path: Path, kind: str, adding_engine: object) -> None:
    path = make(kind, tmp_path)
    check(command("refocus", path, "--z", "1", "--mpp", "0.25", "--out", tmp_path / "out.png"), path.name)
    check(command("simulate", "defocus", path, "--z", "1", "--mpp", "0.25", "--out", tmp_path / "o.png"), path.name)


def test_a_real_slide_that_was_cut_short_is_explained(command: Command, tmp_path: Path, data_dir: Path) -> None:
    path = tmp_path / "cut.svs"
    data = (data_dir / "wsi" / "cmu-1-small-region.svs").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    check(command("info", path), path.name)


def test_an_output_folder_that_cannot_be_made_is_explained(command: Command, tmp_path: Path, picture: Path) -> None:
    blocker = tmp_path / "a file"
    blocker.touch()
    check(command("heatmap", picture, "--model", "mlv", "--out", blocker / "results"), "a file")
    check(command("simulate", "defocus", picture, "--z", "1", "--mpp", "1", "--out", blocker / "x.png"), "a file")
    check(command("train", "focus", "--out", blocker / "weights"), "a file")
    check(command("heatmap", picture, "--model", "mlv", "--out", blocker), "it is a file, not a folder")
    check(command("simulate", "stack", "--out", blocker / "x.ome.tif"), "it is a file, not a folder")


@pytest.mark.parametrize(
    "line",
    [
        "refocus WRONG --z 1 --mpp 0.25 --out OUT/a.png",
        "refocus PICTURE --z 1 --mpp 0.25 --region 0,0,9000,9000 --out OUT/a.png --confidence OUT/too/c.npy",
        "refocus PICTURE --map WRONG --mpp 0.25 --out OUT/a.png",
        "refocus PICTURE --mode defocus --z 1.4 --mpp 0.25 --out OUT/a.ome.tif",
        "refocus PICTURE --sweep 0:9:1 --mpp 0.25 --out OUT/a.webp",
        "simulate defocus WRONG --z 1 --mpp 1 --out OUT/a.png",
        "simulate stack --patch WRONG --mpp 1 --out OUT/a.ome.tif",
        "simulate dataset --patches WRONG --out OUT",
        "heatmap WRONG --model mlv --out OUT",
        "score WRONG --model mlv",
        "qc WRONG --out OUT --pdf OUT/too/a.pdf",
        "report WRONG --html OUT/a.html",
        "evaluate forward WRONG WRONG --mpp 0.25 --out OUT",
        "evaluate forward --data WRONG --out OUT",
        "evaluate transfer --model nobody --out OUT",
        "evaluate transfer --data WRONG --model focuslitenn-1 --out OUT",
        "evaluate refocus --data WRONG --out OUT",
        "evaluate ablation --data WRONG --out OUT",
        "evaluate all --data WRONG --report OUT",
        "train focus --model nobody --out OUT",
        "train focus --data WRONG --out OUT",
        "train detector --data WRONG --out OUT",
    ],
)
def test_a_wrong_input_leaves_nothing_behind(
    command: Command, tmp_path: Path, picture: Path, adding_engine: object, line: str
) -> None:
    names = {"WRONG": tmp_path / "nowhere", "PICTURE": picture, "OUT": tmp_path / "results" / "new"}
    words = [names[first].joinpath(*rest) if first in names else "/".join((first, *rest))
             for first, *rest in (word.split("/") for word in line.split())]  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    assert command(*words).code == 2
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("out", ["a.png", "a.tif", "a.ome.tif", "a.gif"])
def test_folders_of_outputs_are_made(
    command: Command, tmp_path: Path, picture: Path, adding_engine: object, out: str
) -> None:
    path = tmp_path / "results" / "new" / out
    focus = ("--sweep", "0:1:1") if out.endswith("gif") else ("--z", "1")
    assert command("refocus", picture, *focus, "--mpp", "0.25", "--out", path).code == 0
    assert path.is_file()
    truth = tmp_path / "truth" / "new" / out
    assert (
        command("simulate", "defocus", picture, "--z", "1", "--mpp", "1", "--out", truth.with_suffix(".png")).code == 0
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--mpp", "1000"), "1000"),
        (("--mpp", "0"), "--mpp"),
        (("--mpp", "nan"), "--mpp"),
        (("--magnification", "-20"), "--magnification"),
        (("--mpp", "0.25", "--magnification", "40"), "--magnification"),
    ],
)
def test_an_impossible_scale_is_refused(command: Command, picture: Path, options: tuple[str, ...], word: str) -> None:
    check(command("info", picture, *options), word)


def test_a_threshold_must_be_a_number(command: Command, picture: Path) -> None:
    check(command("heatmap", picture, "--model", "mlv", "--threshold", "nan"), "--threshold")


def test_an_unknown_model_is_answered_with_the_known_ones(command: Command, picture: Path) -> None:
    outcome = command("score", picture, "--model", "mlw")
    check(outcome, "mlw")
    assert "mlv" in outcome.err
