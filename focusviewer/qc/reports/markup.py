"""Pieces of HTML that several reports share; every text from outside goes through ``text`` or ``attribute``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape

from focusviewer.qc.verdicts.rules import Rules, Thresholds
from focusviewer.qc.worklist.listing import Entry
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


def text(value: object) -> str:
    """Any text as HTML: markup escaped, control characters and lone bytes spelt out."""
    return escape(show(str(value)), quote=True)


def attribute(value: str) -> str:
    """A text as the value of an attribute, to the letter: line ends as well."""
    whole = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return escape(whole, quote=True).replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")


def number(value: float | None, digits: int = 2) -> str:
    """A number for people; a dash for one that is not known."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A part as a percentage."""
    return NOTHING if value is None else f"{value:.1%}"


def badge(status: str) -> str:
    """A verdict in its colour."""
    return f'<span class="v {status}">{status}</span>'


def bullets(lines: Sequence[str]) -> str:
    """Texts as a list."""
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else NOTHING


def person_line(entry: Entry) -> str:
    """A person's verdict in words; empty without one."""
    person = entry.row.person if entry.row is not None else None
    if person is None:
        return ""
    note = f": “{person.note}”" if person.note else ""
    blinded = ", before seeing the program's" if person.blinded else ""
    return f"{person.verdict.value} by {person.who or 'somebody'} on {person.given_at}{blinded}{note}"


def rules_table(used: Mapping[str, int], rules: Rules) -> str:
    """Which rules made how many verdicts, and their thresholds where they are ``rules``."""
    lines = [f"<p>{count} slides judged by the rules <b>{text(label)}</b>.</p>" for label, count in used.items()]
    if rules.label not in used:
        return "".join(lines) + ('<p class="soft">Their thresholds are not at hand.</p>' if used else "")
    overrides = [override for override in rules.overrides if override.changes]
    head = "".join(f"<th>{text(_meant(item.scanner, item.stain))}</th>" for item in overrides)
    rows = []
    for item in fields(Thresholds):
        cells = "".join(f'<td class="n">{_threshold(override.changes.get(item.name))}</td>' for override in overrides)
        value = _threshold(getattr(rules.thresholds, item.name))
        name = THRESHOLD_NAMES.get(item.name, item.name)
        rows.append(f'<tr><td>{text(name)}</td><td><code>{item.name}</code></td><td class="n">{value}</td>{cells}</tr>')
    return (
        "".join(lines)
        + '<table class="facts"><thead><tr><th>threshold</th><th>name in the rules</th>'
        + f'<th class="n">{text(rules.label)}</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _meant(scanner: str, stain: str) -> str:
    return "only " + " and ".join(part for part in (scanner, stain) if part)


def _threshold(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
