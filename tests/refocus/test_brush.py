from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.refocus.brush import FocusPainting


def test_a_dab_sets_its_focus_in_the_middle_and_fades_out() -> None:
    painting = FocusPainting((100, 200, 80, 60), base_um=-1.0)
    changed = painting.dab(140, 230, 20, 2.0, softness=0.5)
    target = painting.map()
    assert target.dtype == np.float32
    assert target.shape == (60, 80)
    assert target[30, 40] == pytest.approx(2.0)
    assert -1.0 < target[30, 40 + 15] < 2.0
    assert target[30, 40 + 21] == -1.0
    assert changed is not None
    x0, y0, x1, y1 = changed
    untouched = np.ones_like(target, bool)
    untouched[y0:y1, x0:x1] = False
    assert (target[untouched] == -1.0).all()


def test_passing_twice_in_a_stroke_keeps_its_soft_border() -> None:
    once, often = FocusPainting((0, 0, 60, 60)), FocusPainting((0, 0, 60, 60))
    once.dab(30, 30, 20, 1.0)
    often.begin(1.0)
    for _ in range(10):
        often.dab(30, 30, 20, 1.0)
    often.end()
    np.testing.assert_array_equal(once.map(), often.map())


def test_undo_takes_back_whole_strokes_one_after_the_other() -> None:
    painting = FocusPainting((0, 0, 50, 40), np.linspace(0, 1, 2000, dtype=np.float32).reshape(40, 50))
    states = [painting.map()]
    painting.begin(3.0)
    painting.dab(10, 10, 8, 3.0)
    painting.dab(30, 20, 8, 3.0)
    painting.end()
    states.append(painting.map())
    painting.dab(20, 20, 15, -2.0, softness=0.0)
    assert painting.map().min() == -2.0
    assert painting.undo() is not None
    np.testing.assert_array_equal(painting.map(), states[1])
    painting.undo()
    np.testing.assert_array_equal(painting.map(), states[0])
    assert painting.undo() is None
    np.testing.assert_array_equal(painting.map(), states[0])


def test_dabs_over_the_border_and_beside_the_map() -> None:
    painting = FocusPainting((0, 0, 20, 10))
    assert painting.dab(0, 0, 5, 1.0, softness=0.0) == (0, 0, 6, 6)
    assert painting.map()[0, 0] == 1.0
    assert painting.dab(100, 5, 5, 1.0) is None
    painting.undo()
    assert not painting.map().any()


@pytest.mark.parametrize("wrong", [{"radius_px": 0.0}, {"z_um": float("nan")}, {"x": float("inf")}])
def test_impossible_dabs_are_refused(wrong: dict[str, float]) -> None:
    values = {"x": 1.0, "y": 1.0, "radius_px": 3.0, "z_um": 1.0} | wrong
    with pytest.raises(ValueError, match="dab"):
        FocusPainting((0, 0, 10, 10)).dab(**values)


def test_a_painting_is_saved_and_read_back(tmp_path: Path) -> None:
    painting = FocusPainting((5, 6, 30, 20), 0.5)
    painting.dab(20, 15, 6, -3.0)
    painting.save(tmp_path / "é.npy", {"source": "slide.svs"})
    again = FocusPainting.load(tmp_path / "é.npy")
    assert again.rect == (5, 6, 30, 20)
    np.testing.assert_array_equal(again.map(), painting.map())
    assert '"slide.svs"' in (tmp_path / "é.json").read_text(encoding="utf-8")


def test_other_files_are_no_paintings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        FocusPainting.load(tmp_path / "nothing.npy")
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    (tmp_path / "a.json").write_text('{"kind": "focus painting", "rect": [0, 0, 9, 9]}')
    with pytest.raises(UserError, match="no painted focus map"):
        FocusPainting.load(tmp_path / "a.npy")
    with pytest.raises(UserError, match=r"Use \.npy"):
        FocusPainting((0, 0, 3, 3)).save(tmp_path / "a.png")


def test_files_that_are_cut_off_or_hold_several_maps_are_no_paintings(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    (tmp_path / "a.json").write_text('{"kind": "focus painting", "rect": [0, 0, 4, 3]}')
    np.savez(tmp_path / "several.npz", a=np.zeros((3, 4)))
    for content in (b"", b"PK\x03\x04 cut off", (tmp_path / "several.npz").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="no painted focus map"):
            FocusPainting.load(path)


def test_saving_replaces_no_json_of_something_else(tmp_path: Path) -> None:
    other = tmp_path / "map.json"
    other.write_text('{"patients": [1, 2]}')
    with pytest.raises(UserError, match=r"map\.json beside it"):
        FocusPainting((0, 0, 3, 3)).save(tmp_path / "map.npy")
    assert other.read_text() == '{"patients": [1, 2]}'
    assert not (tmp_path / "map.npy").exists()
    for focus in (1.0, 2.0):  # its own is replaced
        FocusPainting((0, 0, 3, 3), focus).save(tmp_path / "mine.npy")
    assert FocusPainting.load(tmp_path / "mine.npy").map()[0, 0] == 2.0
