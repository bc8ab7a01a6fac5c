from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QThread

from focusviewer.app.services.jobs import Jobs, Lane
from focusviewer.app.services.throttle import Throttle
from focusviewer.core.errors import CancelledError, UserError


@pytest.fixture
def jobs(qtbot) -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


def test_results_come_on_the_qt_thread(jobs: Jobs, qtbot, qapp) -> None:
    got: list[tuple[object, bool]] = []

    def done(result: object) -> None:
        got.append((result, QThread.currentThread() is qapp.thread()))

    jobs.start("x", lambda job: threading.current_thread() is threading.main_thread(), lane=Lane.FILES, done=done)
    qtbot.waitUntil(lambda: bool(got), timeout=3000)
    assert got == [(False, True)]


def test_a_newer_job_of_the_kind_drops_the_older_ones_result(jobs: Jobs, qtbot) -> None:
    gate = threading.Event()
    got: list[int] = []

    def slow(job) -> int:
        gate.wait(5)
        return 1

    first = jobs.start("x", slow, lane=Lane.ANALYSIS, done=got.append)
    second = jobs.start("x", lambda job: 2, lane=Lane.ANALYSIS, done=got.append)
    assert first.cancel.is_set()
    assert second.generation == first.generation + 1
    gate.set()
    qtbot.waitUntil(lambda: bool(got), timeout=3000)
    qtbot.wait(50)
    assert got == [2]


def test_a_cancelled_job_ends_at_once_and_says_nothing(jobs: Jobs, qtbot) -> None:
    got: list[object] = []
    ended: list[object] = []
    jobs.ended.connect(ended.append)

    def work(job) -> int:
        job.cancel.wait(5)
        raise CancelledError

    job = jobs.start("x", work, lane=Lane.ANALYSIS, done=got.append, failed=got.append)
    jobs.cancel_job(job)
    assert ended == [job]
    assert not jobs.running()
    qtbot.wait(50)
    assert got == []


def test_errors_for_users_keep_their_words_and_others_are_told_too(jobs: Jobs, qtbot) -> None:
    def user(job) -> None:
        raise UserError("Cannot do it", "it is too late", "Come tomorrow.")

    def ours(job) -> None:
        raise ZeroDivisionError

    got: list[str] = []
    jobs.start("a", user, lane=Lane.FILES, failed=got.append)
    qtbot.waitUntil(lambda: len(got) == 1, timeout=3000)
    jobs.error.connect(got.append)
    jobs.start("b", ours, lane=Lane.FILES, title="dividing")
    qtbot.waitUntil(lambda: len(got) == 2, timeout=3000)
    assert got[0] == "Cannot do it: it is too late. Come tomorrow."
    assert "dividing" in got[1]


def test_partial_results_come_in_order_before_the_result(jobs: Jobs, qtbot) -> None:
    got: list[object] = []

    def work(job) -> str:
        for step in range(3):
            job.report(step / 3, step)
        return "end"

    jobs.start("x", work, lane=Lane.ANALYSIS, partial=lambda f, p: got.append(p), done=got.append)
    qtbot.waitUntil(lambda: "end" in got, timeout=3000)
    assert got == [0, 1, 2, "end"]


def test_closing_stops_everything_and_starts_nothing_more(qtbot) -> None:
    jobs = Jobs()
    got: list[object] = []
    jobs.start("x", lambda job: job.cancel.wait(10), lane=Lane.INFERENCE, done=got.append)
    jobs.close()
    jobs.start("y", lambda job: 1, lane=Lane.INFERENCE, done=got.append)
    qtbot.wait(50)
    assert got == []


def test_what_is_essential_is_done_before_closing_even_from_the_queue(qtbot) -> None:
    jobs = Jobs()
    done: list[str] = []
    jobs.start("busy", lambda job: job.cancel.wait(10), lane=Lane.INFERENCE)
    jobs.start("save", lambda job: done.append("save"), lane=Lane.INFERENCE, essential=True)
    jobs.start("other", lambda job: done.append("other"), lane=Lane.INFERENCE)
    jobs.close()
    assert done == ["save"]


def test_throttle_calls_first_at_once_and_last_for_sure(qtbot) -> None:
    got: list[int] = []
    throttle = Throttle(got.append, 20)
    for value in range(10):
        throttle(value)
    assert got == [0]
    qtbot.waitUntil(lambda: got == [0, 9], timeout=1000)
    throttle.clear()
