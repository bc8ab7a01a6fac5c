"""The status line of the Refocus panel: scanned or computed, and why turning the knob may blur; no Qt here."""

from __future__ import annotations

from focusviewer.app.refocus.area import RefocusArea
from focusviewer.app.refocus.state import RefocusState
from focusviewer.refocus.base import MAX_Z_UM, Encoded, acquired_plane

IN_FOCUS_UM = 0.25
"""Distance of most of a view from its only plane below which it is in focus: one level, too little to be seen."""

AT_LIMIT_UM = 0.1
"""Auto has reached the limit of the range when it is nearer than this."""


def is_in_focus(encoded: Encoded) -> bool:
    """Whether an engine takes a view of one plane to be in focus as it was scanned.

    When the engine leaves a view unchanged for another reason, which is in its notes, this is not known.
    """
    one = len(encoded.planes_um) == 1
    return one and not encoded.notes and encoded.best_z_um - encoded.planes_um[0] < IN_FOCUS_UM


def scan_text(area: RefocusArea, encoded: Encoded, auto_um: float | None) -> str:
    """The text for scanned pixels.

    Parameters
    ----------
    auto_um : float or None
        The best focus of the view, where Auto has found it.
    """
    one = len(area.planes_um) == 1
    plane = None if auto_um is None else acquired_plane(area.planes_um, auto_um)
    if plane is not None:
        if is_in_focus(encoded):
            return "Auto: already in focus. These are scanned pixels; turning the knob blurs or overdoes them."
        if one:
            return "Auto: these are scanned pixels; nothing computed is clearly sharper."
        return f"Auto: plane {area.planes[plane] + 1} is the sharpest, as scanned; nothing computed is clearly sharper."
    if is_in_focus(encoded):
        return "These are scanned pixels, already in focus here: turning the knob blurs or overdoes them."
    towards = " towards +" if one and not encoded.notes else ""
    return f"These are scanned pixels. Turn the knob{towards} to refocus." + guess_text(encoded)


def synthesised_text(area: RefocusArea, encoded: Encoded | None, mode: str, auto_um: float | None = None) -> str:
    """The text for a synthesised picture.

    Parameters
    ----------
    auto_um : float or None
        The best focus of the view, where Auto has found it.
    """
    text = f"Computed by {area.engine}, not scanned."
    if auto_um is not None and min(abs(auto_um - z) for z in area.planes_um) > MAX_Z_UM - AT_LIMIT_UM:
        text += f" Auto ends here, {MAX_Z_UM:g} µm from a plane: the best focus may lie beyond."
    if mode in ("assume", "refocus") and encoded is not None and is_in_focus(encoded):
        overdone = " or overdoes it" if mode == "assume" else ""
        return f"{text} The scan is in focus already: turning away from it blurs{overdone}."
    return text + guess_text(encoded, auto_um) if mode in ("assume", "deblur") else text


def guess_text(encoded: Encoded | None, auto_um: float | None = None) -> str:
    """How far one plane is taken to be from focus, and between which bounds, as a sentence that goes on after others.

    Parameters
    ----------
    auto_um : float or None
        What Auto has found; without it the engine's estimate is told.
    """
    if encoded is None or encoded.notes or len(encoded.planes_um) > 1:
        return ""
    first = encoded.planes_um[0]
    found = encoded.best_z_um if auto_um is None else auto_um
    guess = f" Best guess of the distance: {found - first:.1f} µm"
    if encoded.likely_um is None:
        return f"{guess}."
    low, high = (f"{z_um - first:.1f}" for z_um in encoded.likely_um)
    return f"{guess}." if low == high else f"{guess} ({low} to {high})."


def work_text(*, studying: bool, searching: bool, rendering: bool) -> str:
    """The text about work in progress; empty when there is none."""
    if studying:
        return "Studying the view…"
    if searching:
        return "Looking for the best focus…"
    return "Computing… The picture is the last one until then." if rendering else ""


def status_text(
    state: RefocusState,
    *,
    work: str,
    limit: str,
    shown: RefocusArea | None,
    known: tuple[RefocusArea, Encoded] | None,
    auto_um: float | None,
    offer: str = "",
    assumed: Encoded | None = None,
) -> str:
    """What the panel says.

    Parameters
    ----------
    work : str
        See :func:`work_text`; goes before everything else.
    limit : str
        Why the focus that is asked for is not shown; empty if it is.
    shown : RefocusArea or None
        What the synthesised picture on screen was made from.
    known : (RefocusArea, Encoded) or None
        The view as an engine has studied it.
    auto_um : float or None
        The best focus of the view, where Auto has found it.
    offer : str
        What speaks for all in focus instead; empty where nothing does.
    assumed : Encoded or None
        What the picture on screen was rendered from where a distance was assumed: it has notes of its own.
    """
    notes = known[1].notes if known is not None and state.is_on else ()
    notes = assumed.notes if assumed is not None else notes
    if work or limit:
        text = work or limit
    elif shown is not None:
        text = synthesised_text(shown, known[1] if known is not None else None, state.mode, auto_um)
    elif known is not None and state.is_on:
        text = scan_text(*known, auto_um)
    else:
        text = ""
    return " ".join([text, *notes, "" if work or limit else offer]).strip()
