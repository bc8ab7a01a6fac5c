"""A slow engine run piece by piece, so that it can report progress and be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.cancel import stop_if
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.spans import Span, fade, spans

PIECE_PX = 384
OVERLAP_PX = 32

T = TypeVar("T")


@dataclass(frozen=True)
class _Piece:
    """A part of the view with its context: what is read, and what of it is kept."""

    y: Span
    x: Span
    outer_y: Span
    outer_x: Span

    def cut(self, values: RGB | FloatMap) -> np.ndarray:
        """The part with its context."""
        return np.ascontiguousarray(values[self.outer_y[0] : self.outer_y[1], self.outer_x[0] : self.outer_x[1]])

    def core(self, values: np.ndarray) -> np.ndarray:
        """The part without its context."""
        top, left = self.y[0] - self.outer_y[0], self.x[0] - self.outer_x[0]
        return values[top : top + self.y[1] - self.y[0], left : left + self.x[1] - self.x[0]]


class PiecewiseEngine(Refocuser):
    """Any engine with progress and cancellation: its view is cut into overlapping pieces, which are blended.

    Parameters
    ----------
    engine : Refocuser
        Does the work, with as much context around each piece as it looks at.
    piece_px : int
        Largest side of a piece; it is what has to be waited for when the work is stopped.
    """

    def __init__(self, engine: Refocuser, piece_px: int = PIECE_PX) -> None:
        self.engine = engine
        self.name, self.version = engine.name, engine.version
        self.mpps, self.max_planes, self.is_slow = engine.mpps, engine.max_planes, engine.is_slow
        self.max_z_um, self.halo_px = engine.max_z_um, engine.halo_px
        self.finds_focus = engine.finds_focus
        self._piece_px = piece_px
        self._cancel: threading.Event | None = None
        self._report: Callable[[float], None] | None = None

    def parameters(self) -> int:
        """Number of trained parameters of the engine."""
        return self.engine.parameters()

    @contextmanager
    def watched(self, cancel: threading.Event, report: Callable[[float], None]) -> Iterator[None]:
        """Look at ``cancel`` before every piece, and report the part that is done (0 to 1) after it.

        Inside, ``encode`` and ``render`` end with CancelledError when it is set.
        """
        self._cancel, self._report = cancel, report
        try:
            yield
        finally:
            self._cancel = self._report = None

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        shape = (images[0].shape[0], images[0].shape[1])
        blur = np.zeros(shape, np.float32)
        state: list[tuple[_Piece, Encoded]] = []
        for piece in self._followed(_pieces(shape, self._piece_px, self.halo_px)):
            maps = None if focus_maps is None else [piece.cut(values) for values in focus_maps]
            encoded = self.engine.encode([piece.cut(image) for image in images], mpp, planes_um, maps)
            state.append((piece, encoded))
            _add(blur, piece, encoded.blur_um)
        first = state[0][1]
        notes = tuple(dict.fromkeys(note for _, encoded in state for note in encoded.notes))
        return replace(first, shape=shape, mpp=mpp, blur_um=blur, state=state, notes=notes, likely_um=None)

    def _assume(self, encoded: Encoded, distance_um: float) -> Encoded:
        """What every piece can keep is kept."""
        state: list[tuple[_Piece, Encoded]] = [
            (piece, self.engine.assume(part, distance_um)) for piece, part in self._followed(encoded.state)
        ]
        blur = np.full(encoded.shape, distance_um, np.float32)
        notes = tuple(dict.fromkeys(note for _, part in state for note in part.notes))
        return replace(encoded, blur_um=blur, state=state, notes=notes)

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        total = np.zeros((*encoded.shape, 3), np.float32)
        for piece, part in self._followed(encoded.state):
            target = piece.cut(target_um) if isinstance(target_um, np.ndarray) else target_um
            _add(total, piece, self.engine.render(part, target))
        return np.clip(np.rint(total), 0, 255).astype(np.uint8)

    def _all_in_focus_target(self, encoded: Encoded) -> FloatMap:
        """Give the engine's own target maps, blended."""
        total = np.zeros(encoded.shape, np.float32)
        for piece, part in encoded.state:
            _add(total, piece, self.engine.all_in_focus_target(part))
        return total

    def _followed(self, work: Sequence[T]) -> Iterator[T]:
        for index, item in enumerate(work):
            stop_if(self._cancel)
            yield item
            if self._report is not None:
                self._report((index + 1) / len(work))


def _pieces(shape: tuple[int, int], piece_px: int, halo: int) -> list[_Piece]:
    def outer(span: Span, length: int) -> Span:
        return max(0, span[0] - halo), min(length, span[1] + halo)

    height, width = shape
    return [
        _Piece(y, x, outer(y, height), outer(x, width))
        for y in spans(height, piece_px, OVERLAP_PX)
        for x in spans(width, piece_px, OVERLAP_PX)
    ]


def _add(total: FloatMap, piece: _Piece, values: np.ndarray) -> None:
    """Blend what a piece has given into the whole."""
    weights = fade(piece.y, total.shape[0], OVERLAP_PX)[:, None] * fade(piece.x, total.shape[1], OVERLAP_PX)[None]
    if total.ndim == 3:
        weights = weights[..., None]
    total[piece.y[0] : piece.y[1], piece.x[0] : piece.x[1]] += piece.core(values) * weights
