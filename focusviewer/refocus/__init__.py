"""Virtual refocusing: engines behind one interface."""

from focusviewer.refocus.base import MAX_Z_UM, Encoded, Refocuser
from focusviewer.refocus.registry import DEFAULT_ENGINE, ENGINES, baselines, engines, get_engine

__all__ = ["DEFAULT_ENGINE", "ENGINES", "MAX_Z_UM", "Encoded", "Refocuser", "baselines", "engines", "get_engine"]
