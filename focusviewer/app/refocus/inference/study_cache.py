"""The studies that were used last, as many as the memory for them allows."""

from __future__ import annotations

from collections import OrderedDict

from focusviewer.app.refocus.area import RefocusArea
from focusviewer.app.refocus.inference.engines import Study

KEPT_VIEWS = 4
"""Most studies to keep, including the one on screen."""

KEPT_PX = 11_000_000
"""Most pixels of them, all planes together; the fast engine needs 130 to 150 bytes for each.

Enough for three places of the focus in a stack, each from five planes, in a window of usual size.
"""


class StudyCache:
    """Keeps studies; the one that was used last is kept whatever its size."""

    def __init__(self) -> None:
        self._kept: OrderedDict[RefocusArea, Study] = OrderedDict()

    def get(self, area: RefocusArea) -> Study | None:
        """What is known of an area."""
        return self._kept.get(area)

    def areas(self) -> list[RefocusArea]:
        """The areas that are known, those used last first."""
        return list(reversed(self._kept))

    def use(self, study: Study) -> None:
        """Keep a study, and drop those that were not used for longest."""
        self._kept[study.area] = study
        self._kept.move_to_end(study.area)
        while len(self._kept) > 1 and (len(self._kept) > KEPT_VIEWS or sum(map(_pixels, self._kept)) > KEPT_PX):
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _pixels(area: RefocusArea) -> int:
    x0, y0, x1, y1 = area.rect
    return (x1 - x0) * (y1 - y0) * len(area.planes)
