"""The report of a worklist: one HTML file that holds everything, for people who have no FocusViewer at hand."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from focusviewer import __version__
from focusviewer.core.files import atomic_write
from focusviewer.focus.mapping.colour import LUTS, lut_colours
from focusviewer.qc.reports.cards import Card, make_card
from focusviewer.qc.reports.distributions import distribution_section
from focusviewer.qc.reports.markup import TEMPLATES, rules_table
from focusviewer.qc.reports.pictures import slide_picture
from focusviewer.qc.reports.roc import roc_section
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, load_rules
from focusviewer.qc.worklist.listing import FAILED, WAITING, Entry, counts, entries, written_now
from focusviewer.qc.worklist.store import Worklist

TITLE = "Focus quality of slides"
PICTURES_BYTES = 16 << 20
"""For the pictures of all slides together; text takes a third more of the file."""

PICTURE_BYTES = 48 << 10
"""For the pictures of one slide."""

_RANKS = {status: rank for rank, status in enumerate((WAITING, FAILED, *Verdict))}


def write_report(
    worklist: Worklist, path: Path, rules: Rules | None = None, truth: Mapping[str, bool] | None = None
) -> None:
    """Write the report.

    Parameters
    ----------
    rules : Rules, optional
        Whose thresholds are shown, if verdicts were made by them; the shipped ones when missing.
    truth : mapping of fingerprint or absolute path to bool, optional
        Whether slides need a rescan, where that is known: adds how well the verdicts agree with it.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    page = render(worklist, rules or load_rules(), truth or {})
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


def render(worklist: Worklist, rules: Rules, truth: Mapping[str, bool]) -> str:
    """The whole page."""
    listed = entries(worklist)
    slides = [entry for entry in listed if entry.row is not None and entry.same_as is None]
    rows = [entry.row for entry in slides if entry.row is not None]
    script = TEMPLATES.source("report.js")
    return TEMPLATES.render(
        "report.html",
        title=TITLE,
        worklist=worklist.path,
        written=written_now(),
        version=__version__,
        style=TEMPLATES.source("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        boxes=_boxes(listed),
        filters=_filters(listed),
        slides=slides,
        cards=_cards(worklist, slides),
        ranks=_RANKS,
        colours=lut_colours(LUTS[0])[::32].tolist(),
        failed=[entry for entry in listed if entry.failure is not None],
        copies=[entry for entry in listed if entry.same_as is not None],
        rules=rules_table(rules_used(listed), rules),
        sections=[roc_section(truth, rows), distribution_section(rows, rules)],
    )


def rules_used(listed: Sequence[Entry]) -> dict[str, int]:
    """Rules by label, and how many slides they judged."""
    results = [entry.row.result for entry in listed if entry.row is not None and entry.same_as is None]
    return dict(Counter(result.judgement.rules for result in results if result is not None).most_common())


def _boxes(listed: Sequence[Entry]) -> list[tuple[str, int, str]]:
    """The counts above everything: what is counted, how many, the class that gives the colour."""
    found = counts(listed)
    boxes = [("files", len(listed), "")] + [(name, count, name) for name, count in found.items()]
    boxes.append(("copies", sum(entry.same_as is not None for entry in listed), ""))
    boxes.append(("given by a person", sum(_has_person(entry) for entry in listed), ""))
    boxes.append(("person disagrees", sum(entry.disagreed for entry in listed), ""))
    return [box for box in boxes if box[1] or box[0] in ("files", *Verdict, FAILED)]


def _has_person(entry: Entry) -> bool:
    return entry.same_as is None and entry.row is not None and entry.row.person is not None


def _filters(listed: Sequence[Entry]) -> list[tuple[str, str]]:
    """The buttons that choose slides: what the script is told, and the label."""
    filters = [("ALL", "all"), *((name, name) for name, count in counts(listed).items() if count)]
    if any(entry.disagreed for entry in listed):
        filters.append(("DISAGREED", "person disagrees"))
    return filters


def _cards(worklist: Worklist, slides: Sequence[Entry]) -> dict[str, Card]:
    """What is shown of each slide that was judged, by its fingerprint; their pictures fit the file together."""
    rows = [(entry, entry.row) for entry in slides if entry.row is not None]
    judged = [(entry, row.facts.fingerprint, row.result) for entry, row in rows if row.result is not None]
    most = min(PICTURE_BYTES, PICTURES_BYTES // max(len(judged), 1))
    cards = {}
    for entry, fingerprint, result in judged:
        folder = worklist.folder / result.folder
        cards[fingerprint] = make_card(entry, slide_picture(folder, most), folder)
    return cards
