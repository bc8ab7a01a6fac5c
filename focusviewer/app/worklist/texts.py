"""How the worklist's names, numbers and times are written for people; no Qt here."""

from __future__ import annotations

from datetime import datetime

from focusviewer.qc.verdicts.agreement import Agreement
from focusviewer.qc.worklist.records import RegionRow, VerdictRow


def plain(text: str) -> str:
    """Text in one line, without control characters that would reverse or hide the rest of it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def breakable(text: str, longest: int = 24) -> str:
    """Text that can be wrapped in a narrow panel: words get invisible places to break at."""
    cut = (word if len(word) <= longest else "\u200b".join(_pieces(word, longest)) for word in text.split(" "))
    return " ".join(cut)


def _pieces(word: str, longest: int) -> list[str]:
    return [word[start : start + longest] for start in range(0, len(word), longest)]


def percent(part: float) -> str:
    """A part of the whole for people: no number is rounded to none or all."""
    if 0 < part < 0.001:
        return "< 0.1 %"
    return f"{100 * part:.1f} %" if part < 0.0995 or 0.995 <= part < 1 else f"{100 * part:.0f} %"


def area(mm2: float) -> str:
    """An area for people."""
    if 0 < mm2 < 0.001:
        return "< 0.001 mm²"
    return f"{mm2:.3f} mm²" if 0 < mm2 < 0.1 else f"{mm2:.2g} mm²" if mm2 < 10 else f"{mm2:.0f} mm²"


def region_text(region: RegionRow) -> str:
    """One line of a slide's list of blurred regions."""
    parts = [f"{region.mean_um:.1f} µm from focus"]
    if region.area_mm2 is not None:
        parts.append(area(region.area_mm2))
    if region.cause:
        parts.append(plain(region.cause))
    return "   ·   ".join(parts)


def local_time(stamp: str) -> str:
    """A time of the worklist (UTC) in local time."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return stamp


def history_text(entry: VerdictRow) -> str:
    """One line of a slide's history."""
    text = f"{local_time(entry.given_at)}  {plain(entry.who)}: {entry.verdict.value}"
    if entry.blinded:
        text += ", blinded"
    if entry.note:
        text += f" “{plain(entry.note)}”"
    return f"{text} (taken back)" if entry.undone_at else text


def agreement_text(one: str, other: str, found: Agreement) -> str:
    """How far two readers agree, in words."""
    kappa = "κ not defined" if found.kappa is None else f"κ = {found.kappa:.2f}"
    share = f"{found.same} of {found.slides} slides alike"
    return f"{plain(one)} and {plain(other)}: {kappa}, {share}"
