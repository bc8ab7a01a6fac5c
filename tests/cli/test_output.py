from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from focusviewer.cli.commands.models import read_figures
from focusviewer.cli.output import Progress, table
from focusviewer.core.json_text import to_json_text


def test_json_has_no_nan_and_no_numpy() -> None:
    document = {
        "nan": float("nan"),
        "array": np.array([[1.0, np.inf], [2.0, -np.inf]], np.float32),
        "number": np.float32(0.5),
        "flag": np.bool_(True),
        "path": Path("ä b"),
        "tuple": (1, None),
    }
    text = to_json_text(document)
    assert "NaN" not in text
    assert "ä" in text
    assert json.loads(text) == {
        "nan": None,
        "array": [[1.0, None], [2.0, None]],
        "number": 0.5,
        "flag": True,
        "path": "ä b",
        "tuple": [1, None],
    }


def test_tables_align_numbers_to_the_right() -> None:
    text = table(["name", "value"], [["a", 1.5], ["longer", float("nan")]])
    assert text.splitlines() == ["name    value", "------  -----", "a         1.5", "longer      -"]


def test_progress_stays_silent_where_nobody_looks(capsys) -> None:  # type: ignore[no-untyped-def]
    with Progress("job") as progress:
        progress(0.5, "half")
        progress(1.0)
    captured = capsys.readouterr()
    assert captured.err + captured.out == ""


def test_figures_are_read_from_a_model_card(tmp_path: Path) -> None:
    card = tmp_path / "model.md"
    card.write_text(
        "# model\n\n| | |\n|---|---|\n| Data | x |\n\n## Figures\n\nHeld out:\n\n| scale | SRCC |\n|---|---|\n"
        "| 0.25 | 0.9 |\n| 0.5 | 0.8 |\n\n## Limits\n\n| no | figure |\n|---|---|\n| 1 | 2 |\n"
    )
    assert read_figures(card) == [{"scale": "0.25", "SRCC": "0.9"}, {"scale": "0.5", "SRCC": "0.8"}]
