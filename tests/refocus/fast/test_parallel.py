"""Threads that share the work on a view."""

from __future__ import annotations

import threading

import pytest
import torch

from focusviewer.core import threads as torch_threads
from focusviewer.refocus.fast.parallel import begin, each, on_all_cores, on_one_core


def test_every_piece_is_worked_once() -> None:
    done: list[int] = []
    each(done.append, range(20))
    assert sorted(done) == list(range(20))


def test_what_a_piece_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        each(lambda piece: 1 / piece, [1, 0, 2])


def test_what_was_begun_runs_beside_the_caller() -> None:
    go_on = threading.Event()
    begun = begin(lambda: go_on.wait(10))
    go_on.set()
    assert begun.result(10)


def test_torch_has_one_core_where_views_are_worked_and_the_caller_keeps_his() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found: list[int] = []
        on_one_core(each)(lambda _: found.append(torch.get_num_threads()), range(4))
        assert [*found, on_one_core(torch.get_num_threads)()] == [1] * 5
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_many_callers_at_once_all_get_their_pieces_done() -> None:
    found: list[int] = []
    callers = [threading.Thread(target=on_one_core(each), args=(found.append, range(5))) for _ in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert len(found) == 60


def test_all_cores_are_given_back_afterwards() -> None:
    counts: list[int] = []

    @on_one_core
    def work() -> None:
        counts.append(torch.get_num_threads())
        with pytest.raises(ValueError, match="in between"), on_all_cores():
            counts.append(torch.get_num_threads())
            raise ValueError("in between")
        counts.append(torch.get_num_threads())

    before = torch.get_num_threads()
    work()
    assert counts == [1, torch_threads._THREADS, 1]
    assert torch.get_num_threads() == before
