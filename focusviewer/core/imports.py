"""Importing without delay: names that are looked up when they are asked for, and no collection in vain meanwhile."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package (PEP 562): importing one of its modules loads no other.

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


@contextmanager
def collection_paused() -> Iterator[None]:
    """Let Python's garbage collector rest, and never look again at what is made inside: modules are never freed."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()
