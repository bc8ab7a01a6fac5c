from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from focusviewer.bench import qc as bench_qc
from focusviewer.bench import run as bench_run
from focusviewer.bench import slide as bench_slide
from focusviewer.bench.table import Benchmark, Result
from focusviewer.core.errors import UserError
from focusviewer.slides import Region, open_slide
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]


@pytest.fixture
def two_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    def good(path: Path) -> Iterable[Result]:
        return [Result("speed", 50.0, "Mpx/s", 25.0, "the other")]

    def bad(path: Path) -> Iterable[Result]:
        raise UserError("It has no weights")

    table = (Benchmark("good", "a good one", good, False), Benchmark("bad", "a bad one", bad, False))
    monkeypatch.setattr(bench_run, "BENCHMARKS", table)


def test_rows_have_the_agreed_keys(command: Command, two_benchmarks: None) -> None:
    (row,) = command("bench", "good", "--json").document
    assert {"name": "speed", "value": 50.0, "unit": "Mpx/s", "reference": 25.0, "ratio": 2.0}.items() <= row.items()


def test_one_that_cannot_run_does_not_stop_the_others(command: Command, two_benchmarks: None) -> None:
    outcome = command("bench")
    assert outcome.code == 0
    assert "speed" in outcome.out
    assert "bad could not be measured: It has no weights." in outcome.err
    assert command("bench", "bad").code == 2


def test_an_unknown_name_is_answered_with_the_known_ones(command: Command) -> None:
    outcome = command("bench", "speedy")
    assert outcome.code == 2
    assert "decode" in outcome.err


def test_a_row_without_a_reference_has_no_ratio() -> None:
    assert Result("x", 1.0, "ms").ratio is None


def test_the_benchmark_slide_is_a_readable_pyramid_with_tissue_and_glass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = np.full((256, 256, 3), (200, 120, 160), np.uint8)
    monkeypatch.setattr(bench_slide, "_field", lambda: field)
    monkeypatch.setattr(bench_slide, "_MARGIN_TILES", 2)
    path = tmp_path / "bench.svs"
    bench_slide.write_bench_slide(path, (16, 16))
    with open_slide(path) as slide:
        assert slide.dimensions == (4096, 4096)
        assert slide.mpp == pytest.approx(0.25)
        glass = slide.read_region(Region(0, 0, 0, 64, 64))
        tissue = slide.read_region(Region(0, 2000, 2000, 64, 64))
        small = slide.read_region(Region(2, 2048, 2048, 8, 8))
    assert np.abs(glass.astype(int) - 243).max() <= 2
    assert np.abs(tissue.astype(int) - field[:64, :64]).max() <= 4
    assert np.abs(small.astype(int) - field[:8, :8]).max() <= 4


def test_a_night_of_slides_is_reckoned_from_the_time_for_each_pixel() -> None:
    pace, night = bench_qc.rows([10.0, 14.0], 12_500**2)  # two workers: a slide in 6 s, a quarter of a night's size
    assert pace.value == pytest.approx(600) and pace.unit == "slides/h"
    assert night.value == pytest.approx(300 * 24 / 60) and night.reference == 60


def test_judging_is_measured_on_copies_that_count_as_slides(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "glass.tif"
    tifffile.imwrite(path, np.full((256, 256, 3), 240, np.uint8), tile=(128, 128), photometric="rgb")
    copies = [bench_qc._copy(path, tmp_path / "copies" / f"{index}.tif", index) for index in range(2)]
    found = set()
    for copy in (path, *copies):
        with open_slide(copy) as slide:
            assert slide.dimensions == (256, 256)
            found.add(slide.fingerprint)
    assert len(found) == 3
