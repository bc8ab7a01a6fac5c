"""The report for paper: the same facts in the plain HTML that text layouts understand, pictures apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup, escape

from focusviewer import __version__
from focusviewer.qc.reports.cards import planned_regions
from focusviewer.qc.reports.focusplan import PlannedRegion
from focusviewer.qc.reports.markup import TEMPLATES, rules_table
from focusviewer.qc.reports.page import TITLE, rules_used
from focusviewer.qc.reports.pictures import slide_picture
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, load_rules
from focusviewer.qc.worklist.listing import Entry, counts, entries, written_now
from focusviewer.qc.worklist.store import Worklist
from focusviewer.qc.worklist.summary import show

MOST_REGIONS = 6
PICTURE_PT = 150
"""Longest side of a picture on paper, in points."""


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


@dataclass(frozen=True)
class PrintedPicture:
    """A slide under its focus map: the name that the document calls it by, and its size in points."""

    name: str
    width: int
    height: int


@dataclass(frozen=True)
class PrintedSlide:
    """A slide that does not pass: its picture (None where its folder lacks it) and its largest regions.

    ``hidden`` is how many more regions there are.
    """

    entry: Entry
    picture: PrintedPicture | None
    regions: tuple[PlannedRegion, ...]
    hidden: int


def printed_report(worklist: Worklist, rules: Rules | None = None) -> PrintedReport:
    """Lay a worklist out for paper: a line for each slide; pictures, reasons and regions of those that do not pass.

    Parameters
    ----------
    rules : Rules, optional
        Whose thresholds are shown; the shipped ones when missing.
    """
    listed = entries(worklist)
    slides = [entry for entry in listed if entry.row is not None and entry.same_as is None]
    images: dict[str, bytes] = {}
    shown = [_slide(worklist, entry, images) for entry in slides if entry.status in (Verdict.RESCAN, Verdict.REVIEW)]
    html = TEMPLATES.render(
        "print.html",
        title=TITLE,
        worklist=worklist.path,
        written=written_now(),
        version=__version__,
        files=len(listed),
        counts={name: count for name, count in counts(listed).items() if count},
        copies=sum(entry.same_as is not None for entry in listed),
        slides=slides,
        failed=[entry for entry in listed if entry.failure is not None],
        shown=shown,
        picture_width=PICTURE_PT + 12,
        rules=rules_table(rules_used(listed), rules or load_rules()),
        broken=broken,
    )
    footer = f"{TITLE} · {worklist.folder.name} · {written_now()}"
    return PrintedReport(TITLE, html, TEMPLATES.source("print.css"), footer, images)


def _slide(worklist: Worklist, entry: Entry, images: dict[str, bytes]) -> PrintedSlide:
    """A slide for paper; its picture is added to ``images``."""
    result = entry.row.result if entry.row is not None else None
    if result is None:  # a person's verdict on a slide that waits
        return PrintedSlide(entry, None, (), 0)
    found = slide_picture(worklist.folder / result.folder, 1 << 20)
    regions = planned_regions(result, found, MOST_REGIONS)
    picture = None
    if found is not None:
        scale = PICTURE_PT / max(found.width, found.height)
        picture = PrintedPicture(f"picture-{len(images)}", round(found.width * scale), round(found.height * scale))
        images[picture.name] = found.overlay
    return PrintedSlide(entry, picture, regions, len(result.regions) - len(regions))


def broken(value: object, longest: int = 24) -> Markup:
    """Any text as HTML in which lines may break: after each ``longest`` letters without a space."""
    run, out = 0, []
    for char in show(str(value)):
        run = 0 if char.isspace() else run + 1
        out.append(char)
        if run >= longest:
            out.append("\u200b")  # a space without width
            run = 0
    return escape("".join(out))
