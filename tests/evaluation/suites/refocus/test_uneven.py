from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.suites.refocus.uneven import evaluate_uneven, uneven_sections
from focusviewer.optics import Optics
from focusviewer.refocus.base import FloatMap
from focusviewer.slides.base import RGB
from tests.evaluation.suites.refocus.toys import Toy, nothing, picture

pytestmark = pytest.mark.usefixtures("few_draws")


def test_a_map_is_compared_with_its_parts() -> None:
    sections = uneven_sections([("grain", np.tile(picture(0)[:48], (1, 4, 1)))])
    assert [section.kind for section in sections] == ["tilted", "stepped"]
    assert sections[1].depth_um[0, [0, 100, 200, 300]].tolist() == [0, 1, 2, 3]
    rows = evaluate_uneven(nothing(), sections)
    assert {(row["section"], row["inputs"], row["depth"]) for row in rows} >= {
        ("tilted", 1, "true"),
        ("stepped", 2, "own"),
    }
    assert all(row["difference"] == 0 for row in rows if row["inputs"] == 1)
    assert all(row["psnr_map"] == row["psnr_before"] for row in rows if row["inputs"] == 1)

    def clumsy(images: list[RGB], zs: tuple[float, ...], z: float | FloatMap) -> RGB:
        return images[0] if np.ndim(z) == 0 else (images[0] // 2)

    assert all(row["difference"] < -1 for row in evaluate_uneven(Toy(clumsy), sections))


def test_uneven_scans_are_sharp_where_the_plane_is() -> None:
    _, stepped = uneven_sections([("grain", np.tile(picture(1), (1, 4, 1)))])
    scan = stepped.scan(0.0, Optics(na=0.7), np.random.default_rng(0)).astype(float)
    errors = [
        np.abs(scan[:, left + 20 : right - 20] - stepped.truth[:, left + 20 : right - 20]).mean()
        for left, right in stepped.parts
    ]
    assert errors[0] < 1.5 < errors[1] < errors[3]
