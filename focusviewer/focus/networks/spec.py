"""What is known of a focus network before it is built. Light: no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focusviewer.focus.networks.base import FocusNetwork


@dataclass(frozen=True)
class NetworkSpec:
    """One network of the catalogue.

    Attributes
    ----------
    window_px, stride_px : int
        Window it scores and step between windows of a map, in pixels of its own scale.
    absolute : bool
        True when its score is in focus levels of 0.25 um.
    make : callable
        Builds it with random weights; imports torch.
    batch : int
        Windows per forward pass: enough to keep a core busy, few enough for its cache.
    """

    name: str
    summary: str
    window_px: int
    stride_px: int
    absolute: bool
    make: Callable[[], FocusNetwork]
    batch: int = 8
