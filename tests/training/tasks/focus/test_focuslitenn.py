from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from focusviewer.focus.base import FocusModel
from focusviewer.focus.registry import get_model
from focusviewer.refocus.base import Refocuser
from focusviewer.training.tasks.focus.focuslitenn import slide_table


class Told:
    """An evaluator that makes its figures up."""

    def simulated_slides(self, model: FocusModel, seeds: Sequence[int]) -> list[dict[str, Any]]:
        return [{"slide": f"{model.name}-{seed}", "tissue_windows": 40, "srcc": 0.8765} for seed in seeds]

    def held_out_fields(self, engine: Refocuser, data: Path, fields: int) -> list[dict[str, Any]]:
        return []


def test_a_card_tells_of_whole_slides_what_the_evaluator_found() -> None:
    model = get_model("variance")
    text = slide_table(Told(), model, (901, 902))
    assert text.splitlines()[-2:] == [f"| {model.name}-{seed} | 40 | 0.876 |" for seed in (901, 902)]


def test_a_card_without_an_evaluator_has_no_table_of_slides() -> None:
    model = get_model("variance")
    assert slide_table(None, model, (901,)) == slide_table(Told(), model, ()) == ""
