from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from focusviewer.core.validation import MisfitError, bounded, convert, strict, strict_struct, suggestion


@dataclass(frozen=True)
class Settings:
    size: int = 3
    rate: float = 0.5
    limit: float | None = None
    kinds: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    loss: Literal["l1", "l2"] = "l1"


def test_values_come_in_the_types_of_their_fields_and_what_is_missing_is_none() -> None:
    found = convert({"rate": 2, "kinds": [4, 5], "pair": [1, 2.5]}, strict(Settings))
    assert (found.rate, found.kinds, found.pair) == (2.0, (4, 5), (1.0, 2.5)) and isinstance(found.rate, float)
    assert found.size is None and found.loss is None


@pytest.mark.parametrize(
    ("table", "path", "unknown"),
    [
        ({"siez": 1}, ("siez",), True),
        ({"odd `name`. [x]\n": 1}, ("odd `name`. [x]\n",), True),
        ({"size": 4.0}, ("size",), False),
        ({"size": True}, ("size",), False),
        ({"rate": float("nan")}, ("rate",), False),
        ({"rate": 10**400}, ("rate",), False),
        ({"limit": float("-inf")}, ("limit",), False),
        ({"kinds": [1, "x"]}, ("kinds", 1), False),
        ({"pair": [1.0]}, ("pair",), False),
        ({"pair": [1.0, float("inf")]}, ("pair", 1), False),
        ({"loss": "l3"}, ("loss",), False),
    ],
)
def test_what_does_not_fit_is_found_by_its_keys(
    table: dict[str, Any], path: tuple[str | int, ...], unknown: bool
) -> None:
    with pytest.raises(MisfitError) as caught:
        convert(table, strict(Settings))
    assert (caught.value.path, caught.value.unknown) == (path, unknown)
    value: Any = table
    for key in path:
        value = value[key]
    assert caught.value.value is value


def test_tables_in_tables_are_checked_too() -> None:
    part = strict_struct("Part", {"share": bounded(0, 1)})
    whole = strict_struct("Whole", {"parts": list[part], "one": part})
    assert convert({"parts": [{"share": 1}]}, whole).parts[0].share == 1.0
    for table, path in (
        ({"parts": [{}, {"share": 1.5}]}, ("parts", 1, "share")),
        ({"parts": [{}, {"shares": 1}]}, ("parts", 1, "shares")),
        ({"parts": 3}, ("parts",)),
        ({"one": []}, ("one",)),
    ):
        with pytest.raises(MisfitError) as caught:
            convert(table, whole)
        assert caught.value.path == path


def test_a_near_name_is_suggested_or_all_are_listed() -> None:
    assert suggestion("siez", ["size", "rate"]) == "Did you mean size?"
    assert suggestion("zzz", ["size", "rate"]) == "Known: size, rate."
    assert suggestion("zzz", []) == "Known: none."
