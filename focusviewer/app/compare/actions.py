"""The commands of comparing two pictures."""

from __future__ import annotations

from functools import partial

from focusviewer.app.compare.controller import CompareController
from focusviewer.app.services.actions import ActionRecord, Switch


def compare_actions(compare: CompareController) -> list[ActionRecord]:
    """All of them, in the order of the Compare menu."""

    def mode(name: str) -> Switch:
        return Switch(compare.state, "mode", name, "off")

    return [
        ActionRecord(
            "compare.wipe",
            "Wipe",
            None,
            "wipe",
            ("C",),
            "Scan and refocused picture, with a line to drag between them",
            needs="slide",
            switch=mode("wipe"),
        ),
        ActionRecord(
            "compare.split",
            "Split",
            None,
            "split",
            ("S",),
            "A second picture: refocused, another plane or another slide",
            needs="slide",
            switch=mode("split"),
        ),
        ActionRecord(
            "compare.flicker",
            "Flicker",
            None,
            "flicker",
            ("F",),
            "Scan and refocused picture in turn",
            needs="slide",
            switch=mode("flicker"),
        ),
        ActionRecord("compare.off", "Compare no more", compare.stop, "", ("Shift+C",), needs="slide"),
        ActionRecord(
            "compare.line_left",
            "Line to the left",
            partial(compare.move_wipe, -1),
            "",
            ("Shift+Left",),
            needs="slide",
        ),
        ActionRecord(
            "compare.line_right",
            "Line to the right",
            partial(compare.move_wipe, 1),
            "",
            ("Shift+Right",),
            needs="slide",
        ),
        ActionRecord(
            "compare.next",
            "Show the next beside",
            compare.next_content,
            "",
            ("Shift+S",),
            "Split: next plane or slide",
            needs="slide",
        ),
        ActionRecord("compare.link", "Move together or apart", compare.toggle_link, "", ("L",), needs="slide"),
    ]
