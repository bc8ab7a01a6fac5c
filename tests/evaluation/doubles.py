"""Models that know the answer, and test stacks that carry it in their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.registry import ModelEntry
from focusviewer.evaluation.test_sets.fields import FieldSet
from focusviewer.focus.base import FocusModel, ScoreGrid
from focusviewer.refocus.base import Encoded, Refocuser


def telling_fields(fields: int = 6, planes: int = 9) -> FieldSet:
    """Fields whose pixels are 20 times the level of their plane plus the field's number."""
    levels = np.tile(np.arange(planes, dtype=np.float32) - 3, (fields, 1))
    values = np.abs(levels) * 20 + np.arange(fields)[:, None]
    images = np.broadcast_to(values[..., None, None, None], (*levels.shape, 40, 40, 3)).astype(np.uint8)
    groups = tuple(f"picture-{index}" for index in range(fields))
    return FieldSet(images, levels, groups, np.arange(fields) < fields // 2, 0.25, "telling")


class ReadingModel(FocusModel):
    """Reads the level out of the pixels; ``offset`` makes it wrong by so many levels."""

    absolute = True
    window_px = stride_px = 20

    def __init__(self, name: str = "reading", offset: float = 0.0, version: str = "1") -> None:
        self.name, self.offset, self.version, self.calls = name, offset, version, 0

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        self.calls += 1
        level = np.float32(image[0, 0, 0] // 20 + self.offset)
        return ScoreGrid(np.full((1, 1), level, np.float32), 20, 20)


class BrokenModel(ReadingModel):
    """Fails, or gives a score that is no number."""

    def __init__(self, name: str, error: Exception | None) -> None:
        super().__init__(name)
        self.error = error

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        if self.error is not None:
            raise self.error
        return ScoreGrid(np.full((1, 1), np.nan, np.float32), 20, 20)


class CopyingEngine(Refocuser):
    """Shows its first plane whatever the target; remembers what it was asked."""

    name = "copying"

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[float, ...], float]] = []

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        assert list(planes_um) == sorted(planes_um)
        shape = images[0].shape[:2]
        return Encoded((shape[0], shape[1]), mpp, tuple(planes_um), np.zeros(shape, np.float32), images[0])

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        self.asked.append((encoded.planes_um, float(np.mean(target_um))))
        return np.array(encoded.state)


def entry(model: object, name: str | None = None, kind: str = "focus", weights: Path | None = None) -> ModelEntry:
    """A line of a registry for a model that exists already."""
    return ModelEntry(
        name or str(getattr(model, "name", "model")), kind, lambda: model, "", weights, weights is not None
    )
