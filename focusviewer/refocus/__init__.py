"""Virtual refocusing: engines behind one interface."""

from typing import TYPE_CHECKING

from focusviewer.core.imports import lazy_names

if TYPE_CHECKING:
    from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser
    from focusviewer.refocus.registry import DEFAULT_ENGINE, ENGINES, baselines, engines, get_engine

__getattr__ = lazy_names(
    __name__,
    {
        "MAX_Z_UM": "base",
        "Encoded": "base",
        "Refocuser": "base",
        "DEFAULT_ENGINE": "registry",
        "ENGINES": "registry",
        "baselines": "registry",
        "engines": "registry",
        "get_engine": "registry",
    },
)

__all__ = ["DEFAULT_ENGINE", "ENGINES", "MAX_Z_UM", "Encoded", "Refocuser", "baselines", "engines", "get_engine"]
