"""Ending work early."""

from __future__ import annotations

from threading import Event

import pytest

from focusviewer.core.cancel import stop_if, stoppable
from focusviewer.core.errors import CancelledError


def test_work_goes_on_until_its_token_is_set() -> None:
    token = Event()
    stop_if(None)
    stop_if(token)
    token.set()
    with pytest.raises(CancelledError):
        stop_if(token)


def test_a_step_reports_and_then_ends_the_work() -> None:
    token, told = Event(), list[float]()
    step = stoppable(told.append, token)
    step(0.25)
    token.set()
    with pytest.raises(CancelledError):
        step(0.5)
    assert told == [0.25]
    stoppable(None, None)(1.0)
