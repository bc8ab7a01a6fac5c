from __future__ import annotations

import pytest

from focusviewer.slides.readers.numbers import microns, number, unit_um


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25), ("0,25", 0.25), ("0,500000", 0.5), (",25", 0.25), (".25", 0.25), ("40,", 40.0), ("40.", 40.0),
        (" 0,25 ", 0.25), ('"0,25"', 0.25), ("+0,25", 0.25), ("-1,5", -1.5), ("\u22121,5", -1.5), ("007", 7.0),
        ("2,5e-1", 0.25), ("2.5E-01", 0.25), ("25e-2", 0.25), ("2,5E+1", 25.0), ("1e3", 1000.0),
        ("1,234,567", 1234567.0), ("1.234.567", 1234567.0), ("1.234,5", 1234.5), ("1,234.5", 1234.5),
        ("1 234,5", 1234.5), ("1\u00a0234,5", 1234.5), ("1\u202f234.5", 1234.5), ("1'234.5", 1234.5),
        ("1\u2019234.5", 1234.5), ("12,34,567.8", 1234567.8), ("1,234", 1.234), ("1.234", 1.234),
        ("\u0660\u066b\u0662\u0665", 0.25), ("\uff10\uff0e\uff12\uff15", 0.25), ("40x", 40.0), ("40 X", 40.0),
        (0.25, 0.25), (40, 40.0),
    ],
)  # fmt: skip
def test_numbers_are_read_however_they_are_written(text: object, value: float) -> None:
    assert number(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "none", "nan", "inf", "1e999", "0.25 0.25", "0,25;0,25", "1.2.3", "1,2,3.4.5", "0.25 um", "12 34", "--1", None,
     True, float("nan"), "0x10", "1.5e"],
)  # fmt: skip
def test_other_texts_are_no_numbers(text: object) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "unit", "um"),
    [
        ("0.5", "µm", 0.5), ("0.5 um", "µm", 0.5), ("0,5 µm", "mm", 0.5), ("0,5\u00a0\u03bcm", "mm", 0.5),
        ("500 nm", "µm", 0.5), ("0.0005 mm", "µm", 0.5), ("500", "nm", 0.5), ("0.5 um/pixel", "µm", 0.5),
        ("0,5 microns per pixel", "µm", 0.5), ("0.5um/px", "µm", 0.5), ("5e-1 um", "µm", 0.5),
        ("5e-7 m", "µm", 0.5), ("0.5 \\u00B5m", "nm", 0.5), ("1 inch", "µm", 25400.0),
    ],
)  # fmt: skip
def test_lengths_carry_their_unit_or_the_fields(text: str, unit: str, um: float) -> None:
    assert microns(text, unit) == pytest.approx(um, rel=1e-12)


@pytest.mark.parametrize(("text", "unit"), [("0.5 pixel", "µm"), ("0.5", "pixel"), ("0.5", None), ("0.5 s", "µm")])
def test_what_is_no_length_is_none(text: str, unit: str | None) -> None:
    assert microns(text, unit) is None
    assert unit_um("reference frame") is None
