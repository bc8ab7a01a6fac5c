from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.mapping.geojson import to_geojson
from focusviewer.qc.reports.csvtext import guard, read_table, unguard, write_table
from focusviewer.qc.reports.exports import COLUMNS, document, read_csv, write_csv, write_json
from focusviewer.qc.reports.focusplan import plan_region, rescan_list, write_rescan
from focusviewer.qc.reports.links import open_command, open_link, parse_link
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules
from focusviewer.qc.worklist.records import FileRow, RegionRow
from tests.qc.worklists import HOSTILE, MPP, fill, focus_map, open_worklist, result_of

FORMULA = tuple("=+-@\t\r\n")


def test_hostile_names_come_back_from_csv_to_the_letter(tmp_path: Path) -> None:
    paths = [Path("/data") / name for name in HOSTILE]
    with open_worklist(tmp_path) as worklist:
        fill(worklist, paths, Rules(), files=0)
        worklist.give_verdict(f"{1:032x}", Verdict.PASS, "=cmd|' /C calc'!A0", 'a "note"\n=1+1; é')
        write_csv(worklist, tmp_path / "worklist.csv")
    lines = read_csv(tmp_path / "worklist.csv")
    assert {line["path"] for line in lines} == {str(path) for path in paths}
    assert {line["name"] for line in lines} == {path.name for path in paths}
    given = next(line for line in lines if line["who"])
    assert (given["who"], given["note"]) == ("=cmd|' /C calc'!A0", 'a "note"\n=1+1; é')


def test_no_cell_begins_like_a_formula(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path(name) for name in HOSTILE], Rules(), files=0)
        worklist.record_failure(Path("=1+1.svs"), "@SUM(1)")
        write_csv(worklist, tmp_path / "worklist.csv")
        write_rescan(worklist, tmp_path / "rescan.csv")
    for name in ("worklist.csv", "rescan.csv"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(FORMULA)]
        # Read by a program that splits at semicolons or at every line end, nothing begins like one either.
        pieces = [piece for line in text.splitlines() for piece in line.split(";")]
        assert not [piece for piece in pieces if piece.startswith(FORMULA)]


@pytest.mark.parametrize("text", ["", "'", "''", "'=1", "a;=1", "a\n\n@b", "\t=", "x;'y", "＝1", "plain", "a-b", "1;2"])
def test_the_guard_can_be_taken_off(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith((*FORMULA, "＝"))


def test_the_columns_begin_as_agreed(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        write_csv(worklist, tmp_path / "worklist.csv")
    head = (tmp_path / "worklist.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith("path,verdict,score,blurred_fraction,largest_region_mm2,reasons,")
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_every_file_has_a_line_slides_first_the_worst_leading(tmp_path: Path) -> None:
    paths = [tmp_path / f"{letter}.svs" for letter in "abc"]
    with open_worklist(tmp_path) as worklist:
        results = fill(worklist, paths, Rules(), files=0)
        worklist.record_failure(tmp_path / "broken.svs", "Cannot open broken.svs: it is empty.")
        worklist.note_file(FileRow(tmp_path / "copy of a.svs", results[0].facts.fingerprint, 1, 1))
        write_csv(worklist, tmp_path / "worklist.csv")
    lines = read_csv(tmp_path / "worklist.csv")
    scores = [float(line["score"]) for line in lines[:3]]
    assert scores == sorted(scores, reverse=True)
    assert [line["verdict"] for line in lines[:3]] == ["RESCAN", "REVIEW", "PASS"]
    assert (lines[3]["verdict"], lines[3]["failure"]) == ("FAILED", "Cannot open broken.svs: it is empty.")
    assert lines[3]["reasons"] == lines[3]["failure"]
    assert lines[4]["same_as"] == str(paths[0])
    assert len(lines) == 5


def test_a_slide_that_opened_and_then_failed_is_one_line(tmp_path: Path) -> None:
    result = result_of(tmp_path / "a.svs", 1, 4.0, 0.3, Rules())
    with open_worklist(tmp_path) as worklist:
        worklist.add_slide(result.facts)
        worklist.record_failure(result.facts.path, "Cannot judge a.svs: too slow.")
        listed = document(worklist)["slides"]
        assert [(line["verdict"], line["slide_id"]) for line in listed] == [("FAILED", "S-1")]


def test_a_persons_verdict_counts_and_the_programs_stays_beside_it(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [tmp_path / "a.svs"], Rules(), (4.0,), files=0)
        worklist.give_verdict(f"{1:032x}", Verdict.PASS, "MK", "fine")
        write_csv(worklist, tmp_path / "worklist.csv")
        write_json(worklist, tmp_path / "worklist.json")
        assert rescan_list(worklist) == []
    (line,) = read_csv(tmp_path / "worklist.csv")
    assert (line["verdict"], line["program_verdict"], line["person_verdict"]) == ("PASS", "RESCAN", "PASS")
    written = json.loads((tmp_path / "worklist.json").read_text(encoding="utf-8"))
    assert written["counts"]["pass"] == 1
    assert written["slides"][0]["history"][0]["who"] == "MK"
    assert written["slides"][0]["regions"][0]["mean_um"] == pytest.approx(4.0)


def test_the_rescan_list_gives_rectangles_in_mm_from_the_corner(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [tmp_path / "a.svs", tmp_path / "b.svs"], Rules(), (4.0, 0.2))
        write_rescan(worklist, tmp_path / "rescan.json")
        write_rescan(worklist, tmp_path / "rescan.csv")
    written = json.loads((tmp_path / "rescan.json").read_text(encoding="utf-8"))
    (slide,) = written["slides"]
    (region,) = slide["regions"]
    assert Path(slide["path"]).name == "b.svs"
    assert region["x_px"] == region["y_px"] == 0  # windows overhang the slide; the plan does not
    assert region["width_mm"] == pytest.approx(region["width_px"] * MPP / 1000, abs=1e-4)
    assert region["height_px"] == slide["size_px"][1]
    assert region["defocus_um"] == pytest.approx(4.0)
    (line,) = read_table(tmp_path / "rescan.csv")
    assert float(line["centre_x_mm"]) == pytest.approx(region["x_mm"] + region["width_mm"] / 2, abs=2e-4)
    assert "blurred" in line["reasons"]


def test_a_region_without_a_pixel_size_stays_in_pixels() -> None:
    planned = plan_region(1, RegionRow(-10, 20, 110, 50, 2.0), (80, 60), None)
    assert (planned.x_px, planned.y_px, planned.width_px, planned.height_px) == (0, 20, 80, 40)
    assert planned.x_mm is planned.width_mm is planned.centre_x_mm is None


def test_a_slide_sent_back_by_a_person_is_planned_as_a_whole(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [tmp_path / "a.svs"], Rules(), (0.2,))
        worklist.give_verdict(f"{1:032x}", Verdict.RESCAN, "MK")
        write_rescan(worklist, tmp_path / "rescan.csv")
    (line,) = read_table(tmp_path / "rescan.csv")
    assert (line["given_by"], line["region"], line["verdict"]) == ("MK", "", "RESCAN")


def test_the_rescan_list_is_csv_or_json_only(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist, pytest.raises(UserError, match=r"\.xlsx"):
        write_rescan(worklist, tmp_path / "rescan.xlsx")


def test_geojson_of_a_hostile_slide_is_what_qupath_reads(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        results = fill(worklist, [Path("/data") / name for name in HOSTILE], Rules(), (4.0,))
    folders = {result.folder for result in results}
    assert len(folders) == len(HOSTILE)
    for folder in folders:
        loaded = json.loads((tmp_path / folder / "map.geojson").read_text(encoding="utf-8"))
        assert loaded["type"] == "FeatureCollection"
        for feature in loaded["features"]:
            assert feature["type"] == "Feature"
            assert feature["properties"]["objectType"] == "annotation"
            assert feature["geometry"]["type"] == "Polygon"
            assert {"name", "color"} <= set(feature["properties"]["classification"])
            assert all(isinstance(value, float | int) for value in feature["properties"]["measurements"].values())
            for ring in feature["geometry"]["coordinates"]:
                assert len(ring) >= 4 and ring[0] == ring[-1]
    names = {json.loads((tmp_path / folder / "summary.json").read_text(encoding="utf-8"))["path"] for folder in folders}
    assert names == {str(Path("/data") / name) for name in HOSTILE}


def test_outlines_lie_on_the_windows_they_enclose() -> None:
    found = focus_map(4.0, 0.3)
    (feature,) = to_geojson(found, 1.5 / LEVEL_UM)["features"]
    xs, ys = np.array(feature["geometry"]["coordinates"][0]).T
    blurred = np.nonzero(np.nan_to_num(found.blur) > 1.5 / LEVEL_UM)[1]
    assert xs.min() < found.x[0] < found.x[blurred.max()] < xs.max() < found.x[blurred.max() + 1]
    assert ys.min() < found.y[0] and ys.max() > found.y[-1]


@pytest.mark.parametrize("name", HOSTILE)
def test_links_and_commands_name_the_file_to_the_letter(name: str) -> None:
    import shlex

    path = Path("/data") / name
    assert parse_link(open_link(path, (12.4, 7.0))) == (path, (12.0, 7.0))
    assert parse_link(str(Path(open_link(path)))) == (path, None)
    assert shlex.split(open_command(path, (12.4, 7.0))) == ["focusviewer", "view", str(path), "--at", "12,7"]


NO_PLACES = [f"focusviewer://open?path=a&x={x}&y=1" for x in ("nan", "inf", "-inf", "1e999", "NaN")]


def test_other_texts_are_no_links() -> None:
    assert parse_link("/data/focusviewer.svs") is None
    assert parse_link("https://open?path=x") is None
    for bad in ("focusviewer://open", "focusviewer://open?path=a&x=1", "focusviewer://run?path=a", *NO_PLACES):
        with pytest.raises(UserError, match="names no"):
            parse_link(bad)


def test_tables_keep_bytes_that_are_no_letters(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", ["path"], [{"path": "a\udce9.svs"}])
    assert read_table(tmp_path / "a.csv") == [{"path": "a\\udce9.svs"}]
