from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus import DEFAULT_MODEL, get_model, models
from tests.focus.doubles import blur

_ENTRIES = models()


def _available(entry):
    if not entry.available:
        pytest.skip(f"the weights of {entry.name} are not in this checkout")
    return entry


def test_names_are_unique_and_include_the_contract() -> None:
    names = [entry.name for entry in _ENTRIES]
    assert len(set(names)) == len(names)
    assert {"focuslitenn-1", "focuslitenn-2", "focuslitenn-10", "mlv", "energy-ratio"} <= set(names)
    assert {"fqpath", "hvs-maxpol-1", "hvs-maxpol-2", "synthetic-maxpol"} <= set(names)
    assert {"lpc", "gpc", "sparish", "hifst"} <= set(names)
    assert DEFAULT_MODEL in names
    assert all(entry.kind == "focus" and entry.summary for entry in _ENTRIES)


def test_unknown_names_list_the_known_and_guess() -> None:
    with pytest.raises(UserError, match=r"Did you mean focuslitenn-10\?.*energy-ratio"):
        get_model("focuslitnn-10")


def test_missing_weights_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*parts: str) -> None:
        raise FileNotFoundError(parts)

    monkeypatch.setattr("focusviewer.core.weights.resource_path", missing)
    with pytest.raises(UserError, match="weights of focuslitenn-2 are missing"):
        get_model("focuslitenn-2")
    assert not next(entry for entry in models() if entry.name == "focuslitenn-2").available


def test_importing_the_room_is_light() -> None:
    code = (
        "import sys, focusviewer.focus as f; f.models(); "
        "print([m for m in ('torch', 'scipy', 'skimage', 'PySide6') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def field(picture: RGB) -> RGB:
    """A few windows: some models take a second for a larger picture."""
    return np.ascontiguousarray(picture[:520, :500])


@pytest.mark.parametrize("entry", _ENTRIES, ids=lambda entry: entry.name)
def test_every_model_builds_and_scores_windows(entry, field: RGB) -> None:
    model = get_model(_available(entry).name)
    assert model.name == entry.name and model.parameters() >= 0
    grid = model.score_windows(field, 0.25)
    rows, cols = ((side - model.window_px) // model.stride_px + 1 for side in field.shape[:2])
    assert grid.scores.shape == (rows, cols) and grid.scores.dtype == np.float32
    assert np.isfinite(grid.scores).all()
    assert np.isfinite(model.score(field[:90, :70], 0.25))


@pytest.mark.parametrize("entry", _ENTRIES, ids=lambda entry: entry.name)
def test_pieces_score_as_the_whole(entry, picture: RGB) -> None:
    model = get_model(_available(entry).name)
    window, stride, margin = model.window_px, model.stride_px, 2 * model.halo_px
    whole = model.score_with_halo(picture[: window + 2 * stride + margin, : window + 2 * stride + margin], 0.25)
    assert whole.scores.shape == (3, 3)
    for rows, cols in ((slice(0, 1), slice(1, 3)), (slice(1, 3), slice(2, 3))):
        top, left = rows.start * stride, cols.start * stride
        height, width = ((part.stop - part.start - 1) * stride + window + margin for part in (rows, cols))
        piece = model.score_with_halo(picture[top : top + height, left : left + width], 0.25).scores
        np.testing.assert_allclose(piece, whole.scores[rows, cols], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("entry", _ENTRIES, ids=lambda entry: entry.name)
def test_blurrier_input_scores_higher_on_average(entry, field: RGB) -> None:
    model = get_model(_available(entry).name)
    assert model.score(blur(field, 2.5), 0.25) > model.score(field, 0.25)
