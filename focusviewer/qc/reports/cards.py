"""What a report says of one slide: pictures, regions, verdicts, and how to open it."""

from __future__ import annotations

import json
from pathlib import Path

from focusviewer.qc.reports.focusplan import PlannedRegion, plan_region
from focusviewer.qc.reports.links import Point, open_command, open_link
from focusviewer.qc.reports.markup import NOTHING, attribute, badge, bullets, number, percent, person_line, text
from focusviewer.qc.reports.pictures import SlidePicture, data_uri
from focusviewer.qc.worklist.listing import Entry
from focusviewer.qc.worklist.records import Result, SlideRow
from focusviewer.slides.identity import describe_records

MOST_REGIONS = 12
"""Regions shown of a slide; the rescan list has them all."""


def anchor(row: SlideRow) -> str:
    """Where a slide's card is in the page; letters and digits only."""
    return "slide-" + "".join(char for char in row.facts.fingerprint if char.isascii() and char.isalnum())


def search_text(entry: Entry) -> str:
    """What the search looks through, in small letters."""
    parts = [str(entry.path), *entry.reasons, person_line(entry)]
    if entry.row is not None:
        facts = entry.row.facts
        parts += [facts.slide_id, facts.scanner, facts.stain, facts.fingerprint]
    return " ".join(part for part in parts if part).lower()


def card(entry: Entry, picture: SlidePicture | None, folder: Path) -> str:
    """One slide; ``folder`` is where its files lie."""
    row = entry.row
    assert row is not None and row.result is not None
    result, facts = row.result, row.facts
    size = picture.slide_px if picture is not None else None
    regions = [
        plan_region(index, region, size, result.features.mpp)
        for index, region in enumerate(result.regions[:MOST_REGIONS], 1)
    ]
    about = " · ".join(text(part) for part in (facts.slide_id, facts.scanner, facts.stain) if part)
    person = person_line(entry)
    failed = f"<p><b>Judging it again failed:</b> {text(entry.failure.reason)}</p>" if entry.failure else ""
    marks = f'data-status="{entry.status}" data-text="{attribute(search_text(entry))}"'
    marks += " data-disagreed" if entry.disagreed else ""
    return (
        f'<article class="card {entry.status}" id="{anchor(row)}" {marks}>'
        f'<div class="head">{badge(entry.status)}<h3>{text(facts.name)}</h3><span class="soft">{about}</span></div>'
        f'<p class="soft">{text(facts.path)} {_open(entry)}</p>'
        f'<div class="cols">{_pictures(entry, picture, regions)}<div>'
        f"<p>Program: {badge(result.judgement.verdict.value)} score {number(result.judgement.score, 1)}, by the rules "
        f"{text(result.judgement.rules)}</p>{bullets(entry.reasons) if entry.reasons else ''}"
        f"<p>Person: {text(person) if person else 'no verdict yet'}</p>{failed}"
        f"{_facts(result, focus_records(folder))}</div></div>"
        f"{_regions(entry, regions, len(result.regions))}</article>"
    )


def _open(entry: Entry, at: Point | None = None) -> str:
    """A link for programs that know it, and the command for all others."""
    command = open_command(entry.path, at)
    return (
        f'<a class="open" href="{attribute(open_link(entry.path, at))}">open in FocusViewer</a> '
        f'<button type="button" class="copy" data-copy="{attribute(command)}" title="{attribute(command)}">'
        "copy command</button>"
    )


def _pictures(entry: Entry, picture: SlidePicture | None, regions: list[PlannedRegion]) -> str:
    if picture is None:
        return '<div class="pics soft">no pictures in the slide\'s folder</div>'
    width, height = picture.slide_px
    boxes = "".join(
        f'<a href="{attribute(open_link(entry.path, _centre(region)))}"><rect x="{region.x_px:.0f}" '
        f'y="{region.y_px:.0f}" width="{region.width_px:.0f}" height="{region.height_px:.0f}">'
        f"<title>region {region.number}: {region.defocus_um:.1f} µm from focus</title></rect></a>"
        for region in regions
    )
    svg = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none">{boxes}</svg>'
    absolute = entry.row is not None and entry.row.result is not None and entry.row.result.features.absolute
    about = "focus map, blurred regions in red" if absolute else "relative sharpness, of this slide only: not in µm"
    pictures = ((picture.plain, "", "slide"), (picture.overlay, svg, about))
    return (
        '<div class="pics">'
        + "".join(
            f'<figure><div class="pic"><img src="{data_uri(jpeg)}" width="{picture.width}" height="{picture.height}" '
            f'alt="{name}" loading="lazy" decoding="async">{above}</div><figcaption>{name}</figcaption></figure>'
            for jpeg, above, name in pictures
        )
        + "</div>"
    )


def focus_records(folder: Path) -> list[tuple[str, str]]:
    """What the scanner wrote about its focus, from ``summary.json``: (name, text); empty without."""
    try:
        records = json.loads((folder / "summary.json").read_text(encoding="utf-8")).get("focus_records")
    except (OSError, ValueError, AttributeError):
        return []
    return describe_records(records) if isinstance(records, dict) else []


def _facts(result: Result, records: list[tuple[str, str]]) -> str:
    features = result.features
    known = features.absolute
    facts = [
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
        ("pixel size", _unit(features.mpp, "µm", 4)),
        ("model", text(f"{result.model} {result.model_version}")),
    ]
    facts += [(f"scanner's {text(name)}", text(value)) for name, value in records]
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts)
    return f'<table class="facts">{lines}</table>'


def _unit(value: float | None, unit: str, digits: int = 2) -> str:
    return NOTHING if value is None else f"{number(value, digits)} {unit}"


def _centre(region: PlannedRegion) -> Point:
    return region.x_px + region.width_px / 2, region.y_px + region.height_px / 2


def _regions(entry: Entry, regions: list[PlannedRegion], count: int) -> str:
    if not regions:
        return ""
    lines = [
        f'<tr><td class="n">{region.number}</td><td class="n">{region.defocus_um:.2f}</td>'
        f'<td class="n">{number(region.area_mm2, 3)}</td>'
        f'<td class="n">{_pair(region.x_mm, region.y_mm)}</td>'
        f'<td class="n">{_pair(region.width_mm, region.height_mm)}</td>'
        f'<td class="n">{region.x_px:.0f}, {region.y_px:.0f}, {region.width_px:.0f}, {region.height_px:.0f}</td>'
        f"<td>{text(region.cause)}</td><td>{_open(entry, _centre(region))}</td></tr>"
        for region in regions
    ]
    more = f'<p class="soft">and {count - len(regions)} more in the rescan list</p>' if count > len(regions) else ""
    return (
        '<div class="scroll"><table><thead><tr><th class="n">region</th><th class="n">µm from focus</th>'
        '<th class="n">mm²</th><th class="n">corner x, y in mm</th><th class="n">size in mm</th>'
        '<th class="n">x, y, width, height in pixels</th><th>cause</th><th></th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{more}"
    )


def _pair(first: float | None, second: float | None) -> str:
    return f"{number(first, 3)}, {number(second, 3)}"
