"""Names of packages that are looked up when they are asked for."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

import focusviewer.focus
from focusviewer.core.imports import collection_paused, lazy_names


@pytest.mark.parametrize("package", [focusviewer.focus])
def test_every_name_a_package_promises_is_there(package) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name


def test_a_name_is_looked_up_once() -> None:
    import json

    look_up = lazy_names("json", {"JSONDecodeError": "decoder"})
    assert look_up("JSONDecodeError") is json.JSONDecodeError
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'nothing'"):
        look_up("nothing")


def test_a_module_of_a_package_loads_no_other() -> None:
    code = "import focusviewer.focus.base, sys; print('focusviewer.focus.registry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_collection_goes_on_after_a_pause_also_when_it_fails() -> None:
    before = gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
    assert gc.isenabled() == before
    with pytest.raises(ValueError, match="why"), collection_paused():
        raise ValueError("why")
    assert gc.isenabled() == before
    gc.unfreeze()
