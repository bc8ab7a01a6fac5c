from __future__ import annotations

import json

import numpy as np
import pytest

from focusviewer.app.painting.strokes import Painting, load_painting, save_painting
from focusviewer.core.errors import UserError

BOX = (1000, 500, 200, 100)


@pytest.fixture
def painting() -> Painting:
    made = Painting()
    made.begin(1050, 550, 2.0, 20, 0.5)
    made.extend(1150, 550)
    return made


def test_a_stroke_gives_its_focus_inside_and_leaves_the_rest(painting) -> None:
    target = painting.snapshot(-1.0).map_um(BOX, (100, 200))
    assert target[50, 50:150] == pytest.approx(np.full(100, 2.0), abs=1e-3)
    assert np.all(target[:20] == -1.0)
    border = target[50:75, 100]
    assert np.all(np.diff(border) <= 0)  # softly from one into the other
    assert ((border > -0.9) & (border < 1.9)).sum() >= 5


def test_a_coarser_map_of_a_larger_region_says_the_same(painting) -> None:
    fine = painting.snapshot(0.0).map_um(BOX, (100, 200))
    coarse = painting.snapshot(0.0).map_um((900, 400, 400, 300), (75, 100))
    assert coarse[(550 - 400) // 4, (1100 - 900) // 4] == pytest.approx(fine[50, 100], abs=0.01)
    assert coarse[0, 0] == 0.0


def test_painting_on_gives_what_painting_at_once_gives(painting) -> None:
    painting.snapshot(0.0).map_um(BOX, (100, 200))  # drawn already; the rest is added to it
    painting.extend(1150, 590)
    painting.begin(1100, 520, -3.0, 15, 0.2)
    grown = painting.snapshot(0.0).map_um(BOX, (100, 200))
    strokes = painting.snapshot(0.0).strokes
    assert np.array_equal(grown, Painting(strokes).snapshot(0.0).map_um(BOX, (100, 200)))


def test_undo_and_clear_take_back(painting) -> None:
    before = painting.snapshot(0.0).map_um(BOX, (100, 200))
    painting.begin(1100, 550, -4.0, 30, 0.5)
    assert not np.array_equal(painting.snapshot(0.0).map_um(BOX, (100, 200)), before)
    painting.undo()
    assert np.array_equal(painting.snapshot(0.0).map_um(BOX, (100, 200)), before)
    painting.clear()
    painting.undo()  # nothing left to take back
    assert painting.is_empty
    assert not painting.snapshot(0.0).map_um(BOX, (100, 200)).any()


def test_a_saved_painting_goes_on_and_its_map_is_for_the_command_line(painting, tmp_path) -> None:
    path = tmp_path / "focus.npy"
    save_painting(path, painting.snapshot(0.5), BOX, {"fingerprint": "f"})
    written = np.load(path)
    assert written.shape == (100, 200)
    again = load_painting(path)
    assert again.snapshot(0.5).strokes == painting.snapshot(0.5).strokes
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["rect"] == list(BOX)
    del about["strokes"]  # a map that another program painted
    path.with_suffix(".json").write_text(json.dumps(about))
    plain = load_painting(path).snapshot(0.0)
    assert plain.strokes == ()
    assert np.array_equal(plain.map_um(BOX, (100, 200)), written)
    assert plain.map_um((0, 0, 50, 50), (50, 50)).max() == 0.0  # elsewhere there is none


def test_a_damaged_painting_is_told(tmp_path) -> None:
    path = tmp_path / "focus.npy"
    with pytest.raises(UserError, match=r"focus\.npy"):
        load_painting(path)
    save_painting(path, Painting().snapshot(0.0), BOX, {})
    about = json.loads(path.with_suffix(".json").read_text())
    about["strokes"] = [{"points": [[0, 0]], "radius": -1, "z_um": 0, "softness": 0}]
    path.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="strokes"):
        load_painting(path)
