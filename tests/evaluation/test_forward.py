from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import UserError
from focusviewer.evaluation.forward import (
    PlaneStack,
    fidelity_table,
    pair_figures,
    real_plane_stacks,
    sharpest_plane,
    stack_fidelity,
    structured_part,
    summary,
    zero_figures,
)
from focusviewer.evaluation.forward_plot import draw_stack
from focusviewer.optics import defocus_image
from focusviewer.simulation.fitting.spectra import Reversal


@pytest.fixture(scope="module")
def stack() -> PlaneStack:
    """Five planes, 1.5 um apart, of a gray speckle that is sharp in the third."""
    rng = np.random.default_rng(5)
    spectrum = np.fft.rfft2(rng.standard_normal((128, 128)))
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128)[None])
    grain = np.fft.irfft2(spectrum / np.maximum(radius, 0.02), s=(128, 128))
    light = np.repeat((0.6 + 0.1 * grain / grain.std())[..., None], 3, axis=2).astype(np.float32)
    noise = rng.normal(0, 0.5, (5, 128, 128))
    depths = (-3.0, -1.5, 0.0, 1.5, 3.0)
    planes = [defocus_image(light, z, 0.25)[..., 1] * 255 + n for z, n in zip(depths, noise, strict=True)]
    stored = np.clip(np.round(planes), 0, 255).astype(np.uint8)
    return PlaneStack("speckle", stored[:, None, ..., None], 0.25, True, 1.5)


def test_planes_on_both_sides_of_the_sharpest_are_predicted(stack: PlaneStack, tmp_path: Path) -> None:
    result = stack_fidelity(stack, (1, 2))
    assert [(row["sharp"], row["blurred"]) for row in result.rows] == [(2, 0), (2, 1), (2, 3), (2, 4)]
    assert [row["z_um"] for row in result.rows] == pytest.approx([3.0, 1.5, 1.5, 3.0], rel=0.15)
    assert [row["z_stated_um"] for row in result.rows] == [3.0, 1.5, 1.5, 3.0]
    assert all(row["psnr"] > row["gaussian_psnr"] + 0.5 and row["psnr"] > row["disk_psnr"] for row in result.rows)
    figures = summary(result.rows)
    assert figures["reach_gaussian"] == figures["fitted"] == 4
    assert figures["zeros_right"] == figures["zeros_measured"] >= 2
    table = fidelity_table(result.rows)
    assert "Nobody states the scale of speckle" in table.note
    assert len(table.markdown().splitlines()) == 2 + 2 + 2 + 4
    picture = Image.open(draw_stack(tmp_path / "speckle.png", result))
    assert picture.size == (4 * 320, 240)
    assert len(np.unique(np.asarray(picture))) > 50


def test_a_plane_of_something_else_gets_a_row_with_the_reason(stack: PlaneStack) -> None:
    planes = stack.planes.copy()
    planes[3] = np.random.default_rng(1).integers(0, 255, planes[3].shape)
    rows = stack_fidelity(PlaneStack("mixed", planes, 0.25, False, None, 2), (1,)).rows
    assert "psnr" in rows[0]
    assert "psnr" not in rows[1]
    assert "in common" in rows[1]["why"]
    assert summary(rows)["fitted"] == 1


def test_zeros_count_as_right_within_15_percent_and_as_wrong_when_not_predicted() -> None:
    measured = [Reversal(0.4, -0.1), Reversal(0.4, -0.1), Reversal(0.4, -0.1), Reversal(None, 0.0)]
    predicted = [Reversal(0.45, -0.1), Reversal(0.5, -0.1), Reversal(None, 0.0), Reversal(0.3, -0.1)]
    figures = zero_figures(measured, predicted)
    assert figures["zero_error"] == [pytest.approx(0.125), pytest.approx(0.25), 1.0, None]
    assert (figures["zeros_measured"], figures["zeros_right"]) == (3, 1)


def test_the_sharpest_plane_and_the_part_with_structure_are_found(stack: PlaneStack) -> None:
    assert sharpest_plane(stack.planes) == 2
    wide = np.full((3, 1, 100, 400, 1), 200, np.uint8)
    wide[:, :, 20:80, 300:380] = np.random.default_rng(0).integers(0, 255, (3, 1, 60, 80, 1))
    part = structured_part(wide, 100)
    assert part.shape == (3, 1, 100, 100, 1)
    assert part.std() > 60


def test_gray_pairs_have_one_colour_and_plain_values(stack: PlaneStack) -> None:
    figures, _ = pair_figures(stack.planes[2], stack.planes[4], 0.25)
    assert figures["colours"] == ["gray"]
    assert len(figures["first_zero"]["measured"]) == len(figures["chromatic_shift_um"]) == 1

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        return all(map(plain, value)) if isinstance(value, list) else type(value) in (int, float, str, type(None))

    assert plain(figures)


def test_a_folder_without_stacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No focal stacks"):
        real_plane_stacks(tmp_path)


def test_a_real_stack_is_predicted_better_than_by_a_disk_and_its_zero_found(data_dir: Path) -> None:
    folder = data_dir / "stacks/test/urjc-adipose-1"
    sharp, blurred = (np.asarray(Image.open(folder / f"z{plane}.png"))[200:712, 400:912] for plane in (10, 16))
    figures, _ = pair_figures(sharp, blurred, 0.25)
    assert figures["psnr"] >= figures["gaussian_psnr"]
    assert figures["psnr"] >= figures["disk_psnr"]
    assert figures["zeros_measured"] == figures["zeros_right"] == 1
    assert figures["reversal_depth"]["measured"][0] < -0.05
    assert figures["reversal_depth"]["predicted"][0] == pytest.approx(
        figures["reversal_depth"]["measured"][0], abs=0.04
    )
