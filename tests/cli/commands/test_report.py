from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.verdicts.judgement import Judgement, Verdict
from focusviewer.qc.worklist.records import RegionRow, Result, SlideFacts
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from tests.cli.tools import Outcome

NAME = '=1+1 <script>"x"\né' + "n" * 180 + ".svs"

Command = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a batch left: a slide to rescan that a person looked at, and a broken file."""
    out = tmp_path / "out"
    out.mkdir()
    facts = SlideFacts("ab" * 16, Path("/data") / NAME, NAME, "S-1")
    features = SlideFeatures(True, 10.0, 100, 0.4, 3.0, 0.2, 4.0, 0.0, 0.0, 0.25, True)
    judgement = Judgement(Verdict.RESCAN, 70.0, ("40% of the tissue is blurred",), "default 1")
    result = Result(facts, features, judgement, (RegionRow(0, 0, 4000, 2000, 4.0, 0.5),), "test", "1", "slides/a")
    with Worklist(out / FILE_NAME) as worklist:
        worklist.record(result)
        worklist.record_failure(Path("/data/broken.svs"), "Cannot open broken.svs: it is empty.")
    return out


def test_report_writes_every_output_again_with_new_verdicts(command: Command, folder: Path) -> None:
    with Worklist(folder / FILE_NAME) as worklist:
        worklist.give_verdict("ab" * 16, Verdict.PASS, "MK", "fine")
    done = command("report", folder)
    assert done.code == 0 and "2 files: 1 PASS, 1 FAILED" in done.out
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "worklist.csv", "worklist.json", "rescan.csv", "rescan.json"} <= names
    with (folder / "worklist.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["verdict"], line["program_verdict"]) for line in lines] == [("PASS", "RESCAN"), ("FAILED", "")]
    assert lines[0]["path"] == f"/data/{NAME}" and lines[0]["name"] == f"'{NAME}"
    assert "<script>&quot;" not in (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "rescan.json").read_text(encoding="utf-8"))["slides"] == []


def test_report_writes_only_what_is_named(command: Command, folder: Path, tmp_path: Path) -> None:
    before = {path.name for path in folder.iterdir() if "sqlite" not in path.name}
    done = command("report", folder / FILE_NAME, "--rescan", tmp_path / "plan.json", "--csv", tmp_path / "a.csv")
    assert done.code == 0
    assert {path for path in folder.iterdir() if "sqlite" not in path.name} == {
        p for p in before if "sqlite" not in p.name
    }
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert plan["slides"][0]["regions"][0]["width_mm"] == 1.0
    assert (tmp_path / "a.csv").exists()


def test_report_prints_one_document(command: Command, folder: Path) -> None:
    document = command("report", folder, "--json").document
    assert document["counts"]["rescan"] == 1 and document["counts"]["failed"] == 1
    assert document["slides"][0]["path"] == f"/data/{NAME}"
    assert len(document["written"]) == 5


def test_report_writes_pdf_without_a_display(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("report", folder, "--pdf", tmp_path / "a.pdf")
    assert done.code == 0, done.err
    data = (tmp_path / "a.pdf").read_bytes()
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")


def test_report_refuses_what_it_cannot_do(command: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "report.html").write_text("<html></html>")
    for arguments, says in (
        ([tmp_path / "nowhere"], "worklist"),
        ([tmp_path], "no worklist.sqlite"),
        ([folder / "report.html"], "written from one"),
        ([folder, "--pdf", tmp_path / "a.txt"], ".pdf"),
        ([folder, "--rescan", tmp_path / "a.xlsx"], ".csv or .json"),
        ([folder, "--csv", folder / FILE_NAME], ".csv"),
        ([folder, "--rules", tmp_path / "none.toml"], "rules"),
    ):
        done = command("report", *arguments)
        assert done.code == 2 and says in done.err and len(done.err.splitlines()) == 1
    assert not (tmp_path / "worklist.sqlite").exists()


def test_an_empty_file_does_not_become_a_worklist(command: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    done = command("report", empty)
    assert done.code == 2 and "empty.sqlite is empty" in done.err
    assert empty.stat().st_size == 0


def test_view_takes_links_and_places(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from focusviewer.qc.reports.links import open_link

    asked: list[object] = []
    monkeypatch.setattr(
        "focusviewer.app.run_view", lambda paths, at, linked: asked.append((list(paths) + linked, at)) or 0
    )
    path = tmp_path / "a & b.svs"
    path.touch()
    assert command("view", open_link(path, (40, 50))).code == 0
    assert command("view", path, "--at", "7,8").code == 0
    assert command("view", path).code == 0
    assert asked == [([path], (40.0, 50.0)), ([path], (7.0, 8.0)), ([path], None)]
    for arguments in ([path, "--at", "7"], ["focusviewer://open"]):
        done = command("view", *arguments)
        assert done.code == 2 and len(done.err.splitlines()) == 1
