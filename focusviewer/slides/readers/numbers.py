"""Numbers as files write them: with the decimal signs, digit groups and units of whoever wrote them."""

from __future__ import annotations

import math
import numbers
import re
import unicodedata
from typing import Any

_UNITS_UM = {
    "µm": 1.0, "um": 1.0, "mu": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "micrometers": 1.0, "micrometres": 1.0, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "nanometers": 1e-3,
    "nanometres": 1e-3, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "millimeters": 1e3, "millimetres": 1e3, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4, "m": 1e6, "meter": 1e6,
    "metre": 1e6, "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
}  # fmt: skip
_PER_PIXEL = re.compile(r"\s*(/|per|\bp(?=x\b))\s*(px|pix|pixels?|voxels?)?\s*$")
_ESCAPED_MICRO = re.compile(r"\\u00b5", re.IGNORECASE)  # as ImageJ writes it
_POWER = ("", "x")

_SIGNS = str.maketrans({"−": "-", "–": "-", "’": "'", "`": "'", "٫": ".", "٬": "'", "·": ".", "⎖": "."})
_QUANTITY = re.compile(r"([+-]?)\s*(\d[\d.,' ]*|[.,]\d+)(?:\s?[eE]\s?([+-]?\d+)(?!\w))?\s*(\D*)")
_GROUPED = re.compile(r"\d{1,3}(?:([.,' ])\d{2,3}(?:\1\d{2,3})*)?")


def number(text: Any) -> float | None:
    """A finite number from text, else None.

    Decimal commas, grouped digits (``1.234,5``, ``1 234.5``, ``1'234``), exponents and digits of any script are
    understood, a magnification's ``x`` too. Where one sign stands once it is the decimal sign. Text with any other unit
    is no plain number: see :func:`microns`.
    """
    found = _quantity(text)
    return None if found is None or found[1].lower() not in _POWER else found[0]


def microns(text: Any, unit: str | None = "µm") -> float | None:
    """A length in um from text, else None: in the unit that the text names, or in ``unit`` where it names none.

    ``0,25``, ``0.25 µm``, ``250 nm/pixel``. None also when the unit is no length.
    """
    found = _quantity(text)
    um = None if found is None else unit_um(found[1] or unit)
    return None if found is None or um is None else found[0] * um


def unit_um(name: str | None) -> float | None:
    """Microns in a unit of length, None for units that are no length (pixel, reference frame)."""
    if not name:
        return None
    plain = _ESCAPED_MICRO.sub("µ", name.strip()).lower().replace("μ", "µ")
    plain = _PER_PIXEL.sub("", plain).strip(" .")
    return _UNITS_UM.get(plain)


def _quantity(text: Any) -> tuple[float, str] | None:
    """A number and the unit after it (empty without one), or None for other texts."""
    if isinstance(text, bool):
        return None
    if isinstance(text, numbers.Real):
        return (float(text), "") if math.isfinite(float(text)) else None
    plain = _one_script(_ESCAPED_MICRO.sub("µ", str(text))).strip().strip("\"'").strip()
    match = _QUANTITY.fullmatch(plain)
    if match is None:
        return None
    sign, digits, exponent, unit = match.groups()
    plain_digits = _plain(digits.strip(" '"))
    if plain_digits is None:
        return None
    try:
        value = float(f"{sign}{plain_digits}e{exponent or 0}")
    except (ValueError, OverflowError):
        return None
    return (value, unit.strip()) if math.isfinite(value) else None


def _one_script(text: str) -> str:
    """Text with the digits, signs and spaces of any script as those of ASCII; other letters stay."""
    parts = []
    for char in text.translate(_SIGNS):
        category = unicodedata.category(char)
        if category == "Nd":
            parts.append(str(unicodedata.decimal(char)))
        elif category == "Zs" or char in "\t\r\n":
            parts.append(" ")
        else:
            parts.append(unicodedata.normalize("NFKC", char) if "！" <= char <= "～" else char)
    return "".join(parts)


def _plain(digits: str) -> str | None:
    """Digits with one decimal point at most, or None where the signs among them make no sense."""
    dots, commas = digits.count("."), digits.count(",")
    decimal = ""
    if dots and commas:
        decimal = "." if digits.rfind(".") > digits.rfind(",") else ","
        if digits.count(decimal) > 1:
            return None
    elif dots + commas == 1:
        decimal = "." if dots else ","
    whole, _, part = digits.partition(decimal) if decimal else (digits, "", "")
    if part and not part.isdigit():
        return None
    if not whole:
        whole = "0"
    groups = _GROUPED.fullmatch(whole)
    if not whole.isdigit() and (groups is None or len(re.split(r"\D", whole)[-1]) != 3):
        return None
    return re.sub(r"\D", "", whole) + "." + part
