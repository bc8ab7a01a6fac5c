from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.qc.reports.distributions import distribution_section
from focusviewer.qc.reports.links import parse_link
from focusviewer.qc.reports.page import write_report
from focusviewer.qc.reports.pictures import overlay, slide_picture
from focusviewer.qc.reports.printed import broken, printed_report
from focusviewer.qc.reports.roc import roc_section
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.roc import calls, roc
from focusviewer.qc.verdicts.rules import Rules, rules_from
from focusviewer.qc.worklist.records import FileRow, SlideFacts
from focusviewer.qc.worklist.summary import show
from tests.qc.worklists import HOSTILE, fill, focus_map, open_worklist, thumbnail

PLAIN = "plain.svs"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.values: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.rows: list[dict[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        self.values += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append({name: value or "" for name, value in attrs})
        if tag not in ("meta", "br", "img", "input", "link", "path", "rect", "polyline", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag, f"</{tag}> out of place"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def write(folder: Path, names: list[str], **options: object) -> str:
    with open_worklist(folder) as worklist:
        fill(worklist, [Path("/data") / name for name in names], Rules(), (4.0,), files=3)
        write_report(worklist, folder / "report.html", **options)  # type: ignore[arg-type]
    return (folder / "report.html").read_text(encoding="utf-8")


def test_hostile_names_add_no_tags_and_no_attributes(tmp_path: Path) -> None:
    (tmp_path / "hostile").mkdir()
    (tmp_path / "plain").mkdir()
    hostile = Page(write(tmp_path / "hostile", list(HOSTILE)))
    plain = Page(write(tmp_path / "plain", [f"{index}.svs" for index in range(len(HOSTILE))]))
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert hostile.open == plain.open == []
    shown = {text.strip() for text in hostile.texts}
    assert {show(name) for name in HOSTILE} <= {*shown, *(text for text in hostile.texts)}


def test_hostile_notes_reasons_and_readers_add_no_tags(tmp_path: Path) -> None:
    bad = '"><img src=x onerror=alert(1)><!--\u202e'
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path("/data/a.svs")], Rules(), (4.0,))
        worklist.give_verdict(f"{1:032x}", Verdict.PASS, bad, bad)
        worklist.record_failure(Path(f"/data/{bad}"), bad)
        worklist.note_file(FileRow(Path(f"/data/copy {bad}"), f"{1:032x}", 1, 1))
        write_report(worklist, tmp_path / "bad.html")
        bad_page = Page((tmp_path / "bad.html").read_text(encoding="utf-8"))
    assert bad_page.open == []
    assert not [value for value in bad_page.values if value[1].startswith("on")]
    assert not [value for value in bad_page.values if value[:2] == ("img", "src") and not value[2].startswith("data:")]


def test_the_page_loads_nothing_from_elsewhere_and_runs_only_its_script(tmp_path: Path) -> None:
    text = write(tmp_path, [PLAIN])
    page = Page(text)
    links = [(tag, name, value) for tag, name, value in page.values if name in ("src", "href")]
    assert links
    assert all(value.startswith(("data:image/jpeg;base64,", "#", "focusviewer://open?")) for *_, value in links)
    assert "url(" not in text and "@import" not in text
    script = re.search(r"<script>(.*)</script>", text, re.S)
    assert script is not None
    wanted = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{wanted}'" in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_a_slide_is_told_with_reasons_regions_and_a_way_to_open_it(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        (result,) = fill(worklist, [Path("/data/a b.svs")], Rules(), (4.0,))
        worklist.give_verdict(result.facts.fingerprint, Verdict.REVIEW, "Müller", "only the edge")
        write_report(worklist, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.texts)
    assert all(reason in text for reason in result.judgement.reasons)
    assert "REVIEW by Müller" in text and "“only the edge”" in text and "person disagrees" in text
    assert "33.3%" in text and "4.00" in text and "0.582, 1.398" in text
    links = [parse_link(value) for tag, name, value in page.values if name == "href" and ":" in value]
    assert {link[0] for link in links if link} == {Path("/data/a b.svs")}
    centres = {link[1] for link in links if link and link[1]}
    ((x, y),) = centres
    assert x == pytest.approx(2326.5 / 2, abs=1) and y == pytest.approx(5593 / 2, abs=1)
    commands = [value for _, name, value in page.values if name == "data-copy"]
    assert "focusviewer view '/data/a b.svs'" in commands
    assert f"focusviewer view '/data/a b.svs' --at {x:.0f},{y:.0f}" in commands


def test_rows_carry_what_filter_and_sorting_need(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path(f"/data/{letter}.svs") for letter in "abc"], Rules())
        worklist.record_failure(Path("/data/bad.svs"), "Cannot open it.")
        write_report(worklist, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    statuses = [row["data-status"] for row in page.rows if "data-status" in row]
    assert statuses == ["RESCAN", "REVIEW", "PASS", "FAILED"]
    filters = [value for _, name, value in page.values if name == "data-filter"]
    assert filters == ["ALL", "RESCAN", "REVIEW", "PASS", "FAILED"]
    ranks = [
        float(value) for tag, name, value in page.values if tag == "td" and name == "data-sort" and value.isdigit()
    ]
    assert ranks


def test_thresholds_are_shown_only_of_the_rules_that_judged(tmp_path: Path) -> None:
    own = rules_from({"name": "night", "version": "7", "override": [{"stain": "PAS<", "blurred_um": 1.875}]})
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path("/data/a.svs")], own)
        write_report(worklist, tmp_path / "shipped.html")
        write_report(worklist, tmp_path / "own.html", own)
    assert "Their thresholds are not at hand" in (tmp_path / "shipped.html").read_text(encoding="utf-8")
    text = (tmp_path / "own.html").read_text(encoding="utf-8")
    assert "night 7" in text and "rescan_region_mm2" in text and "only PAS&lt;" in text and "1.875" in text


def test_an_empty_worklist_and_lost_pictures_make_a_page(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        write_report(worklist, tmp_path / "empty.html")
        fill(worklist, [Path("/data/a.svs")], Rules(), files=0)
        write_report(worklist, tmp_path / "lost.html")
    assert Page((tmp_path / "empty.html").read_text(encoding="utf-8")).open == []
    assert "no pictures in the slide" in (tmp_path / "lost.html").read_text(encoding="utf-8")


def test_pictures_shrink_to_their_share_of_the_page(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        (result,) = fill(worklist, [Path("/data/a.svs")], Rules())
    folder = tmp_path / result.folder
    large = slide_picture(folder, 1 << 20)
    assert large is not None
    small = slide_picture(folder, large.nbytes // 2)
    assert small is not None and small.nbytes <= large.nbytes // 2
    for jpeg in (small.plain, small.overlay):
        assert Image.open(io.BytesIO(jpeg)).size == (small.width, small.height)


def test_the_overlay_lies_where_the_map_lies() -> None:
    found = focus_map(4.0, 0.5)
    covered = overlay(thumbnail(), found).astype(int)
    untouched = np.abs(covered - thumbnail()).sum(axis=2) == 0
    width = thumbnail().shape[1]
    slide_width = float(found.x[0] + found.x[-1])
    edge = (found.x[-1] - found.stride_px / 2) / slide_width * width  # the last column holds no tissue
    assert untouched[:, round(edge) + 1 :].all()
    assert not untouched[:, : round(edge) - 1].any()
    middle = (found.x[7] + found.x[8]) / 2 / slide_width * width
    blurred, sharp = (
        covered[:, : round(middle) - 1].mean((0, 1)),
        covered[:, round(middle) + 1 : round(edge)].mean((0, 1)),
    )
    assert blurred[1] > sharp[1] + 50  # viridis: yellow against violet


def test_the_curve_is_that_of_pairs_in_order() -> None:
    rng = np.random.default_rng(3)
    scores, truth = rng.integers(0, 12, 60).astype(float), rng.random(60) < 0.4
    found = roc(list(scores), list(truth))
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[truth] for b in scores[~truth]]
    assert found.auc == pytest.approx(float(np.mean(pairs)))
    assert (found.recall[0], found.false_rate[0], found.recall[-1], found.false_rate[-1]) == (0, 0, 1, 1)
    at = 5
    called = scores >= found.thresholds[at]
    assert found.recall[at] == pytest.approx((called & truth).sum() / truth.sum())
    assert found.precision[at] == pytest.approx((called & truth).sum() / called.sum())
    assert np.isnan(roc([1.0, 2.0], [True, True]).auc)


def test_verdicts_are_counted_against_the_truth() -> None:
    found = calls([Verdict.RESCAN, Verdict.RESCAN, Verdict.PASS, Verdict.REVIEW], [True, False, True, False])
    assert (found.recall, found.precision, found.false_rate) == (0.5, 0.5, 0.5)


def test_the_truth_adds_a_curve_to_the_page(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        results = fill(worklist, [Path(f"/data/{index}.svs") for index in range(6)], Rules())
        truth = {str(result.facts.path): result.judgement.verdict is Verdict.RESCAN for result in results}
        section = roc_section(truth, worklist.slides())
        write_report(worklist, tmp_path / "with.html", truth=truth)
        write_report(worklist, tmp_path / "without.html")
    assert "6 slides, 2 of which need a rescan" in section
    assert "recall 1.000, precision 1.000 (2 right, 0 wrong, 0 missed)" in section
    assert 'id="roc"' in (tmp_path / "with.html").read_text(encoding="utf-8")
    assert 'id="roc"' not in (tmp_path / "without.html").read_text(encoding="utf-8")
    assert roc_section({"unknown": True}, []) == ""


def test_the_printed_report_escapes_and_breaks_long_names(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path("/data") / name for name in HOSTILE], Rules(), (4.0,), files=2)
        printed = printed_report(worklist)
    page = Page(printed.html)
    assert page.open == [] and page.tags["script"] == 0
    named = {value for tag, name, value in page.values if (tag, name) == ("img", "src")}
    assert named == set(printed.images) and len(named) == 2
    assert max(len(word) for word in re.split(r"[\s\u200b]", broken("n" * 200))) <= 24


def test_a_slide_that_waits_is_printed_with_the_verdict_of_a_person(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        worklist.add_slide(SlideFacts("ab" * 16, Path("/data/waits.svs"), "waits.svs"))
        worklist.give_verdict("ab" * 16, Verdict.RESCAN, "MK", "a hair")
        printed = printed_report(worklist)
    page = Page(printed.html)
    assert page.open == [] and printed.images == {}
    assert "“a hair”" in "".join(page.texts) and "Program:" not in "".join(page.texts)


def test_a_report_shows_how_the_slides_spread_and_where_the_rules_cut(tmp_path: Path) -> None:
    with open_worklist(tmp_path) as worklist:
        fill(worklist, [Path(f"/data/{n}.svs") for n in range(6)], Rules(), (4.0, 0.2, 2.45), files=0)
        rows = worklist.slides()
        write_report(worklist, tmp_path / "report.html", Rules())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = text[text.index('<section id="spread">') :].split("</section>")[0]
    verdicts = [row.result.judgement.verdict.value for row in rows if row.result is not None]
    assert {name for name in ("PASS", "REVIEW", "RESCAN") if f'class="{name}"' in section} == set(verdicts)
    assert section.count("<svg") == 3 and section.count("stroke-dasharray") == 6
    counted = sum(int(number) for number in re.findall(r": (\d+) [A-Z]+</title>", section))
    assert counted == 3 * len(rows)
    assert "stroke-dasharray" not in distribution_section(rows, Rules("other"))  # not the rules that they were made by
    assert distribution_section(rows[:2], Rules()) == ""
