from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.tools import Outcome
from tests.training.datasets.miniatures import make_bbbc006, make_focuspath, make_kimia, make_tcga_focus

Command = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_focuspath(tmp_path / "FocusPath", slides=3)
    make_tcga_focus(tmp_path / "TCGA@Focus")
    make_kimia(tmp_path / "KimiaPath24")
    return tmp_path


def test_what_is_there_and_what_is_missing_is_listed(command: Command, root: Path) -> None:
    outcome = command("datasets", root, "--json")
    assert outcome.code == 0, outcome.err
    found = {one["name"]: one for one in outcome.document["datasets"]}
    assert set(found) == {"focuspath", "tcga-focus", "kimia-path24"}
    assert (found["focuspath"]["images"], found["focuspath"]["stacks"], found["focuspath"]["slides"]) == (96, 6, 3)
    assert found["focuspath"]["splits"]["strips"] == {"train": 48, "validation": 0, "test": 48}
    assert sum(found["tcga-focus"]["splits"]["cases"].values()) == 16
    missing = {one["name"]: one["url"] for one in outcome.document["missing"]}
    assert set(missing) == {"deepfocus", "bbbc006", "path-dt-msu"} and "1134848" in missing["deepfocus"]


def test_the_folder_is_taken_from_the_environment(
    command: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSVIEWER_DATASETS", str(root))
    outcome = command("datasets")
    assert outcome.code == 0 and "FocusPath" in outcome.out and "96 of the 8,640 images" in outcome.out
    monkeypatch.setenv("FOCUSVIEWER_DATASETS", str(root / "nowhere"))
    assert command("datasets").code == 2


def test_without_a_folder_it_says_where_to_download(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOCUSVIEWER_DATASETS", raising=False)
    outcome = command("datasets")
    assert outcome.code == 0 and "https://zenodo.org/record/3926181" in outcome.out
    assert "FOCUSVIEWER_DATASETS" in outcome.err
    assert command("datasets", "--check").code == 2


def test_a_data_set_below_another_name_is_still_listed_when_given_itself(command: Command, tmp_path: Path) -> None:
    root = make_bbbc006(tmp_path / "downloads")
    (found,) = command("datasets", root, "--json").document["datasets"]
    assert found["name"] == "bbbc006" and found["stacks"] == 6 and found["warnings"] == 1


def test_the_check_finds_a_damaged_image_and_ends_with_2(command: Command, root: Path) -> None:
    assert command("datasets", root, "--check").code == 0
    path = root / "TCGA@Focus" / "Image Patches Database" / "In Focus"
    image = sorted(path.rglob("*.png"))[0]
    image.write_bytes(image.read_bytes()[:100])
    assert command("datasets", root).code == 0, "listing does not decode"
    outcome = command("datasets", root, "--check", "--json")
    assert outcome.code == 2 and "1 error found" in outcome.err
    found = {one["name"]: one for one in outcome.document["datasets"]}
    assert found["tcga-focus"]["errors"] == 1 and found["tcga-focus"]["findings"][0]["path"] == str(image)


def test_a_file_that_is_no_stack_ends_with_2(command: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    outcome = command("datasets", tmp_path / "notes.txt")
    assert outcome.code == 2 and "plain text" in outcome.out and "1 error found" in outcome.err


def test_a_manifest_is_written_once_and_then_compared(command: Command, root: Path, tmp_path: Path) -> None:
    sums = tmp_path / "sums.json"
    first = command("datasets", root, "--manifest", sums, "--json")
    assert first.code == 0 and first.document["manifest"]["written"] and sums.exists()
    again = command("datasets", root, "--manifest", sums, "--json").document["manifest"]
    assert not again["written"] and again["errors"] == 0 and again["files"] == first.document["manifest"]["files"]
    (root / "TCGA@Focus" / "TCGA@Focus.txt").write_text("x")
    outcome = command("datasets", root, "--manifest", sums)
    assert outcome.code == 2 and "TCGA@Focus.txt" in outcome.out


def test_findings_of_the_scan_are_shown(command: Command, root: Path) -> None:
    next((root / "FocusPath").rglob("*Slice03*")).unlink()
    outcome = command("datasets", root)
    assert outcome.code == 0 and "error" in outcome.out and "lacks plane 3 of 16" in outcome.out


def test_folders_of_nothing_known_are_named(command: Command, root: Path) -> None:
    (root / "holiday").mkdir()
    (root / "holiday" / "film.mov").write_bytes(b"x")
    assert command("datasets", root, "--json").document["unrecognised"] == [str(root / "holiday")]
    assert "film" not in command("datasets", root).out and "holiday holds no data set" in command("datasets", root).out
    (root / "empty").mkdir()
    assert "empty holds no data set" in command("datasets", root / "empty").out
