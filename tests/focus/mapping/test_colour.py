from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from focusviewer.focus import LUTS, colorize, lut_colours
from tests.focus.maps import make_map


def _lightness(colours: np.ndarray) -> np.ndarray:
    return (colours / 255) ** 2.2 @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("name", LUTS)
def test_every_table_has_256_colours_that_change_smoothly(name: str) -> None:
    colours = lut_colours(name)
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert np.abs(np.diff(colours.astype(int), axis=0)).max() <= 8
    assert len(np.unique(colours, axis=0)) > 120


@pytest.mark.parametrize("name", ["viridis", "magma", "cividis"])
def test_perceptual_tables_rise_in_lightness(name: str) -> None:
    assert (np.diff(_lightness(lut_colours(name))) > -1e-3).all()


@pytest.mark.parametrize(
    ("name", "first", "middle", "last"),
    [
        ("viridis", (68, 1, 84), (33, 145, 140), (253, 231, 37)),
        ("magma", (0, 0, 4), (183, 55, 121), (252, 253, 191)),
        ("cividis", (0, 34, 78), (125, 124, 120), (254, 232, 56)),
        ("green-yellow-red", (26, 150, 65), (255, 255, 191), (215, 25, 28)),
        ("blue-white-red", (33, 102, 172), (247, 247, 247), (178, 24, 43)),
    ],
)
def test_tables_are_those_that_were_published(
    name: str, first: tuple[int, ...], middle: tuple[int, ...], last: tuple[int, ...]
) -> None:
    table = lut_colours(name).astype(int)
    assert np.abs(table[[0, 128, 255]] - [first, middle, last]).max() <= 1


def test_a_table_that_is_shared_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        lut_colours("viridis")[0] = 0


def test_absolute_colours_do_not_depend_on_the_slide() -> None:
    low, high = make_map([[0, 4, np.nan]]), make_map([[4, 30, 16]])
    np.testing.assert_array_equal(colorize(low)[0, 1], colorize(high)[0, 0])
    np.testing.assert_array_equal(colorize(high)[0, 1], colorize(high)[0, 2])  # beyond the range: the last colour


def test_normalised_colours_use_the_whole_table_and_shrug_off_outliers() -> None:
    values = np.linspace(2, 3, 400)
    values[0] = 1000
    colours = colorize(make_map(values.reshape(20, 20)), "normalised")[..., :3].reshape(-1, 3)
    table = lut_colours(LUTS[0])
    assert any((colour == table[0]).all() for colour in colours)
    assert len(np.unique(colours, axis=0)) > 150


def test_relative_models_are_normalised_even_when_absolute_is_asked_for() -> None:
    relative = replace(make_map([[-3.0, -2.0]]), absolute=False)
    assert not (colorize(relative)[0, 0] == colorize(relative)[0, 1]).all()


def test_missing_windows_are_transparent() -> None:
    rgba = colorize(make_map([[1.0, np.nan]]))
    assert rgba.shape == (1, 2, 4) and rgba[0, 0, 3] == 255
    assert (rgba[0, 1] == 0).all()
    assert (colorize(make_map([[np.nan]]), "normalised") == 0).all()


def test_range_can_be_given() -> None:
    table = lut_colours("magma")
    rgba = colorize(make_map([[1.0, 2.0]]), lut="magma", vmin=1, vmax=2)
    np.testing.assert_array_equal(rgba[0, :, :3], [table[0], table[255]])
