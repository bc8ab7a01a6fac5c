"""Focus stacking: one picture, sharp everywhere, from the acquired planes of a stack. Methods are still to come.

A method subclasses :class:`Stacker` and adds a line to ``registry.py``.
"""

from focusviewer.stacking.base import Stacked, Stacker
from focusviewer.stacking.registry import STACKERS, get_stacker, stackers

__all__ = ["STACKERS", "Stacked", "Stacker", "get_stacker", "stackers"]
