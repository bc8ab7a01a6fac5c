"""The commands for reading through a worklist: their texts and keys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from focusviewer.app.actions import ActionRecord
from focusviewer.app.views.verdict_panel import KEYS
from focusviewer.qc.verdicts.judgement import Verdict

if TYPE_CHECKING:
    from focusviewer.app.views.main_window import MainWindow


def worklist_commands(window: MainWindow) -> list[ActionRecord]:
    """Records of the Worklist menu, in its order."""
    review = window.review
    panel, verdicts = window.worklist_panel, window.verdict_panel
    records = [
        ActionRecord(
            f"worklist.{verdict.value.lower()}",
            f"Verdict: {verdict.value}",
            partial(review.give, verdict),
            shortcuts=(KEYS[verdict],),
            tip=f"The selected slide: {verdict.value}",
        )
        for verdict in Verdict
    ]
    records += [
        ActionRecord("worklist.undo", "Undo the last verdict", review.undo, "undo", ("Ctrl+Z",)),
        ActionRecord("worklist.note", "Write a note", review.edit_note, shortcuts=("Shift+N",)),
        ActionRecord("worklist.next", "Next slide", partial(review.walk.step, 1), shortcuts=("J",), separator=True),
        ActionRecord("worklist.previous", "Previous slide", partial(review.walk.step, -1), shortcuts=("K",)),
        ActionRecord("worklist.next_to_do", "Next slide to judge", review.walk.next_to_do, shortcuts=("Shift+J",)),
        ActionRecord("worklist.open", "Open the selected slide", review.walk.open_slide, shortcuts=("Ctrl+Return",)),
        ActionRecord(
            "worklist.next_region",
            "Next blurred region",
            partial(review.walk.step_region, 1),
            shortcuts=("W",),
            tip="The next blurred region of the slide, from the worst to the least",
            separator=True,
        ),
        ActionRecord(
            "worklist.previous_region",
            "Previous blurred region",
            partial(review.walk.step_region, -1),
            shortcuts=("Shift+W",),
        ),
        ActionRecord("worklist.find", "Find in the list", panel.search.setFocus, shortcuts=("Ctrl+F",), separator=True),
        ActionRecord(
            "worklist.blinded",
            "Blinded reading on or off",
            verdicts.blinded.toggle,
            shortcuts=("Ctrl+B",),
            tip="Hide what was found until you have judged a slide",
        ),
        ActionRecord("worklist.reader", "Reader…", window.desk.ask_reader, separator=True),
        ActionRecord("worklist.close", "Close worklist", review.close),
    ]
    return records
