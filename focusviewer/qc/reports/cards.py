"""What a report says of one slide: pictures, regions, verdicts, and how to open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from focusviewer.core.json_text import from_json_text
from focusviewer.qc.reports.focusplan import PlannedRegion, plan_region
from focusviewer.qc.reports.markup import NOTHING, number, percent
from focusviewer.qc.reports.pictures import SlidePicture
from focusviewer.qc.verdicts.features import SlideFeatures
from focusviewer.qc.worklist.listing import Entry
from focusviewer.qc.worklist.records import Result
from focusviewer.slides.identity import describe_records

MOST_REGIONS = 12
"""Regions shown of a slide; the rescan list has them all."""


@dataclass(frozen=True)
class Card:
    """One slide as the report shows it.

    Attributes
    ----------
    picture : SlidePicture or None
        None where the slide's folder lacks the files for it.
    regions : tuple of PlannedRegion
        The largest ones; ``hidden`` is how many more there are.
    facts, records : tuple of (name, value)
        What was measured, and what the scanner wrote about its focus.
    """

    entry: Entry
    picture: SlidePicture | None
    regions: tuple[PlannedRegion, ...]
    hidden: int
    facts: tuple[tuple[str, str], ...]
    records: tuple[tuple[str, str], ...]


def make_card(entry: Entry, picture: SlidePicture | None, folder: Path) -> Card:
    """The card of a slide that was judged; ``folder`` is where its files lie."""
    assert entry.row is not None and entry.row.result is not None
    result = entry.row.result
    regions = planned_regions(result, picture, MOST_REGIONS)
    hidden = len(result.regions) - len(regions)
    return Card(entry, picture, regions, hidden, tuple(_facts(result)), tuple(focus_records(folder)))


def planned_regions(result: Result, picture: SlidePicture | None, most: int) -> tuple[PlannedRegion, ...]:
    """The first ``most`` regions in millimetres, clipped to the slide where its size is known."""
    size = picture.slide_px if picture is not None else None
    regions = enumerate(result.regions[:most], 1)
    return tuple(plan_region(index, region, size, result.features.mpp) for index, region in regions)


def focus_records(folder: Path) -> list[tuple[str, str]]:
    """What the scanner wrote about its focus, from ``summary.json``: (name, text); empty without."""
    try:
        records = from_json_text((folder / "summary.json").read_text(encoding="utf-8")).get("focus_records")
    except (OSError, ValueError, AttributeError):
        return []
    return describe_records(records) if isinstance(records, dict) else []


def _facts(result: Result) -> list[tuple[str, str]]:
    features = result.features
    known = features.absolute
    return [
        ("blurred part of the tissue", percent(features.blurred_fraction if known else None)),
        ("largest blurred region", _unit(features.largest_region_mm2 if known else None, "mm²", 3)),
        (
            "median, worst tenth",
            f"{number(features.median_um)}, {number(features.worst_decile_um)} µm" if known else NOTHING,
        ),
        ("tissue", _unit(features.tissue_mm2, "mm²") if features.tissue_found else "none found"),
        (
            "cannot tell, unreadable",
            f"{percent(features.cannot_tell_fraction)}, {percent(features.unreadable_fraction)}",
        ),
        ("pixel size", _pixel_size(features)),
        ("model", f"{result.model} {result.model_version}"),
    ]


def _pixel_size(features: SlideFeatures) -> str:
    if features.mpp is not None or features.sides_um is None:
        return _unit(features.mpp, "µm", 4)
    return " × ".join(number(side, 4) for side in features.sides_um) + " µm"


def _unit(value: float | None, unit: str, digits: int = 2) -> str:
    return NOTHING if value is None else f"{number(value, digits)} {unit}"
