"""The fuzzing command: a handful of mutants of every kind, and that it would notice what it looks for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.corpus import write_corpus
from tests.fuzz.mutate import mutate
from tests.fuzz.run import GOOD, Worker, fuzz

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and pipes as Linux has them")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def test_the_unchanged_files_are_read(corpus: list[Path]) -> None:
    worker = Worker()
    try:
        outcomes = {path.name: worker.ask(path, 20)["outcome"] for path in corpus}
    finally:
        worker.stop()
    assert set(outcomes.values()) == {"opened"}, outcomes


def test_mutants_are_read_or_refused_in_words(corpus: list[Path], tmp_path: Path) -> None:
    figures = fuzz(corpus, 3 * len(corpus), 20, tmp_path)
    assert figures.found == []
    assert sum(figures.counts[outcome] for outcome in GOOD) == 3 * len(corpus)
    assert list(tmp_path.iterdir()) == []


def test_a_mutant_follows_from_seed_and_number_alone() -> None:
    data = bytes(range(256)) * 8
    one, again, other = (mutate(data, np.random.default_rng([7, number])) for number in (3, 3, 4))
    assert one == again
    assert one != other
    assert one != data


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("import os; os.abort()", "crashed"), ("while True: pass", "hung")],
)
def test_crashes_and_hangs_are_noticed(tmp_path: Path, code: str, outcome: str) -> None:
    import subprocess

    worker = Worker()
    worker._process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.ask(tmp_path / "x", 1)["outcome"] == outcome
    worker.stop()
