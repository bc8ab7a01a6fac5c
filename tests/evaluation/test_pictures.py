from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from focusviewer.evaluation import pictures
from focusviewer.evaluation.test_sets.ground_truth_stacks import GroundTruthStack
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from focusviewer.evaluation.test_sets.real_tissue import RealPair
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.slides.base import RGB
from tests.evaluation.suites.refocus.toys import knowing, nothing, picture

pytestmark = pytest.mark.usefixtures("few_draws")


def test_sheets_show_pictures_pixel_for_pixel(
    real: RealStack, grain: GroundTruthStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "REAL_PX", 64)
    sheet = pictures.real_sheet(nothing(), real)
    top, left = pictures.CAPTION_PX, 16
    np.testing.assert_array_equal(sheet[top : top + 64, :64], real.planes[0, left : left + 64, left : left + 64])
    np.testing.assert_array_equal(sheet[top : top + 64, 204:268], real.planes[4, left : left + 64, left : left + 64])
    assert pictures.between_sheet(nothing(), real).ndim == 3
    levels = pictures.levels_sheet(knowing(), grain)
    second = levels.shape[0] // 2
    np.testing.assert_array_equal(levels[16:112, 100:196], levels[second + 16 : second + 112, 100:196])
    assert pictures.traverse_sheet(knowing(), grain).shape[1] == 16 * (96 + pictures.GAP_PX)


def test_tissue_is_shown_beside_the_best_filter_and_the_sharp_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "REAL_PX", 64)
    pair = RealPair("made", "soft", picture(1.5), picture(0.0))
    sheet = pictures.tissue_sheet(nothing(), [pair, pair])
    left, top = 16, pictures.CAPTION_PX
    inner = slice(left, left + 64), slice(left, left + 64)
    np.testing.assert_array_equal(sheet[top : top + 64, :64], pair.blurred[inner])
    np.testing.assert_array_equal(sheet[top : top + 64, 204:268], pair.sharp[inner])
    assert sheet.shape[0] >= 2 * (64 + top)
    filtered = sheet[top : top + 64, 136:200].astype(int)
    assert (
        np.abs(filtered - pair.sharp[inner]).mean() < np.abs(pair.blurred[inner].astype(int) - pair.sharp[inner]).mean()
    )


def test_insights_are_drawn_for_every_layer(grain: GroundTruthStack, tmp_path: Path) -> None:
    class Diagnostics:
        asked: ClassVar[list[tuple[int, ...]]] = []

        @staticmethod
        def attention_maps(engine: Refocuser, encoded: Encoded, target_um: float) -> list[np.ndarray]:
            return [np.ones((3, 96 // step, 96 // step), np.float32) for step in (1, 2, 4)]

        @classmethod
        def render_layers(cls, engine: Refocuser, encoded: Encoded, target_um: float, layers: tuple[int, ...]) -> RGB:
            cls.asked.append(layers)
            return picture(2)

    attention, first = pictures.draw_insights(knowing(), Diagnostics, grain, tmp_path)
    assert attention.name == "attention.png"
    assert first.exists()
    assert Diagnostics.asked == [(0,), (0,)]
