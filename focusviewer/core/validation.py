"""Tables of TOML or JSON against typed fields: msgspec checks them, and what does not fit is found by its keys."""

from __future__ import annotations

import difflib
import functools
import operator
import re
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

LARGEST = sys.float_info.max


class MisfitError(ValueError):
    """A table does not fit its fields; whoever reads the file says so in its own words.

    Parameters
    ----------
    path : tuple of str and int
        Keys and positions from the table to what does not fit.
    value : object
        What is there.
    unknown : bool
        Whether the last key of the path is one that no field has; otherwise the value is of a wrong type or range.
    """

    def __init__(self, path: tuple[str | int, ...], value: object, unknown: bool) -> None:
        self.path, self.value, self.unknown = path, value, unknown
        super().__init__(path, value, unknown)


def convert(table: Mapping[str, Any], layout: Any) -> Any:
    """A table as the struct ``layout``, e.g. one of :func:`strict`; types are not guessed, whole numbers may be floats.

    Raises
    ------
    MisfitError
        At the first key or value that does not fit.
    """
    import msgspec

    try:
        return msgspec.convert(table, layout)
    except msgspec.ValidationError as error:
        raise _misfit(table, str(error)) from error


@functools.cache
def strict(kind: type) -> Any:
    """The fields of a dataclass as a struct that has no other keys; numbers must be finite.

    Keys that a table lacks are None in the struct: defaults are the dataclass's own business.
    """
    hints = get_type_hints(kind, include_extras=True)
    return strict_struct(kind.__name__, {item.name: hints[item.name] for item in fields(kind)})


def strict_struct(name: str, hints: Mapping[str, Any]) -> Any:
    """A struct with fields of these types and no other keys; what a table lacks is None."""
    import msgspec

    wanted = [(key, _finite(hint), None) for key, hint in hints.items()]
    return msgspec.defstruct(name, wanted, forbid_unknown_fields=True, frozen=True)


def bounded(low: float, high: float = LARGEST) -> Any:
    """The type of a finite number from ``low`` to ``high``."""
    import msgspec

    return Annotated[float, msgspec.Meta(ge=low, le=high)]


def suggestion(key: str, known: Iterable[str]) -> str:
    """What may have been meant by an unknown key, or else everything that could have been."""
    names: Sequence[str] = list(known)
    close = difflib.get_close_matches(key, names, 1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names) or 'none'}."


def _finite(hint: Any) -> Any:
    """The same type with numbers that are finite: msgspec takes NaN for a number."""
    origin = get_origin(hint)
    if hint is float:
        return bounded(-LARGEST)
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, (_finite(choice) for choice in get_args(hint)))
    if origin is tuple:
        return tuple[tuple(_finite(item) for item in get_args(hint))]  # type: ignore[misc]
    return hint


def _misfit(table: Mapping[str, Any], message: str) -> MisfitError:
    """What msgspec says, e.g. ``Expected `int`, got `str` - at `$.override[0].stain```, in parts."""
    what, _, place = message.partition(" - at `$")
    path: tuple[str | int, ...] = tuple(
        key or int(index) for key, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    )
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    if unknown is not None:
        path = (*path, unknown[1])
    value: Any = table
    for key in path:
        value = value[key]
    return MisfitError(path, value, unknown is not None)
