"""What each page of a TIFF file is: a focal plane, a level of its pyramid, a side image, or none of them.

Told by NewSubfileType, size, shape and tiles; descriptions only name side images. Where a page stands in the file does
not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MACRO_TYPE = 9
"""NewSubfileType that Aperio gives the picture of the whole glass slide."""

_SIDE_WORDS = {"label": "label", "macro": "macro", "thumbnail": "thumbnail", "overview": "macro"}
_IMAGE_TYPE = re.compile(r"<ImageType>\s*(\w+)\s*</ImageType>")
_GLASS_SHAPE = 1.8  # width over height from which a picture shows the glass slide, not its label


@dataclass
class Roles:
    """Pages by role: ``levels[level][plane]``, finest first; side images by name; what is left over, in words."""

    levels: list[list[Any]]
    sides: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def main(self) -> Any:
        """The first plane of the finest level."""
        return self.levels[0][0]


def page_roles(
    pages: list[Any],
    *,
    aperio: bool = False,
    channels: bool = False,
    z_um: Callable[[Any], float | None] = lambda page: None,
) -> Roles:
    """Sort the pages of a file (tifffile's).

    Parameters
    ----------
    aperio : bool
        Whether Aperio's habits hold: a small untiled page is a thumbnail, label or macro even where no flag says so.
    channels : bool
        Whether several pages of full size are channels of one plane, not focal planes.
    z_um : callable
        Focal position that a page states; tells which plane a page of a smaller level belongs to.
    """
    masks = [page for page in pages if page.is_mask]
    pages = [page for page in pages if not page.is_mask and min(size_of(page)) > 0] or pages
    main = _main(pages)
    full = [page for page in pages if _is_full(page, main)]
    planes = [main] if channels else full
    roles = Roles([planes])
    if masks and main not in masks:
        roles.remarks.append("it has a mask of what is transparent, which is not applied")
    if channels and len(full) > 1:
        roles.remarks.append(f"its {len(full)} pages of full size are channels, of which the first is shown")
    groups: dict[tuple[int, int], list[Any]] = {}
    rest: list[Any] = []
    for page in pages:
        if any(page is other for other in full):
            continue
        if is_level(page, main) and not _side_word(page.description):
            groups.setdefault(size_of(page), []).append(page)
        else:
            rest.append(page)
    for size in sorted(groups, reverse=True):
        row = _in_order(groups[size], planes, z_um)
        if len(row) == len(planes):
            roles.levels.append(row)
        elif len(planes) == 1:
            roles.levels.append(row[:1])
            rest += [] if channels else row[1:]
        else:
            said = f"{len(row)} pages of {size[0]} x {size[1]} pixels for {len(planes)} focal planes"
            roles.remarks.append(f"it has {said}; which belongs to which is not said, and they are left out")
    _name_sides(roles, rest, aperio)
    return roles


def size_of(page: Any) -> tuple[int, int]:
    """Width and height of a page."""
    return int(page.imagewidth), int(page.imagelength)


def is_level(page: Any, main: Any, *, flagged: bool = False) -> bool:
    """Whether a page is a smaller version of the main one: same samples, same shape, and tiled as it is or flagged."""
    if not _same_kind(page, main) or size_of(page)[0] >= size_of(main)[0] or not _same_shape(page, main):
        return False
    if main.is_tiled and not page.is_tiled and not flagged:
        return False  # an overview, not made to be read in parts
    return bool(flagged or page.is_reduced or main.is_tiled)


def _main(pages: list[Any]) -> Any:
    """The page that shows the slide at its finest."""
    plain = [page for page in pages if not page.is_reduced and not _side_word(page.description)]
    candidates = plain or [page for page in pages if not page.is_reduced] or pages
    if not any(page.is_tiled for page in candidates):
        # A reduced version of something smaller cannot be: its flag is wrong.
        tiled = [page for page in pages if page.is_tiled and _area(page) > max(map(_area, candidates))]
        candidates = tiled or candidates
    best = max([page for page in candidates if page.is_tiled] or candidates, key=_area)
    larger = [page for page in candidates if _area(page) > _area(best) and _same_shape(best, page)]
    return max(larger, key=_area, default=best)


def _is_full(page: Any, main: Any) -> bool:
    """Whether a page is the main one or another plane of it."""
    if page is main:
        return True
    same = size_of(page) == size_of(main) and _same_kind(page, main) and bool(page.is_tiled) == bool(main.is_tiled)
    return same and bool(page.is_reduced) == bool(main.is_reduced) and not _side_word(page.description)


def _in_order(row: list[Any], planes: list[Any], z_um: Callable[[Any], float | None]) -> list[Any]:
    """Pages of one size in the order of the planes: by the positions they state, else as they stand in the file."""
    wanted = [z_um(page) for page in planes]
    stated = {z_um(page): page for page in row}
    if len(stated) == len(row) == len(planes) and None not in stated and set(stated) == set(wanted):
        return [stated[z] for z in wanted]
    return row


def _name_sides(roles: Roles, rest: list[Any], aperio: bool) -> None:
    nameless = 0
    for page in rest:
        name = _side_name(page, roles.main, aperio)
        if name is None:
            nameless += 1
            continue
        number = 2
        unique = name
        while unique in roles.sides:
            unique, number = f"{name} {number}", number + 1
        roles.sides[unique] = page
    if nameless:
        pages = "one page" if nameless == 1 else f"{nameless} pages"
        roles.remarks.append(f"it has {pages} more, of other sizes or kinds, which are not shown")


def _side_name(page: Any, main: Any, aperio: bool) -> str | None:
    word = _side_word(page.description)
    if word:
        return word
    if int(page.subfiletype) == MACRO_TYPE:
        return "macro"
    if aperio and page.is_reduced:
        return "label"
    if (aperio or page.is_reduced) and _area(page) < _area(main) and _same_shape(page, main):
        return "thumbnail"
    if page.is_reduced:
        return "label"
    if aperio and not page.is_tiled:
        width, height = size_of(page)
        return "macro" if width >= _GLASS_SHAPE * height else "label"
    return None


def _side_word(description: str) -> str | None:
    """``label``, ``macro`` or ``thumbnail`` when a description names one: Aperio's second line, or an image type."""
    found = _IMAGE_TYPE.search(description[:4000])
    if found:
        return _SIDE_WORDS.get(found[1].lower())
    if description.startswith("Aperio"):
        second = description[:4000].splitlines()[1:2]
        return _SIDE_WORDS.get(second[0].strip().lower().split(" ")[0]) if second else None
    return _SIDE_WORDS.get(re.sub(r"[ _]image$", "", description[:40].strip().lower()))


def _area(page: Any) -> int:
    width, height = size_of(page)
    return width * height


def _same_kind(page: Any, main: Any) -> bool:
    return bool(page.samplesperpixel == main.samplesperpixel and page.dtype == main.dtype)


def _same_shape(page: Any, main: Any) -> bool:
    """Whether a smaller page has the shape of the main one: levels are cut to whole pixels, some of them repeatedly."""
    (w0, h0), (w, h) = size_of(main), size_of(page)
    if min(w, h) < 1 or w > w0 or h > h0:
        return False
    return abs(h - w * h0 / w0) <= 2 + 2 * h0 / w0 + 0.02 * h
