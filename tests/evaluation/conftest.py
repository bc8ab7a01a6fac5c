from __future__ import annotations

import pytest

from focusviewer.evaluation.suites.focus import simulated as focus_module
from focusviewer.evaluation.test_sets import ground_truth_stacks as true_module
from focusviewer.evaluation.test_sets.ground_truth_stacks import GroundTruthStack
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from tests.evaluation.suites.refocus.toys import real_stack, true_stack


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few draws for intervals, and scans without noise."""
    monkeypatch.setattr(focus_module, "RESAMPLES", 20)
    monkeypatch.setattr(true_module, "NOISE", 0.0)


@pytest.fixture(scope="session")
def grain() -> GroundTruthStack:
    """The texture at every fifth of a level."""
    return true_stack()


@pytest.fixture(scope="session")
def real() -> RealStack:
    """Nine planes of another texture, 0.6 um apart."""
    return real_stack()
