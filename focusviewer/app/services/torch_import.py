"""Importing torch in a worker without stopping the window.

An ordinary ``import torch`` holds the interpreter lock while hundreds of megabytes of libraries are linked, and
the garbage collector then walks its half a million objects again and again. Both would stop the Qt thread for a
few hundred milliseconds at a time.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import sys
import threading
from pathlib import Path

from focusviewer.core.imports import collection_paused

log = logging.getLogger(__name__)

LIBRARIES = ("libtorch_cpu", "libtorch_python")
_lock = threading.Lock()


def import_torch() -> None:
    """Import torch (any thread; at most the first call takes long)."""
    with _lock:
        if "torch" in sys.modules:
            return
        _link_libraries()
        with collection_paused():
            import torch  # noqa: F401


def _link_libraries() -> None:
    """Load torch's libraries through a foreign call, during which other threads run.

    Only a help: if anything is different from what is expected, the import does the work as usual. On Windows torch
    loads them in this way itself.
    """
    spec = importlib.util.find_spec("torch")
    if sys.platform == "win32" or spec is None or spec.origin is None:
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    try:
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        for name in LIBRARIES:
            path = Path(spec.origin).parent / "lib" / f"{name}{suffix}"
            if path.exists():
                dlopen(os.fsencode(path), os.RTLD_NOW)
    except (OSError, AttributeError) as error:
        log.debug("torch's libraries were not loaded ahead: %s", error)
