from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.evaluation.report.page import page
from focusviewer.evaluation.report.plots import correlation_bars, psnr_lines, sparkline, stack_curves
from focusviewer.evaluation.report.study import write_report
from focusviewer.evaluation.report.svg import COLOURS
from focusviewer.evaluation.study import Outcome, evaluate_parts
from focusviewer.evaluation.suites.bench import Bench, focus_parts, refocus_parts, tables, unevaluated_models
from focusviewer.evaluation.suites.focus import simulated as focus_module
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from focusviewer.training.lab.plotting import need_plots, ticks
from tests.evaluation.doubles import BrokenModel, CopyingEngine, ReadingModel, entry, telling_fields

NASTY = "<script>alert('x')</script> & \"co\""
VOID = {"meta", "br", "img", "link", "hr"}


class Checker(HTMLParser):
    """Collects what the page is made of, and insists that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "data"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return checker


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(focus_module, "RESAMPLES", 40)
    planes = (np.abs(np.arange(7) - 3) * 20).astype(np.uint8)
    stack = RealStack(NASTY, np.broadcast_to(planes[:, None, None, None], (7, 40, 40, 3)), (3, 3))
    return Bench(telling_fields(), [stack], None, quick=True)


@pytest.fixture
def outcomes(bench: Bench) -> list[Outcome]:
    entries = [
        entry(ReadingModel("focuslitenn-1")),
        entry(ReadingModel(NASTY, 1.0)),
        entry(BrokenModel("broken", ValueError(NASTY))),
    ]
    return evaluate_parts(entries, focus_parts(bench))


def test_the_page_is_whole_escaped_and_needs_nothing_else(outcomes: list[Outcome], bench: Bench) -> None:
    text = page("A & B", [("Machine", NASTY)], tables(outcomes, bench))
    checker = parsed(text)
    assert "script" not in checker.tags
    assert all(link.startswith("#") for link in checker.links)
    assert "url(" not in text and "@import" not in text
    words = "".join(checker.words)
    assert words.count(NASTY) >= 4  # the machine, the model, its stack, the reason of the broken one
    assert checker.tags.count("svg") >= 5


def test_measured_and_published_figures_are_told_apart(outcomes: list[Outcome], bench: Bench) -> None:
    text = page("Study", [], tables(outcomes, bench))
    measured, _, published = text.partition('<h2 id="published">')
    assert "measured here" in measured
    assert '<th class="n pub">SRCC published (FocusPath)</th>' in measured
    assert '<td class="n pub">0.877</td>' in measured  # FocusLiteNN-1's, beside the 1.000 measured here
    assert 'class="published"><title>focuslitenn-1: 0.877, published' in measured
    assert "Nothing below was measured here" in published
    assert published.count("Source: ") >= 8
    assert "0.9253" in published


def test_a_failed_model_has_a_row_that_says_why(outcomes: list[Outcome], bench: Bench) -> None:
    for table in tables(outcomes, bench):
        row = next(row for row in table.rows if row["model"] == "broken")
        assert row["why"].startswith("Scales are not compared" if table.name == "focus-scales" else "ValueError")
    assert "why not" in page("Study", [], tables(outcomes, bench))


def test_a_report_is_written_with_its_tables(outcomes: list[Outcome], bench: Bench, tmp_path: Path) -> None:
    leftover = unevaluated_models([entry(object(), "unet", "restore"), entry(object(), "fast", "refocus")])
    files = write_report(tmp_path, [*tables(outcomes, bench), leftover], outcomes, bench)
    assert [path.name for path in files] == [
        "report.html",
        "tables.md",
        "tables.json",
        "focus-stacks.csv",
        "focus-scales.csv",
        "focus-real.csv",
        "not-judged.csv",
    ]
    text = files[0].read_text("utf-8")
    parsed(text)
    assert "there is no test for restore models yet" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    names = [table["name"] for table in json.loads(files[2].read_text("utf-8"))]
    assert names == ["focus-stacks", "focus-scales", "focus-real", "not-judged"]


def test_engines_are_judged_from_planes_to_planes(bench: Bench, rng: np.random.Generator) -> None:
    images = rng.integers(0, 255, (3, 9, 180, 180, 3), dtype=np.uint8)
    fields = telling_fields(3)
    grown = type(fields)(images, fields.levels, fields.groups, fields.real, 0.25, "noise")
    parts = [part for part in refocus_parts(Bench(grown, [], None, quick=True)) if part.name == "refocus-planes"]
    outcomes = evaluate_parts([entry(CopyingEngine(), "copying", "refocus")], parts)
    (table,) = tables(outcomes, Bench(grown, [], None, quick=True))
    assert [row["task"] for row in table.rows].count("refocus") == 3
    assert {"psnr", "ssim", "ms_ssim", "iw_ssim", "dists"} <= set(table.rows[0])
    parsed(page("Study", [], [table]))


# Plots


def bars(rows: list[dict[str, Any]]) -> str:
    return correlation_bars(rows, "srcc", "SRCC", {"a": 0.9})


def test_bars_stand_in_order_and_show_their_interval() -> None:
    rows = [
        {"model": "b", "srcc": 0.5, "srcc_low": 0.4, "srcc_high": 0.6},
        {"model": "a", "srcc": 0.8},
        {"model": "c", "why": "no"},
        {"model": "d", "srcc": -0.4},
    ]
    text = bars(rows)
    assert text.index("a: 0.800") < text.index("b: 0.500") < text.index("d: -0.400")
    assert text.count('class="whisker"') == 3
    assert text.count('class="published"') == 1
    assert ">c<" not in text
    parsed(text)
    parsed(bars([]))


def test_curves_and_lines_survive_constant_and_single_values() -> None:
    rows = [{"model": "flat", "stack": "s", "scores": [2.0, 2.0], "reference": None, "lowest": 0}]
    parsed(stack_curves(rows, ["flat"]))
    one = {"model": "e", "noise": 0.1, "z_um": 0.0, "psnr_before": 148.0, "psnr_auto": 40.0, "psnr_knob": 148.0}
    text = psnr_lines([one], 0.1)
    parsed(text)
    assert "nan" not in text.lower()


def test_the_oracle_is_drawn_beside_the_engines_where_there_is_one() -> None:
    row = {"model": "e", "noise": 0.1, "psnr_before": 30.0, "psnr_auto": 31.0, "psnr_knob": 31.0}
    rows = [{**row, "z_um": z} for z in (0.0, 1.0, 2.0)]
    assert "oracle" not in psnr_lines(rows, 0.1)
    assert "oracle Wiener" in psnr_lines([rows[0], *({**row, "psnr_oracle": 33.0} for row in rows[1:])], 0.1)


def test_plots_are_the_same_every_time_and_their_names_are_unique_in_a_page() -> None:
    rows = [
        {"model": name, "stack": "s", "scores": [2.0, 0.0, 1.0], "reference": (1, 1), "lowest": 1}
        for name in ("a", "b")
    ]
    texts = [*(sparkline(row) for row in rows), stack_curves(rows, ["a", "b"]), bars([{"model": "a", "srcc": 0.8}])]
    assert texts == [
        *(sparkline(row) for row in rows),
        stack_curves(rows, ["a", "b"]),
        bars([{"model": "a", "srcc": 0.8}]),
    ]
    names = re.findall(r' id="([^"]+)"', "".join(texts))
    assert names and len(names) == len(set(names))
    used = re.findall(r' href="#([^"]+)"', "".join(texts))
    assert set(used) == set(names)


def test_every_point_of_a_curve_says_what_it_is_in_the_colours_of_the_page() -> None:
    rows = [{"model": "m", "stack": "s", "scores": [2.0, 0.0, 1.0], "reference": None, "lowest": 1}]
    text = stack_curves(rows, ["m"])
    for words in ("m: 0, 1", "m: 1, 0", "m: 2, 0.5"):
        assert f"<title>{words}</title>" in text
    assert "var(--s0)" in text and "var(--ink)" in text
    assert not any(colour in text for colour in COLOURS.values())
    css = resource_path("templates", "study", "page.css").read_text(encoding="utf-8")
    assert all(f"--{name}:" in css for name in COLOURS)


def test_a_name_with_dollar_signs_is_no_formula() -> None:
    text = bars([{"model": "cheap $x_1$", "srcc": 0.5}])
    assert ">cheap $x_1$</text>" in text


def test_without_matplotlib_the_study_is_refused_before_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match=r"matplotlib is not installed.*focusviewer\[train\]"):
        need_plots("Cannot draw the plots of the study")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0.3, 0.31), (20, 61), (5, 5)])
def test_ticks_are_round_numbers_inside_the_range(low: float, high: float) -> None:
    values = ticks(low, high)
    assert values
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    assert all(len(f"{value:g}") <= 6 for value in values)
