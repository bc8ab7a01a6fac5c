"""The templates of the reports, and the words and numbers that several of them show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from focusviewer.core.templates import Templates
from focusviewer.qc.reports.focusplan import PlannedRegion
from focusviewer.qc.reports.links import Point, open_command, open_link
from focusviewer.qc.reports.pictures import data_uri
from focusviewer.qc.verdicts.rules import Override, Rules, Thresholds
from focusviewer.qc.worklist.listing import Entry
from focusviewer.qc.worklist.records import SlideRow
from focusviewer.qc.worklist.summary import show

NOTHING = "–"

THRESHOLD_NAMES = {
    "blurred_um": "a window of tissue is blurred from this distance from focus, µm",
    "rescan_blurred_fraction": "RESCAN: blurred part of the tissue",
    "rescan_region_mm2": "RESCAN: largest blurred region, mm²",
    "rescan_region_fraction": "… if it is at least this part of the tissue",
    "rescan_worst_decile_um": "RESCAN: worst tenth of the tissue, µm from focus",
    "review_blurred_fraction": "REVIEW: blurred part of the tissue",
    "review_region_mm2": "REVIEW: largest blurred region, mm²",
    "review_worst_decile_um": "REVIEW: worst tenth of the tissue, µm from focus",
    "rescan_cannot_tell_fraction": "RESCAN: part of the tissue that cannot be judged",
    "review_cannot_tell_fraction": "REVIEW: part of the tissue that cannot be judged",
    "review_unreadable_fraction": "REVIEW: part of the tissue that cannot be read",
    "review_least_tissue_mm2": "REVIEW: less tissue than this, mm²",
}


def number(value: float | None, digits: int = 2) -> str:
    """A number for people; a dash for one that is not known."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A part as a percentage."""
    return NOTHING if value is None else f"{value:.1%}"


def person_line(entry: Entry) -> str:
    """A person's verdict in words; empty without one."""
    person = entry.row.person if entry.row is not None else None
    if person is None:
        return ""
    note = f": “{person.note}”" if person.note else ""
    blinded = ", before seeing the program's" if person.blinded else ""
    return f"{person.verdict.value} by {person.who or 'somebody'} on {person.given_at}{blinded}{note}"


def search_text(entry: Entry) -> str:
    """What the search looks through, in small letters."""
    parts = [str(entry.path), *entry.reasons, person_line(entry)]
    if entry.row is not None:
        facts = entry.row.facts
        parts += [facts.slide_id, facts.scanner, facts.stain, facts.fingerprint]
    return " ".join(part for part in parts if part).lower()


def anchor(row: SlideRow) -> str:
    """Where a slide's card is in the page; letters and digits only."""
    return "slide-" + "".join(char for char in row.facts.fingerprint if char.isascii() and char.isalnum())


def centre(region: PlannedRegion) -> Point:
    """The middle of a region, where links to it lead."""
    return region.x_px + region.width_px / 2, region.y_px + region.height_px / 2


@dataclass(frozen=True)
class RulesTable:
    """Which rules made how many verdicts, and their thresholds.

    Attributes
    ----------
    used : mapping of str to int
        Slides by the label of the rules that judged them.
    label : str
        Of the rules whose thresholds are shown.
    overrides : tuple of str
        Headings of the columns after the first: which slides are meant.
    lines : tuple of (words, name, values)
        A line for each threshold, its values as texts, one for each column; empty when the rules that judged are not
        at hand.
    """

    used: Mapping[str, int]
    label: str
    overrides: tuple[str, ...] = ()
    lines: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


def rules_table(used: Mapping[str, int], rules: Rules) -> RulesTable:
    """Which rules made how many verdicts, and their thresholds where they are ``rules``."""
    if rules.label not in used:
        return RulesTable(used, rules.label)
    overrides = [override for override in rules.overrides if override.changes]
    lines = []
    for item in fields(Thresholds):
        values = [getattr(rules.thresholds, item.name), *(override.changes.get(item.name) for override in overrides)]
        shown = tuple("" if value is None else f"{value:g}" for value in values)
        lines.append((THRESHOLD_NAMES.get(item.name, item.name), item.name, shown))
    return RulesTable(used, rules.label, tuple(_slides_meant(item) for item in overrides), tuple(lines))


def _slides_meant(override: Override) -> str:
    return "only " + " and ".join(part for part in (override.scanner, override.stain) if part)


TEMPLATES = Templates(
    "qc",
    {
        "anchor": anchor,
        "centre": centre,
        "data_uri": data_uri,
        "number": number,
        "open_command": open_command,
        "open_link": open_link,
        "percent": percent,
        "person": person_line,
        "search_text": search_text,
    },
    show,
)
