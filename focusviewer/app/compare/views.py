"""Comparing two pictures: the modes, what the second picture can show, and two linked views; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from focusviewer.app.viewer.document import Document
from focusviewer.app.viewer.view import View
from focusviewer.refocus.provenance import z_text

CompareMode = Literal["off", "wipe", "split", "flicker"]

REFOCUSED = "refocused"
"""What the second picture of a split shows when it is neither another plane nor another slide."""

WIPE_STEP = 0.02
FLICKER_HZ = (0.5, 3.0)
"""Slowest and fastest change of pictures a second; more than three flashes a second can harm."""


@dataclass(frozen=True)
class Content:
    """What a second picture can show.

    Attributes
    ----------
    key : str
        ``refocused``, ``plane 2`` or ``slide <fingerprint>``.
    text : str
        Its name for people.
    """

    key: str
    text: str


def contents(document: Document, others: list[Document]) -> list[Content]:
    """What can be shown beside a document: its refocused view, its planes, the other open slides."""
    found = [Content(REFOCUSED, "Refocused view")]
    known = document.slide.info.z_step_known
    if len(document.planes_um) > 1:
        for plane, z_um in enumerate(document.planes_um):
            found.append(Content(f"plane {plane}", f"Plane {plane + 1}" + (f"  ({z_text(z_um)})" if known else "")))
    for other in others:
        if other is not document:
            found.append(Content(f"slide {other.pyramid.fingerprint}", other.name))
    return found


def second_document(document: Document, key: str, others: list[Document]) -> Document:
    """A document for the second picture, with a view of its own at the same place (on another slide the like one)."""
    shown, plane = document, document.view.plane
    kind, _, value = key.partition(" ")
    if kind == "plane":
        plane = min(int(value), len(document.planes_um) - 1)
    for other in others:
        if kind == "slide" and other.pyramid.fingerprint == value:
            shown, plane = other, other.view.plane
    view = View(*shown.slide.dimensions, plane=plane)
    view.resize(document.view.width, document.view.height)
    across = view.slide_width / document.view.slide_width
    down = view.slide_height / document.view.slide_height
    units = pixel_sizes(document, shown)
    view.go_to(document.view.cx * across, document.view.cy * down, document.view.scale * units[1] / units[0])
    return Document(shown.slide, shown.pyramid, view, shown.maps, fresh=False)


def pixel_sizes(a: Document, b: Document) -> tuple[float, float]:
    """Sizes of the two documents' pixels in one unit: um where both are known."""
    if a.sides_um is None or b.sides_um is None:
        return 1.0, 1.0
    return a.sides_um[0], b.sides_um[0]


@dataclass(frozen=True)
class Link:
    """Two views that keep their offset and their ratio of magnifications.

    Attributes
    ----------
    dx, dy : float
        From the middle of the first to the middle of the second, in the unit of :func:`pixel_sizes`.
    ratio : float
        Magnification of the second over that of the first.
    units : (first, second)
        Sizes of their pixels.
    """

    dx: float
    dy: float
    ratio: float
    units: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def between(cls, first: View, second: View, units: tuple[float, float]) -> Link:
        """Link two views with their present offset and ratio."""
        a, b = units
        return cls(
            second.cx * b - first.cx * a,
            second.cy * b - first.cy * a,
            (second.scale / b) / (first.scale / a),
            units,
        )

    def move_second(self, first: View, second: View) -> None:
        """Move the second view to where the first one asks."""
        a, b = self.units
        x, y = (first.cx * a + self.dx) / b, (first.cy * a + self.dy) / b
        second.go_to(x, y, first.scale / a * self.ratio * b)

    def move_first(self, first: View, second: View) -> None:
        """Move the first view to where the second one asks."""
        a, b = self.units
        x, y = (second.cx * b - self.dx) / a, (second.cy * b - self.dy) / a
        first.go_to(x, y, second.scale / b / self.ratio * a)
