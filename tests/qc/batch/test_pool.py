"""Worker programs: what they answer, and what becomes of one that dies, hangs or eats."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from focusviewer.qc.batch.memory import memory_mb_of
from focusviewer.qc.batch.pool import BY_SIZE, Limits, LocalPool
from focusviewer.qc.batch.tasks import Answer, perform
from tests.qc.tasks import Deed

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX systems")


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    pool = LocalPool(1, Limits(timeout_s=300.0, memory_mb=2000.0))
    yield pool
    pool.close()


def pids(pool: LocalPool) -> list[int]:
    return [worker.process.pid for worker in pool._workers]


def answer(pool: LocalPool, deed: Deed) -> Answer:
    pool.submit(deed)
    for _ in range(100):
        got = pool.next(1.0)
        if got is not None:
            assert got[0] == deed
            return got[1]
    raise AssertionError("no answer came")


def test_answers_and_failures_come_back_and_the_worker_lives_on(pool: LocalPool, tmp_path: Path) -> None:
    assert answer(pool, Deed(tmp_path / "a")).value == "done a"
    first = pids(pool)
    assert answer(pool, Deed(tmp_path / "b", "fail")).failure == "Cannot do it: it is broken."
    assert "ZeroDivisionError: of course" in answer(pool, Deed(tmp_path / "c", "crash")).failure
    assert answer(pool, Deed(tmp_path / "d", "chatter")).value == "done d"
    assert pids(pool) == first


def test_a_worker_that_is_killed_costs_its_task_and_is_replaced(pool: LocalPool, tmp_path: Path) -> None:
    dead = answer(pool, Deed(tmp_path / "a", "die once"))
    assert "SIGKILL" in dead.failure and dead.value is None
    assert answer(pool, Deed(tmp_path / "a", "die once")).value == "done a"


def test_a_task_that_takes_too_long_is_ended_with_the_reason(pool: LocalPool, tmp_path: Path) -> None:
    pool.limits = Limits(timeout_s=0.3)
    started = time.monotonic()
    assert "took longer than 0.3 s" in answer(pool, Deed(tmp_path / "a", "hang")).failure
    assert time.monotonic() - started < 60


def test_a_slide_may_take_what_its_size_asks_for(tmp_path: Path) -> None:
    small, large = tmp_path / "small.svs", tmp_path / "large.mrxs"
    small.touch()
    large.touch()
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / "Dat0.dat").open("wb") as file:
        file.truncate(3 * 10**9)
    limits = Limits(BY_SIZE)
    assert limits.seconds_for(small) == 300
    for path in (large, tmp_path / "large"):
        assert limits.seconds_for(path) == pytest.approx(1200, abs=1)
    assert limits.seconds_for(tmp_path / "gone.svs") == 300
    assert Limits(7.0).seconds_for(large) == 7.0
    assert Limits().seconds_for(large) is None


def test_a_task_that_needs_too_much_memory_is_ended_with_the_reason(pool: LocalPool, tmp_path: Path) -> None:
    if memory_mb_of(os.getpid()) is None:
        pytest.skip("this system does not tell how much memory a process has")
    pool.limits = Limits(memory_mb=250.0)
    assert "more than 250 MB" in answer(pool, Deed(tmp_path / "a", "eat")).failure


def test_closing_ends_workers_in_the_middle_of_their_work(tmp_path: Path) -> None:
    pool = LocalPool(1)
    pool.submit(Deed(tmp_path / "a", "hang"))
    assert pool.next(0.5) is None
    (pid,) = pids(pool)
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_error_of_ours_is_told_as_such() -> None:
    assert "an error of the program" in perform(Deed(Path("x.svs"), "crash")).failure
