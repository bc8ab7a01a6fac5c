"""Restoration of a single picture: deblurring, denoising. Methods are still to come.

A method subclasses :class:`Restorer` and adds a line to ``registry.py``.
"""

from focusviewer.restoration.base import Restorer
from focusviewer.restoration.registry import RESTORERS, get_restorer, restorers

__all__ = ["RESTORERS", "Restorer", "get_restorer", "restorers"]
