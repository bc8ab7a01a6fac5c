"""The views that engines know: as many as memory may be spent on, the last used ones."""

from __future__ import annotations

from collections import OrderedDict

from focusviewer.app.engine_room import EngineRoom, Study
from focusviewer.app.models.refocus import RefocusArea

WHOLE_PX = 8_000_000
"""Pixels, of all planes together, of studies that are kept as they are: about 150 bytes each (fast)."""

LIGHT_PX = 24_000_000
"""The same of studies that are kept without what can be made again in a moment: about 17 bytes each."""


class Shelf:
    """Keeps studies; the one that was used last stays whole, whatever its size."""

    def __init__(self, room: EngineRoom) -> None:
        self._room = room
        self._kept: OrderedDict[RefocusArea, Study] = OrderedDict()

    def __contains__(self, area: object) -> bool:
        return area in self._kept

    def get(self, area: RefocusArea) -> Study | None:
        """What is known of an area."""
        return self._kept.get(area)

    def areas(self) -> list[RefocusArea]:
        """The areas that are known, those used last first."""
        return list(reversed(self._kept))

    def use(self, study: Study) -> None:
        """Keep a study, and let go of those that were not used for longest."""
        self._kept[study.area] = study
        self._kept.move_to_end(study.area)
        whole = light = 0
        for index, area in enumerate(self.areas()):
            size = _pixels(area)
            if index == 0 or whole + size <= WHOLE_PX:
                whole += size
            elif light + size <= LIGHT_PX and self._room.lighten(self._kept[area]):
                light += size
            else:
                del self._kept[area]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _pixels(area: RefocusArea) -> int:
    x0, y0, x1, y1 = area.rect
    return (x1 - x0) * (y1 - y0) * len(area.planes)
