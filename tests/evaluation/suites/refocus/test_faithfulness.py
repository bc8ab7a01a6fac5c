from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.suites.refocus import faithfulness
from tests.evaluation.suites.refocus.toys import Touching, nothing, picture, shifted

pytestmark = pytest.mark.usefixtures("few_draws")


def test_an_engine_that_does_nothing_breaks_no_rule() -> None:
    specimens = faithfulness.FaithfulnessImages(
        [picture(0)], [("glass", np.full((64, 64, 3), 240, np.uint8), np.ones((64, 64), bool))]
    )
    rows = faithfulness.evaluate_faithfulness(nothing(), specimens)
    assert {row["check"] for row in rows} >= {"re-blur, dB", "changed pixels", "glass, mean change"}
    assert all(row["held"] for row in rows)


def test_a_shade_on_glass_and_a_touched_plane_are_found() -> None:
    specimens = faithfulness.FaithfulnessImages(
        [picture(0)], [("glass", np.full((64, 64, 3), 240, np.uint8), np.ones((64, 64), bool))]
    )
    engine = Touching(shifted(3).paint)
    rows = {row["check"]: row for row in faithfulness.evaluate_faithfulness(engine, specimens)}
    assert rows["glass, mean change"]["worst"] == pytest.approx(3)
    assert rows["changed pixels"]["worst"] == 96 * 96
    assert not any(rows[check]["held"] for check in ("glass, mean change", "changed pixels"))


def test_a_planted_seam_is_found_where_it_is(rng: np.random.Generator) -> None:
    whole = rng.integers(90, 160, (64, 200, 3)).astype(np.uint8)
    seamed = whole.copy()
    seamed[:, 120:] += 4
    assert faithfulness.seam_steps(whole, whole, [120]) == [0.0]
    assert faithfulness.seam_steps(seamed, whole, [80, 120]) == [0.0, 4.0]
    noisy = (whole + rng.integers(-1, 2, whole.shape)).astype(np.uint8)
    assert faithfulness.seam_steps(noisy, whole, [120])[0] < 0.5


def test_tiles_of_an_engine_that_sees_only_its_tile_are_judged() -> None:
    wide = np.tile(picture(0), (1, 13, 1))[:, :1160]
    row = faithfulness._seam_row(nothing(), wide)
    assert row["cases"] == 2
    assert row["held"]
    assert row["worst"] == 0


def test_glass_is_what_shows_nothing_in_any_plane() -> None:
    plane = np.full((120, 120, 3), 240, np.uint8)
    blurred = plane.copy()
    plane[:20], blurred[:40] = 150, 200
    mask = faithfulness.glass_mask([plane, blurred])
    assert not mask[:55].any()
    assert mask[70:].all()


def test_a_grain_of_dust_is_no_glass() -> None:
    plane = np.full((120, 120, 3), 240, np.uint8)
    plane[60, 60], plane[60, 61] = 200, 255
    mask = faithfulness.glass_mask([plane])
    assert not mask[50:70, 50:70].any()
    assert mask[:40].all()
