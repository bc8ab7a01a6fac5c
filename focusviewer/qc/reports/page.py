"""The report of a worklist: one HTML file that holds everything, for people who have no FocusViewer at hand."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from focusviewer import __version__
from focusviewer.core.files import atomic_write, resource_path
from focusviewer.focus.mapping.colour import LUTS, lut_colours
from focusviewer.qc.reports.cards import anchor, card, search_text
from focusviewer.qc.reports.markup import (
    NOTHING,
    attribute,
    badge,
    bullets,
    number,
    percent,
    person_line,
    rules_table,
    text,
)
from focusviewer.qc.reports.pictures import SlidePicture, data_uri, slide_picture
from focusviewer.qc.reports.roc import roc_section
from focusviewer.qc.reports.spread import spread_section
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, load_rules
from focusviewer.qc.worklist.listing import FAILED, WAITING, Entry, counts, entries, written_now
from focusviewer.qc.worklist.store import Worklist

TITLE = "Focus quality of slides"
PICTURES_BYTES = 16 << 20
"""For the pictures of all slides together; text takes a third more of the file."""

PICTURE_BYTES = 48 << 10
"""For the pictures of one slide."""

_HEADS = (
    ("#", "n"), ("", ""), ("slide", ""), ("verdict", ""), ("program", ""), ("person", ""), ("score", "n"),
    ("blurred", "n"), ("largest region, mm²", "n"), ("worst tenth, µm", "n"), ("cannot tell", "n"), ("reasons", ""),
)  # fmt: skip


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
    script = _part("report.js")
    rows = [entry.row for entry in listed if entry.row is not None and entry.same_as is None]
    body = [
        _counts(listed),
        _bar(listed),
        *_slides(worklist, listed),
        _failures(listed),
        _copies(listed),
        f'<section id="rules"><h2>Rules</h2>{rules_table(rules_used(listed), rules)}</section>',
        roc_section(truth, rows) if truth else "",
        spread_section(rows, rules),
    ]
    return Template(_part("report.html")).substitute(
        title=text(TITLE),
        subtitle=f"{text(worklist.path)} · written {written_now()} by FocusViewer {__version__}",
        style=_part("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        body="\n".join(body),
        footer="Research use only. Distances from focus are estimates from one plane; their sign is not known.",
    )


def rules_used(listed: Sequence[Entry]) -> dict[str, int]:
    """Rules by label, and how many slides they judged."""
    results = [entry.row.result for entry in listed if entry.row is not None and entry.same_as is None]
    return dict(Counter(result.judgement.rules for result in results if result is not None).most_common())


def _part(name: str) -> str:
    return resource_path("report", name).read_text(encoding="utf-8")


def _counts(listed: Sequence[Entry]) -> str:
    found = counts(listed)
    boxes = [("files", len(listed), "")] + [(name, count, name) for name, count in found.items()]
    boxes.append(("copies", sum(entry.same_as is not None for entry in listed), ""))
    boxes.append(("given by a person", sum(_has_person(entry) for entry in listed), ""))
    boxes.append(("person disagrees", sum(entry.disagreed for entry in listed), ""))
    kept = [box for box in boxes if box[1] or box[0] in ("files", *Verdict, FAILED)]
    return (
        '<div class="counts">'
        + "".join(f'<div class="{style}"><b>{count}</b>{name}</div>' for name, count, style in kept)
        + "</div>"
    )


def _has_person(entry: Entry) -> bool:
    return entry.same_as is None and entry.row is not None and entry.row.person is not None


def _bar(listed: Sequence[Entry]) -> str:
    found = counts(listed)
    names = [name for name, count in found.items() if count]
    buttons = [("ALL", "all", True), *((name, name, False) for name in names)]
    if any(entry.disagreed for entry in listed):
        buttons.append(("DISAGREED", "person disagrees", False))
    made = "".join(
        f'<button type="button" data-filter="{key}" aria-pressed="{str(pressed).lower()}">{label}</button>'
        for key, label, pressed in buttons
    )
    return (
        f'<div class="bar" role="group" aria-label="Which slides to show">{made}'
        '<input id="search" type="search" placeholder="name, slide id, reason, note" aria-label="Search">'
        '<span id="shown" class="soft" role="status"></span></div>'
    )


def _slides(worklist: Worklist, listed: Sequence[Entry]) -> list[str]:
    """The table of all slides, and a card for each that was judged."""
    slides = [entry for entry in listed if entry.row is not None and entry.same_as is None]
    judged = [entry for entry in slides if entry.row is not None and entry.row.result is not None]
    most = min(PICTURE_BYTES, PICTURES_BYTES // max(len(judged), 1))
    pictures = {entry.path: _picture(worklist, entry, most) for entry in judged}
    lines = [_line(index, entry, pictures.get(entry.path)) for index, entry in enumerate(slides, 1)]
    head = "".join(
        f'<th class="{style}">{f"""<button type="button">{name}</button>""" if name else ""}</th>'
        for name, style in _HEADS
    )
    legend = f'<p class="soft">In focus <span class="legend" style="{_gradient()}"></span> 4 µm from focus or more</p>'
    return [
        f'<section id="slides"><h2>Slides, the worst first</h2>{legend}<div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>",
        *lines,
        "</tbody></table></div></section>",
        '<section id="cards"><h2>Slide by slide</h2>',
        *(card(entry, pictures[entry.path], _folder(worklist, entry)) for entry in judged),
        "</section>",
    ]


def _picture(worklist: Worklist, entry: Entry, most: int) -> SlidePicture | None:
    return slide_picture(_folder(worklist, entry), most)


def _folder(worklist: Worklist, entry: Entry) -> Path:
    assert entry.row is not None and entry.row.result is not None
    return worklist.folder / entry.row.result.folder


def _line(index: int, entry: Entry, picture: SlidePicture | None) -> str:
    row = entry.row
    assert row is not None
    result, person = row.result, row.person
    features = result.features if result is not None else None
    known = features is not None and features.absolute
    program = badge(result.judgement.verdict.value) if result is not None else NOTHING
    own = f'<span title="{attribute(person_line(entry))}">{badge(person.verdict.value)}</span>' if person else ""
    icon = ""
    if picture is not None:
        icon = f'<img src="{data_uri(picture.icon)}" alt="" loading="lazy" decoding="async">'
    name = f"<b>{text(row.facts.name)}</b>"
    name = f'<a href="#{anchor(row)}">{name}</a>' if result is not None else name
    about = " · ".join(text(part) for part in (row.facts.slide_id, row.facts.scanner, row.facts.stain) if part)
    cells = [
        f'<td class="n">{index}</td><td>{icon}</td>',
        f'<td class="name" data-sort="{attribute(row.facts.name)}">{name}<br><span class="soft">{about}</span></td>',
        *(f'<td data-sort="{_rank(status)}">{shown}</td>' for status, shown in (
            (entry.status, badge(entry.status)),
            (result.judgement.verdict.value if result is not None else "", program),
            (person.verdict.value if person is not None else "", own),
        )),
        _number(result.judgement.score if result is not None else None, 1),
        _number(features.blurred_fraction if features is not None and known else None, part=True),
        _number(features.largest_region_mm2 if features is not None and known else None, 3),
        _number(features.worst_decile_um if features is not None and known else None),
        _number(features.cannot_tell_fraction if features is not None else None, part=True),
        f'<td class="why">{bullets(entry.reasons)}</td>',
    ]  # fmt: skip
    return f"<tr {_marks(entry)}>{''.join(cells)}</tr>"


def _marks(entry: Entry) -> str:
    """What the filter looks at."""
    more = " data-disagreed" if entry.disagreed else ""
    return f'data-status="{entry.status}" data-text="{attribute(search_text(entry))}"{more}'


def _number(value: float | None, digits: int = 2, part: bool = False) -> str:
    shown = percent(value) if part else number(value, digits)
    return f'<td class="n" data-sort="{"" if value is None else f"{value:.6g}"}">{shown}</td>'


def _rank(status: str) -> str:
    order = [WAITING, FAILED, *Verdict]
    return str(order.index(status)) if status in order else ""


def _gradient() -> str:
    colours = [f"rgb({r},{g},{b})" for r, g, b in lut_colours(LUTS[0])[::32]]
    return f"background:linear-gradient(to right,{','.join(colours)})"


def _failures(listed: Sequence[Entry]) -> str:
    failed = [entry for entry in listed if entry.failure is not None]
    if not failed:
        return ""
    lines = [
        f'<tr data-status="{FAILED}" data-text="{attribute(search_text(entry))}">'
        f'<td class="name"><b>{text(entry.path.name)}</b><br><span class="soft">{text(entry.path.parent)}</span></td>'
        f'<td class="why">{text(entry.failure.reason)}</td><td class="n">{entry.failure.attempt}</td>'
        f"<td>{text(entry.failure.created_at)}</td></tr>"
        for entry in failed
        if entry.failure is not None
    ]
    return (
        '<section id="failures"><h2>Files that could not be judged</h2><div class="scroll"><table>'
        '<thead><tr><th>file</th><th>reason</th><th class="n">tried</th><th>last on</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _copies(listed: Sequence[Entry]) -> str:
    copies = [entry for entry in listed if entry.same_as is not None]
    if not copies:
        return ""
    lines = [
        f'<tr><td class="file">{text(entry.path)}</td><td class="file">{text(entry.same_as)}</td></tr>'
        for entry in copies
    ]
    return (
        '<section id="copies"><h2>Copies</h2><div class="scroll"><table><thead><tr><th>file</th>'
        f"<th>has the same content as</th></tr></thead><tbody>{''.join(lines)}</tbody></table></div></section>"
    )
