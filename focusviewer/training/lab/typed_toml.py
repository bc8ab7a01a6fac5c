"""A dataclass as a TOML table and back: every key known, every value of the type its field says."""

from __future__ import annotations

import json
import tomllib
import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from focusviewer.core.errors import UserError
from focusviewer.core.validation import MisfitError, convert, strict, suggestion

Settings = TypeVar("Settings")

_WORDS = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}


def read_table(path: Path) -> dict[str, Any]:
    """A TOML file as a dict.

    Raises
    ------
    UserError
        If it cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}", error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"Cannot read {path}", f"it is no TOML: {error}") from error


def checked(kind: type[Settings], table: Mapping[str, Any], where: str) -> Settings:
    """Make ``kind`` from a table; missing keys keep their defaults.

    Parameters
    ----------
    kind : dataclass
        Its fields are int, float, bool, str, Literal, tuple of those, or one of them or None.
    where : str
        File (and table) to name in messages.

    Raises
    ------
    UserError
        For a key that no field has, or a value of another type.
    """
    try:
        found = convert(table, strict(kind))  # type: ignore[arg-type]  # classes are hashable
    except MisfitError as misfit:
        raise _refusal(misfit, kind, table, where) from misfit
    return kind(**{key: getattr(found, key) for key in table})


def _refusal(misfit: MisfitError, kind: type, table: Mapping[str, Any], where: str) -> UserError:
    """What is wrong with a table, for people."""
    key = str(misfit.path[0])
    if misfit.unknown:
        advice = suggestion(key, (field.name for field in fields(kind)))
        return UserError(f"Unknown setting {key} in {where}", "", advice)
    why = f"it must be {_described(get_type_hints(kind)[key])}"
    return UserError(f"Setting {key} in {where} is {_shown(table[key])}", why)


def _described(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(hint))
    if origin in (Union, types.UnionType):
        return " or ".join(_described(choice) for choice in get_args(hint) if choice is not type(None))
    if origin is tuple:
        return f"a list, each {_described(get_args(hint)[0])}"
    return _WORDS.get(hint, str(hint))


def _shown(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def toml_lines(settings: object) -> list[str]:
    """The fields of a dataclass as lines of TOML; those that are None are left out, as TOML has no such value."""
    values = {field.name: getattr(settings, field.name) for field in fields(settings)}  # type: ignore[arg-type]
    return [f"{name} = {_written(value)}" for name, value in values.items() if value is not None]


def _written(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
