"""Figures of matplotlib as SVG inside a page: in the page's colours, with words that show under the pointer."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from focusviewer.training.lab.plotting import round_ticks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SERIES = 8
"""Colours a plot can tell apart; more series take them again."""

COLOURS = {
    "ink": "#1c1e21",
    "soft": "#5b616b",
    "rule": "#d6d9de",
    "paper": "#fffffe",
    "measured": "#2563a7",
    "published": "#b4540a",
    "best": "#d5ecd9",
    "s0": "#2563a8",
    "s1": "#c2410c",
    "s2": "#15803d",
    "s3": "#7e22ce",
    "s4": "#b91c1c",
    "s5": "#0e7490",
    "s6": "#a16207",
    "s7": "#be185d",
}
"""Names of the page's colours, and what matplotlib is told in their place; no two are the same."""

_PX_PER_INCH = 72  # a point of the SVG is then a pixel of the page
_FONT_PX = 11
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_COLOUR = re.compile("|".join(COLOURS.values()))
_NAMES = {colour: name for name, colour in COLOURS.items()}
_FONT_FAMILY = re.compile(r"font-family: [^;]*;? ?")


def series_colour(index: int) -> str:
    """Colour of a series."""
    return COLOURS[f"s{index % SERIES}"]


class Drawing:
    """A figure in the making; ``label`` is what a screen reader says of it. Made within ``one_look``.

    Parameters
    ----------
    width, height : float
        Pixels of the page.
    """

    def __init__(self, width: float, height: float, label: str) -> None:
        from matplotlib.figure import Figure

        self._size, self._label = (width, height), label
        self._figure = Figure(figsize=(width / _PX_PER_INCH, height / _PX_PER_INCH), dpi=_PX_PER_INCH, frameon=False)
        self._marks: list[tuple[str, Sequence[str]]] = []

    def axes(
        self,
        corner: tuple[float, float],
        size: tuple[float, float],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
    ) -> Axes:
        """Axes at a place of the figure (left and top, in pixels), with fixed limits and nothing drawn but the data."""
        (left, top), (width, height), (full_width, full_height) = corner, size, self._size
        box = (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
        axes = self._figure.add_axes(box, frameon=False)
        axes.grid(visible=False)
        axes.set(xlim=_open(x_range), ylim=_open(y_range), xticks=[], yticks=[])
        return axes

    def mark(self, artist: Artist, style: str, titles: str | Sequence[str]) -> None:
        """Give what an artist draws a class of the page, and words: one text, or one for each of its points."""
        artist.set_gid(f"mark-{len(self._marks)}")
        self._marks.append((style, [titles] if isinstance(titles, str) else titles))

    def svg(self) -> Markup:
        """The finished figure, as markup for the inside of a page."""
        root = ElementTree.fromstring(self._matplotlib_svg())
        for element in root.findall(f"{_SVG}metadata") + root.findall(f"{_SVG}defs"):
            root.remove(element)  # who wrote it, and a style for the whole page
        self._name_marks(root)
        _drop_names(root)
        _drop_empty(root)
        for element in root.iter():
            element.tag = element.tag.removeprefix(_SVG)
            style = _FONT_FAMILY.sub("", element.get("style", ""))
            if style:
                element.set("style", _COLOUR.sub(lambda found: f"var(--{_NAMES[found[0]]})", style))
            element.text, element.tail = (
                None if not (part or "").strip() else part for part in (element.text, element.tail)
            )
        width, height = self._size
        root.attrib = {
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-label": self._label,
        }
        return Markup(ElementTree.tostring(root, encoding="unicode"))  # the tree escapes every text

    def _matplotlib_svg(self) -> str:
        import matplotlib

        for artist in self._figure.findobj():
            artist.set_clip_on(False)  # clip paths have names, which may be given only once in a page
        text = io.StringIO()
        # The salt makes the names of markers: equal figures are equal texts, and no two of a page share a name.
        with matplotlib.rc_context({"svg.hashsalt": self._label, "font.size": _FONT_PX}):
            self._figure.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()

    def _name_marks(self, root: ElementTree.Element) -> None:
        groups = {element.get("id", ""): element for element in root.iter(f"{_SVG}g")}
        for number, (style, titles) in enumerate(self._marks):
            group = groups.get(f"mark-{number}")
            if group is None:
                continue
            group.set("class", style)
            points = list(group.iter(f"{_SVG}use"))
            owners = points if len(titles) > 1 and len(points) == len(titles) else [group]
            for owner, title in zip(owners, titles, strict=False):
                element = ElementTree.Element(f"{_SVG}title")
                element.text = title
                owner.insert(0, element)


def _drop_names(root: ElementTree.Element) -> None:
    """Leave names only to what is used by name, and say it as pages do."""
    used = set()
    for element in root.iter():
        target = element.attrib.pop(f"{_XLINK}href", None)
        if target is not None:
            element.set("href", target)
            used.add(target.removeprefix("#"))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)


def _drop_empty(element: ElementTree.Element) -> None:
    """Remove groups that hold nothing."""
    for child in list(element):
        _drop_empty(child)
        if child.tag == f"{_SVG}g" and not len(child):
            element.remove(child)


def _open(limits: tuple[float, float]) -> tuple[float, float]:
    """Limits with some room between them."""
    low, high = limits
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def grid(axes: Axes, x_title: str = "", y_title: str = "", x_count: int = 6, y_count: int = 5) -> None:
    """Grid lines with their numbers, and the titles of both axes."""
    round_ticks(axes, x_count, y_count)
    axes.grid(visible=True, color=COLOURS["rule"], linewidth=1)
    axes.tick_params(length=0, labelsize=_FONT_PX, labelcolor=COLOURS["ink"])
    axes.set_xlabel(x_title, fontsize=_FONT_PX, color=COLOURS["ink"])
    axes.set_title(y_title, fontsize=_FONT_PX, color=COLOURS["ink"], loc="left")


def legend(axes: Axes) -> None:
    """Names of the series, to the right of the axes."""
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0,
        fontsize=_FONT_PX,
        labelcolor=COLOURS["ink"],
        handlelength=1.5,
    )
