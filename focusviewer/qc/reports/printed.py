"""The report for paper: the same facts in the plain HTML that text layouts understand, pictures apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from focusviewer import __version__
from focusviewer.core.files import resource_path
from focusviewer.qc.reports.focusplan import PlannedRegion, plan_region
from focusviewer.qc.reports.markup import NOTHING, badge, number, percent, person_line, rules_table, text
from focusviewer.qc.reports.page import TITLE, rules_used
from focusviewer.qc.reports.pictures import SlidePicture, slide_picture
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, load_rules
from focusviewer.qc.worklist.listing import Entry, counts, entries, written_now
from focusviewer.qc.worklist.store import Worklist
from focusviewer.qc.worklist.summary import show

MOST_REGIONS = 6
PICTURE_PT = 150
"""Longest side of a picture on paper, in points."""

_TABLE = 'border="0" cellpadding="3" cellspacing="0" width="100%"'


@dataclass
class PrintedReport:
    """A document for a text layout.

    Attributes
    ----------
    html, style : str
        Tables, headings and paragraphs only; ``style`` is CSS.
    images : dict of str to bytes
        JPEG files by the names that the document calls them by.
    footer : str
        For the foot of every page.
    """

    title: str
    html: str
    style: str
    footer: str
    images: dict[str, bytes] = field(default_factory=dict)


def printed_report(worklist: Worklist, rules: Rules | None = None) -> PrintedReport:
    """Lay a worklist out for paper: a line for each slide; pictures, reasons and regions of those that do not pass.

    Parameters
    ----------
    rules : Rules, optional
        Whose thresholds are shown; the shipped ones when missing.
    """
    listed = entries(worklist)
    images: dict[str, bytes] = {}

    def picture(entry: Entry) -> SlidePicture | None:
        result = entry.row.result if entry.row is not None else None
        return None if result is None else slide_picture(worklist.folder / result.folder, 1 << 20)

    slides = [entry for entry in listed if entry.row is not None and entry.same_as is None]
    shown = [entry for entry in slides if entry.status in (Verdict.RESCAN, Verdict.REVIEW)]
    parts = [
        f"<h1>{text(TITLE)}</h1>",
        f'<p class="soft">{text(worklist.path)} · written {written_now()} by FocusViewer {__version__}</p>',
        f"<p>{_counts(listed)}</p>",
        _table(slides),
        _failures(listed),
        '<h2 style="page-break-before: always">Slides to rescan or to look at</h2>' if shown else "",
        *(_slide(entry, picture(entry), images) for entry in shown),
        f"<h2>Rules</h2>{rules_table(rules_used(listed), rules or load_rules())}",
        '<p class="soft">Research use only. Distances from focus are estimates from one plane; their sign is not '
        "known. Corners are counted from the top left corner of the scanned area.</p>",
    ]
    style = resource_path("report", "print.css").read_text(encoding="utf-8")
    footer = f"{TITLE} · {worklist.folder.name} · {written_now()}"
    return PrintedReport(TITLE, "\n".join(parts), style, footer, images)


def _counts(listed: Sequence[Entry]) -> str:
    copies = sum(entry.same_as is not None for entry in listed)
    parts = [f"{badge(name)} {count}" for name, count in counts(listed).items() if count]
    more = f" &nbsp; {copies} copies" if copies else ""
    return f"{len(listed)} files: &nbsp; {' &nbsp; '.join(parts)}{more}"


def _row(cells: Sequence[tuple[str, str]], tag: str = "td") -> str:
    return "<tr>" + "".join(f'<{tag} class="{style}">{cell}</{tag}>' for cell, style in cells) + "</tr>"


def _table(slides: Sequence[Entry]) -> str:
    """A line for each slide."""
    names = ("#", "slide", "slide id", "verdict", "program", "score", "blurred", "largest mm²", "worst µm", "person")
    numbers = {"#", "score", "blurred", "largest mm²", "worst µm"}
    head = _row([(name, "n" if name in numbers else "") for name in names], "th")
    lines = []
    for index, entry in enumerate(slides, 1):
        row = entry.row
        assert row is not None
        result = row.result
        features = result.features if result is not None and result.features.absolute else None
        cells = [
            (str(index), "n"),
            (broken(row.facts.name), ""),
            (broken(row.facts.slide_id), ""),
            (badge(entry.status), ""),
            (badge(result.judgement.verdict.value) if result is not None else NOTHING, ""),
            (number(result.judgement.score, 1) if result is not None else NOTHING, "n"),
            (percent(features.blurred_fraction) if features is not None else NOTHING, "n"),
            (number(features.largest_region_mm2, 3) if features is not None else NOTHING, "n"),
            (number(features.worst_decile_um) if features is not None else NOTHING, "n"),
            (broken(row.person.who) if row.person is not None else "", ""),
        ]
        lines.append(_row(cells))
    return (
        f"<h2>Slides, the worst first</h2><table {_TABLE}><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    )


def _failures(listed: Sequence[Entry]) -> str:
    failed = [(entry.path, entry.failure) for entry in listed if entry.failure is not None]
    if not failed:
        return ""
    head = _row([("file", ""), ("reason", ""), ("tried", "n")], "th")
    lines = (
        _row([(broken(str(path)), ""), (text(failure.reason), ""), (str(failure.attempt), "n")])
        for path, failure in failed
    )
    return f"<h2>Files that could not be judged</h2><table {_TABLE}><thead>{head}</thead>{''.join(lines)}</table>"


def _slide(entry: Entry, picture: SlidePicture | None, images: dict[str, bytes]) -> str:
    """Pictures to the left; reasons and regions to the right."""
    row = entry.row
    assert row is not None and row.result is not None
    facts, result = row.facts, row.result
    size = picture.slide_px if picture is not None else None
    about = " · ".join(broken(part) for part in (facts.slide_id, facts.scanner, facts.stain) if part)
    person = person_line(entry)
    regions = "".join(
        _region(plan_region(index, region, size, result.features.mpp))
        for index, region in enumerate(result.regions[:MOST_REGIONS], 1)
    )
    hidden = len(result.regions) - MOST_REGIONS
    words = (
        f"<h3>{badge(entry.status)} &nbsp; {broken(facts.name)}</h3>"
        f'<p class="soft">{about}</p><p class="soft">{broken(str(facts.path))}</p>'
        f"<p>Program: {badge(result.judgement.verdict.value)}, score {number(result.judgement.score, 1)}</p>"
        + "".join(f"<p>– {text(reason)}</p>" for reason in entry.reasons)
        + (f"<p>Person: {broken(person)}</p>" if person else "")
        + regions
        + (f'<p class="soft">and {hidden} more in the rescan list</p>' if hidden > 0 else "")
    )
    pictures = "" if picture is None else _pictures(picture, images)
    return f'<table {_TABLE}><tr><td width="{PICTURE_PT + 12}">{pictures}</td><td>{words}</td></tr></table>'


def _region(region: PlannedRegion) -> str:
    place = "pixel size unknown"
    if region.x_mm is not None:
        place = (
            f"corner {number(region.x_mm)}, {number(region.y_mm)} mm, "
            f"size {number(region.width_mm)} × {number(region.height_mm)} mm"
        )
    area = f", {number(region.area_mm2)} mm²" if region.area_mm2 is not None else ""
    why = f", {text(region.cause)}" if region.cause else ""
    return f'<p class="soft">region {region.number}: {region.defocus_um:.1f} µm from focus{area}, {place}{why}</p>'


def _pictures(picture: SlidePicture, images: dict[str, bytes]) -> str:
    scale = PICTURE_PT / max(picture.width, picture.height)
    width, height = round(picture.width * scale), round(picture.height * scale)
    name = f"picture-{len(images)}"
    images[name] = picture.overlay
    return f'<img src="{name}" width="{width}" height="{height}">'


def broken(value: object, longest: int = 24) -> str:
    """Any text as HTML in which lines may break: after each ``longest`` letters without a space."""
    run, out = 0, []
    for char in show(str(value)):
        run = 0 if char.isspace() else run + 1
        out.append(char)
        if run >= longest:
            out.append("\u200b")  # a space without width
            run = 0
    return escape("".join(out), quote=True)
