"""Packages whose names are looked up when they are asked for: importing one of their modules loads no other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package (PEP 562).

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    modules : mapping of str to str
        For every name of the package the module below it that defines it, e.g. ``{"FocusMap": "base"}``.
    """

    def look_up(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # the next time it is found without this
        return value

    return look_up
